// peers_test.cc - several Stacks behind one card: what comes to the wrong queue arrives all the
// same.
#include "stack/core/peers.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <functional>
#include <string>

#include "stack/core/inside.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scripted_device.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::Octets;
using testing_support::PoolEndsFull;
using testing_support::ScriptedDevice;
using testing_support::test_pool;

const IpAddress kServer = IpAddress::v4(198, 18, 0, 2);
const IpAddress kClient = IpAddress::v4(198, 18, 0, 1);
constexpr std::uint16_t kPort = 80;

Config small_config() {
  Config config;
  config.connections = config.time_waits = config.sockets = 64;
  config.listeners = 4;
  return config;
}

PortConfig port_of(const IpAddress& address) {
  PortConfig port;
  port.addresses = {{address, 24}};
  return port;
}

std::uint16_t number_at(const Octets& frame, std::size_t offset) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[offset]) << 8 |
                                    std::to_integer<unsigned>(frame[offset + 1]));
}
bool is_arp(const Octets& frame) { return number_at(frame, 12) == 0x0806; }

// A client's Stack -- wire -- a card with kQueues queues, a Stack for each.
class PeersTest : public PoolEndsFull {
 protected:
  static constexpr unsigned kQueues = 4;

  PeersTest() : client_ports_(64, {}, 1), server_ports_(64, {}, 1) {
    configure_sockets(64);
    const Config config = small_config();
    client = std::make_unique<Stack>(config, Stack::Parts{test_pool(), client_ports_, clock_}, 1,
                                     tcp::Secret{});
    client->add_interface(client_device_, port_of(kClient));
    for (unsigned i = 0; i < kQueues; ++i) {
      servers.push_back(std::make_unique<Stack>(
          config, Stack::Parts{test_pool(), server_ports_, clock_, i, &peers_}, i, tcp::Secret{}));
      devices_.push_back(std::make_unique<ScriptedDevice>(test_pool(), std::uint8_t{7}));
      peers_.add(*servers.back());
      servers.back()->add_interface(*devices_.back(), port_of(kServer), map);
    }
  }
  void TearDown() override {
    for (Socket* socket : open_) socket->put();
    run();
    servers.clear();
    client.reset();
    PoolEndsFull::TearDown();
  }

  void poll(Stack& stack) {
    NapiSet posted = 0;
    {
      const Entered entered(stack.entry());
      stack.poll(64, stack.read_clock());
      posted = stack.take_posted();
    }
    stack.deliver(posted);
  }
  // Carries frames until there are none.
  void run() {
    for (bool moves = true; moves;) {
      moves = carry(client_device_, [&](const Octets& frame) { return &device_for(frame); });
      for (auto& device : devices_) {
        moves |= carry(*device, [&](const Octets&) { return &client_device_; });
      }
      poll(*client);
      for (auto& server : servers) poll(*server);
    }
  }
  Socket& open(Stack& stack, int type = SOCK_STREAM) {
    const Inside inside(stack);
    Socket* const socket = *create_socket(
        stack.world(), {AF_INET, type, type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP});
    open_.push_back(socket);
    return *socket;
  }
  Socket& listen(Stack& stack) {
    Socket& socket = open(stack);
    const Inside inside(stack);
    EXPECT_TRUE(socket.bind({IpAddress::any_v4(), kPort}, inside.now()).ok());
    EXPECT_TRUE(socket.listen(16, inside.now()).ok());
    return socket;
  }
  Socket& connect(Stack& stack, const Endpoint& to) {
    Socket& socket = open(stack);
    const Inside inside(stack);
    EXPECT_EQ(socket.connect(to, inside.now()).error(), Errno::in_progress);
    return socket;
  }
  // Null: nothing to accept.
  Socket* accept(Socket& listener) {
    const Inside inside(stack_of(listener));
    const Result<Socket*> accepted = listener.accept(inside.now());
    if (accepted.ok()) open_.push_back(*accepted);
    return accepted.ok() ? *accepted : nullptr;
  }
  bool is_connected(Socket& socket) {
    const Inside inside(stack_of(socket));
    return socket.peer().ok();
  }
  void send(Socket& socket, const std::string& text) {
    const Inside inside(stack_of(socket));
    iovec vector{const_cast<char*>(text.data()), text.size()};
    const SendMessage message{{&vector, 1}, text.size(), 0, nullptr, {}};
    EXPECT_EQ(*socket.send(message, inside.now()), text.size());
  }
  std::string receive(Socket& socket) {
    const Inside inside(stack_of(socket));
    std::string text(100, ' ');
    iovec vector{text.data(), text.size()};
    ReceiveMessage message{{&vector, 1}, text.size(), MSG_DONTWAIT, false, {}, false, 0, {}};
    const Result<std::size_t> got = socket.receive(message, inside.now());
    return got.ok() ? text.substr(0, *got) : "";
  }
  static Stack& stack_of(Socket& socket) { return static_cast<Stack&>(socket.world().gate); }
  std::uint64_t steered(unsigned index) { return servers[index]->counters().steered; }
  void expect_echo(Socket& near, Socket& far) {
    send(near, "question");
    run();
    EXPECT_EQ(receive(far), "question");
    send(far, "answer");
    run();
    EXPECT_EQ(receive(near), "answer");
  }

