// shared_listeners_test.cc - a listening socket with a part in each Stack: opened, told of changes,
// accepted from, closed.
#include <netinet/tcp.h>

#include "epoll/eventpoll.h"
#include "tests/unit/core/peers_world.h"

namespace pollux {
namespace {

using testing_support::kClient;
using testing_support::kPort;
using testing_support::kServer;
using testing_support::Octets;

constexpr unsigned kOwner = 2;

class SharedListenersTest : public testing_support::PeersWorld {
 protected:
  using PeersWorld::PeersWorld;
  void bring_to(unsigned queue) {
    queue_of = [queue](const Octets&) { return queue; };
  }
  Socket& connect_through(unsigned queue) {
    bring_to(queue);
    Socket& near = connect(*client, {kServer, kPort});
    run();
    return near;
  }
  Errno error_of(Socket& socket) {
    const Inside inside(stack_of(socket));
    return socket.take_error();
  }
  std::uint64_t steered_in_all() {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < kQueues; ++i) sum += steered(i);
    return sum;
  }
  std::uint32_t waiting(Socket& listener) {
    tcp_info info{};
    const Inside inside(stack_of(listener));
    const auto room = std::as_writable_bytes(std::span(&info, 1));
    EXPECT_TRUE(listener.get_option(IPPROTO_TCP, TCP_INFO, room, inside.now()).ok());
    return info.tcpi_unacked;
  }
  int option(Socket& socket, int level, int name) {
    int value = -1;
    const Inside inside(stack_of(socket));
    const auto room = std::as_writable_bytes(std::span(&value, 1));
    EXPECT_TRUE(socket.get_option(level, name, room, inside.now()).ok());
    return value;
  }
  Errno bind(Socket& socket) {
    const Inside inside(stack_of(socket));
    const Result<void> bound = socket.bind({IpAddress::any_v4(), kPort}, inside.now());
    return bound.ok() ? Errno{} : bound.error();
  }
  // A connection through each queue, served by the stack of that queue.
  void expect_echoes_of_every_queue() {
    Socket& listener = listen(*servers[kOwner]);
    for (unsigned i = 0; i < kQueues; ++i) {
      Socket& near = connect_through(i);
      Socket* far = accept(listener);
      ASSERT_NE(far, nullptr) << i;
      EXPECT_EQ(&stack_of(*far), servers[i].get());
      expect_echo(near, *far);
    }
    EXPECT_EQ(steered_in_all(), 0u);
  }
};

TEST_F(SharedListenersTest, each_stack_has_what_comes_to_its_queue) {
  expect_echoes_of_every_queue();
}

TEST_F(SharedListenersTest, is_ready_while_any_part_has_connections) {
  Socket& listener = listen(*servers[kOwner]);
  EXPECT_FALSE(bool(ready(listener)));
  connect_through(0);
  connect_through(0);
  connect_through(3);
  EXPECT_EQ(waiting(listener), 3u);
  for (unsigned left = 3; left != 0; --left) {
    EXPECT_TRUE(ready(listener).has(kIn));
    EXPECT_NE(accept(listener), nullptr);
    EXPECT_EQ(waiting(listener), left - 1);
  }
  EXPECT_FALSE(bool(ready(listener)));
  EXPECT_EQ(accept(listener), nullptr);
}

TEST_F(SharedListenersTest, no_part_waits_for_ever) {
  Socket& listener = listen(*servers[kOwner]);
  for (const unsigned queue : {kOwner, kOwner, kOwner, 0u, 1u}) connect_through(queue);
  std::vector<Stack*> stacks;
  for (unsigned i = 0; i < 4; ++i) {
    connect_through(kOwner);  // its own never end
    Socket* far = accept(listener);
    ASSERT_NE(far, nullptr);
    stacks.push_back(&stack_of(*far));
  }
  EXPECT_NE(std::find(stacks.begin(), stacks.end(), servers[0].get()), stacks.end());
  EXPECT_NE(std::find(stacks.begin(), stacks.end(), servers[1].get()), stacks.end());
  EXPECT_NE(std::find(stacks.begin(), stacks.end(), servers[kOwner].get()), stacks.end());
}

TEST_F(SharedListenersTest, a_set_hears_of_connections_in_other_stacks) {
  EventPoll::configure({.max_sets = 4, .max_kernel_files = 4, .max_user_watches = 4});
  EventPoll* const set = *EventPoll::create();
  Socket& socket = open(*servers[kOwner]);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  ASSERT_TRUE(set->ctl(EPOLL_CTL_ADD, {&socket, 5}, &event).ok());
  EXPECT_EQ(set->napis(), NapiSet{1} << kOwner);
  ASSERT_EQ(bind(socket), Errno{});
  {
    const Inside inside(*servers[kOwner]);
    ASSERT_TRUE(socket.listen(16, inside.now()).ok());
  }
  EXPECT_EQ(set->napis(), peers().all());  // added before it listened
  set->poll();
  EXPECT_FALSE(bool(set->poll()));
  connect_through(1);
  EXPECT_TRUE(set->poll().has(kIn));
  EXPECT_NE(accept(socket), nullptr);
  EXPECT_FALSE(bool(set->poll()));
  connect_through(1);
  EXPECT_TRUE(set->poll().has(kIn));
  set->put();
}

TEST_F(SharedListenersTest, options_reach_the_parts) {
  Socket& listener = listen(*servers[kOwner]);
  set(listener, IPPROTO_TCP, TCP_NODELAY, 1);
  set(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
  connect_through(0);
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(option(*far, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(*far, SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST_F(SharedListenersTest, fast_open_is_the_parts_too) {
  Socket& listener = open(*servers[kOwner]);
  set(listener, IPPROTO_TCP, TCP_FASTOPEN, 3);
  {
    const Inside inside(*servers[kOwner]);
    EXPECT_TRUE(listener.bind({IpAddress::any_v4(), kPort}, inside.now()).ok());
    EXPECT_TRUE(listener.listen(16, inside.now()).ok());
  }
  const auto expect_parts = [&](std::uint32_t requests, bool needs_no_cookie, unsigned keys) {
    run();
    for (const auto& server : servers) {
      const Inside inside(*server);
      const tcp::Listener* part =
          server->world().tcp.find_listener({{kServer, kPort}, {kClient, 1000}});
      ASSERT_NE(part, nullptr);
      EXPECT_EQ(part->fast_open().max_requests, requests);
      EXPECT_EQ(part->fast_open().needs_no_cookie, needs_no_cookie);
      EXPECT_EQ(part->fast_open().keys.count, keys);
    }
  };
  expect_parts(3, false, 0);
  set(listener, IPPROTO_TCP, TCP_FASTOPEN, 5);
  set(listener, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  const std::array<std::byte, 16> key{};
  {
    const Inside inside(*servers[kOwner]);
    EXPECT_TRUE(listener.set_option(IPPROTO_TCP, TCP_FASTOPEN_KEY, key, inside.now()).ok());
  }
  expect_parts(5, true, 1);
}

TEST_F(SharedListenersTest, a_new_backlog_reaches_the_parts) {
  Socket& listener = listen(*servers[kOwner]);
  {
    const Inside inside(*servers[kOwner]);
    ASSERT_TRUE(listener.listen(0, inside.now()).ok());
  }
  connect_through(1);
  connect_through(1);
  EXPECT_EQ(waiting(listener), 1u);
  EXPECT_EQ(servers[1]->counters().tcp_listen_overflows, 1u);
}

TEST_F(SharedListenersTest, close_resets_what_was_not_accepted_in_all_stacks) {
  Socket& listener = listen(*servers[kOwner]);
  std::vector<Socket*> near;
  for (unsigned i = 0; i < kQueues; ++i) near.push_back(&connect_through(i));
  close(listener);
  run();
  for (Socket* socket : near) EXPECT_EQ(error_of(*socket), Errno::connection_reset);
  // The port is free, and nobody listens any more.
  EXPECT_EQ(server_ports().used(), 0u);
  Socket& late = connect_through(1);
  EXPECT_EQ(error_of(late), Errno::connection_refused);
  EXPECT_EQ(bind(open(*servers[1])), Errno{});
}

TEST_F(SharedListenersTest, listens_again_after_shutdown) {
  Socket& listener = listen(*servers[kOwner]);
  {
    const Inside inside(*servers[kOwner]);
    ASSERT_TRUE(listener.shutdown(SHUT_RD, inside.now()).ok());
  }
  EXPECT_EQ(listener.napis(), NapiSet{1} << kOwner);
  EXPECT_EQ(error_of(connect_through(0)), Errno::connection_refused);
  {
    const Inside inside(*servers[kOwner]);
    ASSERT_TRUE(listener.listen(16, inside.now()).ok());
  }
  connect_through(0);
  EXPECT_NE(accept(listener), nullptr);
}

TEST_F(SharedListenersTest, only_one_socket_listens_at_a_port_whatever_stack_it_is_of) {
  Socket& first = open(*servers[0]);
  Socket& second = open(*servers[1]);
  for (Socket* socket : {&first, &second}) {
    set(*socket, SOL_SOCKET, SO_REUSEADDR, 1);
    ASSERT_EQ(bind(*socket), Errno{});
  }
  const auto listen_on = [](Socket& socket) {
    const Inside inside(stack_of(socket));
    return socket.listen(16, inside.now()).ok();
  };
  EXPECT_TRUE(listen_on(first));
  EXPECT_FALSE(listen_on(second));
  close(first);
  EXPECT_TRUE(listen_on(second));
}

TEST_F(SharedListenersTest, a_ticket_of_a_listener_that_has_closed_is_for_nothing) {
  Socket& listener = listen(*servers[kOwner]);
  connect_through(0);
  std::optional<AcceptTicket> ticket;
  {
    const Inside inside(*servers[kOwner]);
    ticket = listener.ticket();
  }
  ASSERT_TRUE(ticket.has_value());
  close(listener);
  const Inside inside(*servers[0]);
  EXPECT_EQ(servers[0]->accept_from_part(*ticket, inside.now()).error(), Errno::again);
}

TEST_F(SharedListenersTest, the_loss_of_the_device_is_told_to_the_socket) {
  Socket& listener = listen(*servers[kOwner]);
  connect_through(1);
  take_device_away();
  run();
  EXPECT_TRUE(ready(listener).has(kErr | kHup));
  EXPECT_EQ(error_of(listener), Errno::network_down);
}

TEST_F(SharedListenersTest, a_full_inbox_loses_packets_but_no_listener) {
  while (servers[0]->inbox().push({0, Letter::Neighbour{1, {}}})) {
  }
  Socket& listener = listen(*servers[kOwner]);
  Socket& near = connect_through(0);
  Socket* far = accept(listener);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(&stack_of(*far), servers[0].get());
  expect_echo(near, *far);
}

// Its poster may be kept from its processor.
TEST_F(SharedListenersTest, a_poll_opens_letters_too) {
  ASSERT_TRUE(servers[1]->inbox().push({0, Letter::Neighbour{1, {}}}));
  poll(*servers[1]);
  EXPECT_TRUE(servers[1]->inbox().is_empty());
}

class SharedCookiesTest : public SharedListenersTest {
 protected:
  static Config config_with_cookies() {
    Config config = testing_support::small_config();
    config.tcp.syncookies = 2;
    return config;
  }
  SharedCookiesTest() : SharedListenersTest(config_with_cookies()) {}
};

// 4987-3.6: RSS brings a SYN and what follows it to one queue.
TEST_F(SharedCookiesTest, row_4987_3_6_each_part_takes_the_cookies_that_it_sent) {
  expect_echoes_of_every_queue();
  for (const auto& server : servers) EXPECT_EQ(server->counters().tcp_syncookies_received, 1u);
}

}  // namespace
}  // namespace pollux
