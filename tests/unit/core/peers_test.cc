// peers_test.cc - several Stacks behind one card: what comes to the wrong queue arrives all the
// same.
#include "stack/core/peers.h"

#include <algorithm>

#include "tests/unit/core/peers_world.h"

namespace pollux {
namespace {

using testing_support::kClient;
using testing_support::kPort;
using testing_support::kServer;

class PeersTest : public testing_support::PeersWorld {};

TEST_F(PeersTest, a_connection_to_a_listener_of_another_stack) {
  Socket& listener = listen(*servers[2], true);  // and so has no parts
  queue_of = [](const testing_support::Octets&) { return 1u; };
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
  queue_of = [](const testing_support::Octets&) { return 3u; };
  Socket& near = connect(*servers[1], {kClient, kPort});
  run();
  ASSERT_TRUE(is_connected(near));
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  expect_echo(near, *far);
}

TEST_F(PeersTest, a_port_is_the_processs) {
  Socket& listener = listen(*servers[0]);
  queue_of = [](const testing_support::Octets&) { return 3u; };
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
    queue_of = [this, shift](const testing_support::Octets& frame) {
      return (map.queue_of(tuple_of(frame)) + shift) % kQueues;
    };
  }
  static RssTuple tuple_of(const testing_support::Octets& frame) {
    RssTuple tuple;
    std::memcpy(tuple.source.data(), frame.data() + 26, 4);
    std::memcpy(tuple.destination.data(), frame.data() + 30, 4);
    tuple.source_port = testing_support::number_at(frame, 34);
    tuple.destination_port = testing_support::number_at(frame, 36);
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
  queue_of = [](const testing_support::Octets&) { return 1u; };
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
    listeners.push_back(&listen(*server, true));
  }
  for (unsigned i = 0; i < kQueues; ++i) {
    queue_of = [i](const testing_support::Octets&) { return i; };
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
  queue_of = [](const testing_support::Octets&) { return 2u; };
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
  queue_of = [](const testing_support::Octets&) { return 3u; };
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