  // Read by the HashingCards only: where the card puts packets is queue_of's.
  const RssMap map = RssMap::of(
      std::array<std::uint8_t, 16>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
      {0, 1, 2, 3});
  std::unique_ptr<Stack> client;
  std::vector<std::unique_ptr<Stack>> servers;
  // The card's choice for what is no ARP, which comes to queue 0.
  std::function<unsigned(const Octets&)> queue_of = [](const Octets&) { return 0u; };

 private:
  ScriptedDevice& device_for(const Octets& frame) {
    return *devices_[is_arp(frame) ? 0 : queue_of(frame)];
  }
  template <typename Choose>
  bool carry(ScriptedDevice& from, Choose&& choose) {
    const std::vector<Octets> frames = std::exchange(from.sent, {});
    for (const Octets& frame : frames) choose(frame)->arrive(frame);
    return !frames.empty();
  }

  ManualClock clock_;
  tcp::Ports client_ports_, server_ports_;
  Peers peers_{16};
  ScriptedDevice client_device_{test_pool()};
  std::vector<std::unique_ptr<ScriptedDevice>> devices_;
  std::vector<Socket*> open_;
};

TEST_F(PeersTest, a_connection_to_a_listener_of_another_stack) {
  Socket& listener = listen(*servers[2]);
  queue_of = [](const Octets&) { return 1u; };
  Socket& near = connect(*client, {kServer, kPort});
  run();
  ASSERT_TRUE(is_connected(near));
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  expect_echo(near, *far);
  EXPECT_GE(steered(1), 3u);
  EXPECT_EQ(steered(0) + steered(2) + steered(3), 0u);
}

TEST_F(PeersTest, a_connect_whose_answers_come_to_another_queue) {
  Socket& listener = listen(*client);
  queue_of = [](const Octets&) { return 3u; };
  Socket& near = connect(*servers[1], {kClient, kPort});
  run();
  ASSERT_TRUE(is_connected(near));
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  expect_echo(near, *far);
}

TEST_F(PeersTest, a_port_is_the_processs) {
  Socket& listener = listen(*servers[0]);
  queue_of = [](const Octets&) { return 3u; };
  Socket& first = connect(*client, {kServer, kPort});
  run();
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  // Stack 1 cannot have the port, though it is not the one that listens.
  Socket& bound = open(*servers[1]);
  {
    const Inside inside(*servers[1]);
    EXPECT_EQ(bound.bind({IpAddress::any_v4(), kPort}, inside.now()).error(),
              Errno::address_in_use);
  }
  expect_echo(first, *far);
}

// The card's hash, and the queues that its table names.
class HashingCard : public PeersTest {
 protected:
  explicit HashingCard(unsigned shift = 0) {
    queue_of = [this, shift](const Octets& frame) {
      return (map.queue_of(tuple_of(frame)) + shift) % kQueues;
    };
  }
  static RssTuple tuple_of(const Octets& frame) {
    RssTuple tuple;
    std::memcpy(tuple.source.data(), frame.data() + 26, 4);
    std::memcpy(tuple.destination.data(), frame.data() + 30, 4);
    tuple.source_port = number_at(frame, 34);
    tuple.destination_port = number_at(frame, 36);
    tuple.has_ports = true;
    return tuple;
  }
  void connect_ten_times(Stack& stack) {
    listen(*client);
    for (unsigned i = 0; i < 10; ++i) {
      Socket& near = connect(stack, {kClient, kPort});
      run();
      EXPECT_TRUE(is_connected(near));
    }
  }
};

