// shared_test.cc - one pool for all: who does not read cannot stop those who do.
#include "stack/tcp/shared.h"

#include <algorithm>

#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::TcpHosts;
using testing_support::test_pool;

class SharedMemory : public TcpHosts {
 protected:
  struct Pair {
    Connection* client;
    Connection* server;
    std::size_t written = 0, read = 0;
  };
  Pair connected(Listener& listener) {
    Connection* connection = connect(80);
    return {connection, accepted(listener)};
  }
  void write(Pair& pair, std::size_t most) {
    const std::string text(most, 'x');
    const auto n = pair.client->send(bytes_of(text), {}, now);
    pair.written += n ? *n : 0;
    client->tcp.settle(*pair.client, now);
  }
  void read(Pair& pair) {
    for (std::string text; !(text = read_all(*pair.server, now)).empty();) {
      pair.read += text.size();
    }
    server->tcp.settle(*pair.server, now);
  }
};

// V16: as long as others may still come, who has something to send with takes no more.
TEST_F(SharedMemory, v16_a_connection_leaves_a_packet_for_each_that_may_come) {
  const std::uint32_t low = test_pool().capacity() / 4, reserve = test_pool().capacity() / 16;
  const std::uint32_t most = low - reserve - 1;
  client = std::make_unique<testing_support::TcpHost>(
      client->address, config,
      TcpLimits{.connections = most, .listeners = 4, .time_waits = 4, .half_open = 4});
  Listener* listener = server->listen(80, 4);
  Pair pair = connected(*listener);
  std::vector<Packet> taken;
  while (test_pool().available() > low - 4) taken.push_back(test_pool().allocate());
  client->tcp.note_memory();
  write(pair, 60'000);
  EXPECT_GT(pair.written, 0u);
  EXPECT_LE(pair.written, test_pool().data_room());
  taken.clear();
  client->tcp.note_memory();
  write(pair, 60'000);
  EXPECT_GT(pair.written, 60'000u);
  close(*client, *pair.client);
  close(*server, *pair.server);
}

// fault-no-packets.
TEST_F(SharedMemory, unread_text_leaves_others_their_way) {
  Listener* listener = server->listen(80, 128);
  std::vector<Pair> unread;
  for (int i = 0; i < 100; ++i) unread.push_back(connected(*listener));
  Pair active = connected(*listener);
  for (Pair& pair : unread) {
    write(pair, 60'000);
    advance(Duration::ms(7));  // their timeouts do not fall on one instant
  }
  EXPECT_TRUE(test_pool().shortage().is_scarce);
  EXPECT_FALSE(test_pool().shortage().is_exhausted);

  const std::size_t kGoal = 100'000;
  for (int i = 0; i < 2000 && active.read < kGoal; ++i) {
    write(active, kGoal - active.written);
    settle();
    read(active);
    settle();
    advance(Duration::ms(50));
  }
  EXPECT_EQ(active.read, kGoal);

  const auto is_done = [](const Pair& pair) { return pair.read == 60'000; };
  for (int i = 0; i < 2000 && !std::all_of(unread.begin(), unread.end(), is_done); ++i) {
    for (Pair& pair : unread) {
      if (pair.written < 60'000) write(pair, 60'000 - pair.written);
      read(pair);
    }
    advance(Duration::ms(500));
  }
  EXPECT_TRUE(std::all_of(unread.begin(), unread.end(), is_done));
  EXPECT_FALSE(test_pool().shortage().is_low);

  unread.push_back(active);
  for (Pair& pair : unread) {
    close(*client, *pair.client);
    close(*server, *pair.server);
  }
  server->tcp.close(*listener, now);
}

}  // namespace
}  // namespace pollux::tcp
