// tcp_attacks_test.cc - two hosts and somebody who forges segments, or opens and closes without
// end.
#include "stack/tcp/tcp.h"

#include <gtest/gtest.h>

#include "tests/support/long_runs.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::TcpHosts;

class TcpAttacks : public TcpHosts {
 protected:
  // A segment that claims to be from the client's end of `connection`.
  void forge(const Connection& connection, SeqNum seq, Control ctl) {
    Reply reply;
    reply.tuple = connection.tuple();
    reply.segment.seq = seq;
    reply.segment.ctl = ctl;
    Packet packet = client->tcp.encode(reply, client->context).packet;
    server->receive(
        {connection.tuple().local.address, connection.tuple().remote.address, std::move(packet)},
        now);
  }
  // How many segments the server sends now; they get lost.
  std::size_t sent_by_server() {
    server->flush(now, wire);
    const std::size_t n = wire.size();
    wire.clear();
    return n;
  }
};

// 5961-7, V11 (CVE-2016-5696): somebody floods the server's end of A with resets inside its window,
// a thousand a second; what B's end answers to a reset now and then is the same to the last one.
TEST_F(TcpAttacks, challenges_of_one_connection_say_nothing_of_another) {
  Listener* listener = server->listen(80, 8);
  Connection* a = connect(80);
  Connection* b = connect(80);
  Connection* at_server[2] = {accepted(*listener), accepted(*listener)};
  settle();
  std::size_t answered[2] = {0, 0};
  for (const bool is_flooded : {false, true}) {
    Rng rng(11);
    for (int probe = 0; probe < 100; ++probe) {
      for (int ms = 0; ms < 300; ++ms) {
        now = now + Duration::ms(1);
        if (is_flooded) forge(*a, a->snd().nxt + 5u, RST);
      }
      sent_by_server();
      forge(*b, b->snd().nxt + 1u + static_cast<std::uint32_t>(rng.below(1000)), RST);
      answered[is_flooded] += sent_by_server();
    }
  }
  EXPECT_GE(answered[0], 25u);
  EXPECT_EQ(answered[0], answered[1]);
  for (Connection* end : at_server) {
    EXPECT_EQ(end->status(), State::ESTABLISHED);
    close(*server, *end);
  }
  close(*client, *a);
  close(*client, *b);
  server->tcp.close(*listener, now);
}

// V27: what comes after a reset is nobody's: the reader gets what had come before, the error, the
// end; the next connection of the same tuple begins empty.
TEST_F(TcpAttacks, nothing_is_read_that_came_after_the_reset) {
  Listener* listener = server->listen(80, 8);
  Connection* mine = connect(80);
  const FourTuple tuple = mine->tuple();
  Connection* theirs = accepted(*listener);
  ASSERT_TRUE(mine->send(bytes_of("before"), {}, now).ok());
  settle();
  forge(*mine, mine->snd().nxt, RST);
  ASSERT_TRUE(mine->send(bytes_of("after"), {}, now).ok());
  settle();
  std::vector<std::byte> room(100);
  EXPECT_EQ(*theirs->receive(room, {}, now), 6u);
  EXPECT_EQ(theirs->receive(room, {}, now).error(), Errno::connection_reset);
  EXPECT_EQ(*theirs->receive(room, {}, now), 0u);
  EXPECT_EQ(mine->take_error(), Errno::connection_reset) << "the text met nobody";
  close(*server, *theirs);
  close(*client, *mine);
  ActiveOpen again;
  again.tuple = tuple;
  again.port = client->bind(tuple.local.port);
  Connection* next = *client->tcp.open_active(again, now);
  settle();
  theirs = accepted(*listener);
  EXPECT_EQ(theirs->tuple().remote, tuple.local);
  EXPECT_EQ(theirs->receive(room, {}, now).error(), Errno::again);
  close(*server, *theirs);
  close(*client, *next);
  client->ports.release(*again.port);
  server->tcp.close(*listener, now);
}

// V17: connections without end (200,000 in the suite `long`) that the server closes first: its
// table of TIME-WAIT is full and no fuller, the oldest give way, each says what it said and nothing
// else.
TEST_F(TcpAttacks, short_connections_without_end_fill_a_bounded_table) {
  Listener* listener = server->listen(80, 8);
  const std::uint32_t count = testing_support::times(2000, 200'000);
  FourTuple before{}, last{};
  for (std::uint32_t n = 0; n < count; ++n) {
    Connection* mine = connect(80);
    ASSERT_NE(mine, nullptr);
    ASSERT_EQ(mine->status(), State::ESTABLISHED) << n;
    Connection* theirs = accepted(*listener);
    before = last, last = theirs->tuple();
    const std::string said = std::to_string(n);
    ASSERT_TRUE(theirs->send(bytes_of(said), {}, now).ok());
    close(*server, *theirs);
    ASSERT_EQ(read_all(*mine, now), said);
    close(*client, *mine);
    ASSERT_LE(server->tcp.time_waits(), testing_support::kTestLimits.time_waits);
    now = now + Duration::ms(1);
  }
  EXPECT_EQ(server->tcp.time_waits(), testing_support::kTestLimits.time_waits);
  EXPECT_NE(server->tcp.find_time_wait(last), nullptr);
  EXPECT_NE(server->tcp.find_time_wait(before), nullptr);
  EXPECT_EQ(server->tcp.connections(), 0u);
  server->tcp.close(*listener, now);
}

}  // namespace
}  // namespace pollux::tcp