class WrongMap : public HashingCard {
 protected:
  WrongMap() : HashingCard(1) {}
};

TEST_F(HashingCard, answers_come_to_the_queue_of_who_connects) {
  connect_ten_times(*servers[2]);
  for (unsigned i = 0; i < kQueues; ++i) EXPECT_EQ(steered(i), 0u);
  EXPECT_EQ(servers[2]->counters().rss_misses, 0u);
}

TEST_F(WrongMap, what_was_foretold_wrongly_arrives_all_the_same) {
  connect_ten_times(*servers[2]);
  EXPECT_EQ(steered(3), 10u);
  EXPECT_EQ(servers[2]->counters().rss_misses, 10u);
}

TEST_F(PeersTest, what_is_nobodys_is_refused_once) {
  listen(*servers[2]);
  queue_of = [](const Octets&) { return 1u; };
  Socket& near = connect(*client, {kServer, kPort + 1});
  run();
  EXPECT_FALSE(is_connected(near));
  std::uint64_t resets = 0;
  for (const auto& server : servers) resets += server->counters().tcp_resets_out;
  EXPECT_EQ(resets, 1u);
}

TEST_F(PeersTest, stacks_that_all_listen_have_what_comes_to_their_queue) {
  std::vector<Socket*> listeners;
  for (auto& server : servers) {
    Socket& socket = open(*server);
    const Inside inside(*server);
    const int on = 1;
    const auto value = std::as_bytes(std::span(&on, 1));
    EXPECT_TRUE(socket.set_option(SOL_SOCKET, SO_REUSEPORT, value, inside.now()).ok());
    EXPECT_TRUE(socket.bind({IpAddress::any_v4(), kPort}, inside.now()).ok());
    EXPECT_TRUE(socket.listen(16, inside.now()).ok());
    listeners.push_back(&socket);
  }
  for (unsigned i = 0; i < kQueues; ++i) {
    queue_of = [i](const Octets&) { return i; };
    Socket& near = connect(*client, {kServer, kPort});
    run();
    Socket* far = accept(*listeners[i]);
    ASSERT_NE(far, nullptr) << i;
    expect_echo(near, *far);
  }
  for (unsigned i = 0; i < kQueues; ++i) EXPECT_EQ(steered(i), 0u);
}

TEST_F(PeersTest, datagrams_go_to_the_stack_that_has_their_sockets) {
  Socket& server = open(*servers[Stack::kDatagramStack], SOCK_DGRAM);
  {
    const Inside inside(*servers[0]);
    ASSERT_TRUE(server.bind({IpAddress::any_v4(), kPort}, inside.now()).ok());
  }
  queue_of = [](const Octets&) { return 2u; };
  Socket& near = open(*client, SOCK_DGRAM);
  {
    const Inside inside(*client);
    ASSERT_TRUE(near.connect({kServer, kPort}, inside.now()).ok());
  }
  send(near, "datagram");
  run();
  EXPECT_EQ(receive(server), "datagram");
  EXPECT_EQ(steered(2), 1u);
}

TEST_F(PeersTest, a_port_that_nobody_has_is_told_to_a_connected_datagram_socket) {
  // The error comes back to queue 3; the socket is the first stack's.
  queue_of = [](const Octets&) { return 3u; };
  Socket& near = open(*servers[0], SOCK_DGRAM);
  {
    const Inside inside(*servers[0]);
    ASSERT_TRUE(near.connect({kClient, kPort}, inside.now()).ok());
  }
  send(near, "datagram");
  run();
  const Inside inside(*servers[0]);
  EXPECT_EQ(near.take_error(), Errno::connection_refused);
}

TEST_F(PeersTest, two_stacks_never_connect_from_one_port) {
  listen(*client);
  std::vector<std::uint16_t> ports;
  for (unsigned i = 0; i < kQueues; ++i) {
    Socket& near = connect(*servers[i], {kClient, kPort});
    const Inside inside(*servers[i]);
    ports.push_back(near.local().port);
  }
  std::sort(ports.begin(), ports.end());
  EXPECT_EQ(std::adjacent_find(ports.begin(), ports.end()), ports.end());
  run();
}

}  // namespace
}  // namespace pollux
