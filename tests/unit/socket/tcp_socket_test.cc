// tcp_socket_test.cc - the errno of each call in each state of a stream.
#include "stack/socket/tcp_socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "stack/tcp/tcp.h"
#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::kLoopback;
using testing_support::Pair;

class TcpSocketTest : public testing_support::SocketWorld {
 protected:
  int accept_error(Held& s) {
    return call([&](Instant now) { return s->accept(now); });
  }
  int peer_error(Held& s) {
    return call([&](Instant) { return s->peer(); });
  }
};

TEST_F(TcpSocketTest, bind_twice_is_einval_and_a_foreign_address_comes_first) {
  Held s = open();
  EXPECT_EQ(bind(s, {IpAddress::v4(203, 0, 113, 1), 0}), EADDRNOTAVAIL);
  EXPECT_EQ(bind(s, {kLoopback, 0}), 0);
  EXPECT_NE(local(s).port, 0);
  EXPECT_EQ(bind(s, {kLoopback, 0}), EINVAL);
  EXPECT_EQ(bind(s, {IpAddress::v4(203, 0, 113, 1), 0}), EADDRNOTAVAIL);
}

TEST_F(TcpSocketTest, bind_of_a_port_in_use) {
  Held first = open();
  Held second = open();
  EXPECT_EQ(bind(first, {kLoopback, 4000}), 0);
  EXPECT_EQ(bind(second, {IpAddress::any_v4(), 4000}), EADDRINUSE);
  first.reset();
  EXPECT_EQ(bind(second, {IpAddress::any_v4(), 4000}), 0);
}

TEST_F(TcpSocketTest, two_with_reuse_address_bind_but_one_listens) {
  Held first = open();
  Held second = open();
  for (Held* s : {&first, &second}) {
    EXPECT_EQ(set(*s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    EXPECT_EQ(bind(*s, {kLoopback, 4001}), 0);
  }
  EXPECT_EQ(listen(first), 0);
  EXPECT_EQ(listen(second), EADDRINUSE);
}

// MUST-42: on a port that others try to connect from, and those go on. MUST-41: so do connections.
TEST_F(TcpSocketTest, one_listens_beside_those_that_connect_from_its_port) {
  Held goal = listening();
  Held connecting = open(), connected = open(), listener = open(), again = open();
  for (Held* s : {&connecting, &connected, &listener, &again}) {
    EXPECT_EQ(set(*s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    EXPECT_EQ(bind(*s, {kLoopback, 4002}), 0);
  }
  EXPECT_EQ(connect(connected, local(goal)), EINPROGRESS);
  EXPECT_EQ(connect(connected, local(goal)), 0);
  Held server = accept(goal);
  in([&](Instant now) {
    EXPECT_EQ(connecting->connect({kLoopback, 9}, now).error(), Errno::in_progress);  // SYN-SENT
    EXPECT_TRUE(listener->listen(8, now).ok());
    EXPECT_EQ(again->listen(8, now).error(), Errno::address_in_use);
  });
  EXPECT_EQ(connect(connecting, {kLoopback, 9}), ECONNREFUSED);
  EXPECT_EQ(send(server, "goes on"), 7);
  EXPECT_EQ(receive(connected), "goes on");
  Held client = open();
  EXPECT_EQ(connect(client, {kLoopback, 4002}), EINPROGRESS);
  Held made = accept(listener);
}

TEST_F(TcpSocketTest, listen_unbound_takes_a_port_and_again_sets_the_backlog) {
  Held s = open();
  EXPECT_EQ(listen(s, 3), 0);
  EXPECT_NE(local(s).port, 0);
  EXPECT_EQ(listen(s, 5), 0);
  EXPECT_EQ(static_cast<TcpSocket&>(*s).listener()->backlog(), 5u);
  EXPECT_EQ(get(s, SOL_SOCKET, SO_ACCEPTCONN), 1);
  EXPECT_EQ(connect(s, {kLoopback, 1}), EISCONN);
  EXPECT_EQ(accept_error(s), EAGAIN);
}

TEST_F(TcpSocketTest, calls_of_the_wrong_role) {
  Held s = open();
  EXPECT_EQ(accept_error(s), EINVAL);
  EXPECT_EQ(peer_error(s), ENOTCONN);
  EXPECT_EQ(send(s, "x"), -EPIPE);
  EXPECT_EQ(receive(s), errno_text(ENOTCONN));
  EXPECT_EQ(receive(s, 1, MSG_OOB), errno_text(EINVAL));
  EXPECT_EQ(receive(s, 1, MSG_ERRQUEUE), errno_text(EAGAIN));
  EXPECT_EQ(shutdown(s, 3), EINVAL);
  EXPECT_EQ(shutdown(s, SHUT_WR), ENOTCONN);
  Held listener = listening();
  EXPECT_EQ(send(listener, "x"), -EPIPE);
  EXPECT_EQ(receive(listener), errno_text(ENOTCONN));
  EXPECT_EQ(receive(listener, 1, MSG_OOB), errno_text(ENOTCONN));
  Pair pair = connected();
  EXPECT_EQ(listen(pair.client), EINVAL);
  EXPECT_EQ(accept_error(pair.client), EINVAL);
  EXPECT_EQ(bind(pair.client, {kLoopback, 0}), EINVAL);
}

TEST_F(TcpSocketTest, 16_27_connect_says_progress_already_once_zero_then_connected) {
  Held listener = listening();
  Held client = open();
  const Endpoint remote = local(listener);
  in([&](Instant now) {
    EXPECT_EQ(client->connect(remote, now).error(), Errno::in_progress);
    EXPECT_EQ(client->connect(remote, now).error(), Errno::already);
    EXPECT_EQ(client->peer().error(), Errno::not_connected);
  });
  EXPECT_EQ(connect(client, remote), 0);
  EXPECT_EQ(connect(client, remote), EISCONN);
  Held server = accept(listener);
  EXPECT_EQ(*in([&](Instant) { return client->peer(); }), remote);
  EXPECT_EQ(*in([&](Instant) { return server->peer(); }), local(client));
  EXPECT_EQ(local(server), remote);
}

TEST_F(TcpSocketTest, 16_26_refused_is_said_once_and_then_aborted) {
  Held client = open();
  EXPECT_EQ(connect(client, {kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(get(client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(connect(client, {kLoopback, 9}), ECONNABORTED);
  EXPECT_EQ(poll(client), kOut | kWrNorm | kHup);
  EXPECT_EQ(connect(client, {kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(connect(client, {kLoopback, 9}), ECONNREFUSED);
  Held listener = listening();
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  EXPECT_EQ(connect(client, local(listener)), 0);
}

TEST_F(TcpSocketTest, connect_to_a_group_is_an_error) {  // RFC 9293 3.9.2.3 (MUST-46)
  Held s = open();
  EXPECT_EQ(connect(s, {IpAddress::v4(224, 0, 0, 1), 80}), ENETUNREACH);
  EXPECT_EQ(connect(s, {IpAddress::v4(255, 255, 255, 255), 80}), ENETUNREACH);
  EXPECT_EQ(connect(s, {IpAddress::v4(203, 0, 113, 1), 80}), ENETUNREACH);  // no route
}

TEST_F(TcpSocketTest, connect_to_the_unspecified_address_is_loopback) {
  Held listener = listening();
  Held client = open();
  EXPECT_EQ(connect(client, {IpAddress::any_v4(), local(listener).port}), EINPROGRESS);
  EXPECT_EQ(connect(client, {}), 0);
  EXPECT_EQ(*in([&](Instant) { return client->peer(); }), local(listener));
}

TEST_F(TcpSocketTest, disconnect_keeps_the_port_that_bind_named) {
  Held listener = listening();
  Held client = open();
  EXPECT_EQ(bind(client, {kLoopback, 4100}), 0);
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  EXPECT_EQ(disconnect(client), 0);
  EXPECT_EQ(local(client).port, 4100);
  EXPECT_EQ(get(client, SOL_SOCKET, SO_ERROR), ECONNRESET);
  Held other = open();
  EXPECT_EQ(connect(other, local(listener)), EINPROGRESS);
  const std::uint16_t port = local(other).port;
  EXPECT_EQ(disconnect(other), 0);
  EXPECT_EQ(local(other), (Endpoint{IpAddress::any_v4(), port}));  // told still, but given back
  Held third = open();
  EXPECT_EQ(bind(third, {kLoopback, port}), 0);
}

TEST_F(TcpSocketTest, an_accepted_socket_is_bound_as_its_listener) {
  Pair pair = connected();
  EXPECT_EQ(disconnect(pair.server), 0);
  EXPECT_EQ(local(pair.server).address, kLoopback);
  Held listener = open(), client = open();
  EXPECT_EQ(listen(listener), 0);
  EXPECT_EQ(connect(client, {kLoopback, local(listener).port}), EINPROGRESS);
  Held server = accept(listener);
  EXPECT_EQ(disconnect(server), 0);
  EXPECT_EQ(local(server).address, IpAddress::any_v4());
}

TEST_F(TcpSocketTest, a_peer_that_reset_has_a_name_for_accept_only) {
  Held listener = listening(), client = open();
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  const Endpoint name = local(client);
  close_with_reset(client);
  Held server = accept(listener);
  EXPECT_EQ(server->accepted_from(), name);
  EXPECT_EQ(peer_error(server), ENOTCONN);
}

TEST_F(TcpSocketTest, after_a_failed_connect_bind_is_possible_again) {
  Held s = open();
  EXPECT_EQ(connect(s, {kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(bind(s, {kLoopback, 4400}), 0);
  EXPECT_EQ(local(s), (Endpoint{kLoopback, 4400}));
  EXPECT_EQ(bind(s, {kLoopback, 0}), EINVAL);
  EXPECT_EQ(bind(s, {kLoopback, 4401}), EINVAL);
  EXPECT_EQ(connect(s, {kLoopback, 9}), ECONNREFUSED);
  EXPECT_EQ(local(s), (Endpoint{kLoopback, 4400}));
}

TEST_F(TcpSocketTest, an_automatic_port_is_free_once_the_connection_is_closed) {
  Held client = open(), other = open();
  EXPECT_EQ(bind(client, {kLoopback, 0}), 0);
  const Endpoint mine = local(client);
  EXPECT_EQ(connect(client, {kLoopback, 9}), EINPROGRESS);  // refused by now
  EXPECT_EQ(bind(other, mine), 0);
  EXPECT_EQ(bind(client, mine), EADDRINUSE);
  EXPECT_EQ(local(client), (Endpoint{IpAddress::any_v4(), mine.port}));
}

TEST_F(TcpSocketTest, an_automatic_port_of_a_closed_connection_serves_the_next) {
  Held listener = listening(), client = open();
  EXPECT_EQ(connect(client, {kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(bind(client, {kLoopback, 0}), 0);
  const Endpoint mine = local(client);
  EXPECT_EQ(connect(client, {kLoopback, 9}), ECONNREFUSED);
  EXPECT_EQ(local(client), mine);
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  EXPECT_EQ(local(client), mine);
}

TEST_F(TcpSocketTest, shutdown_of_a_failed_connect_ends_connecting) {
  Held s = open();
  EXPECT_EQ(connect(s, {kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(shutdown(s, SHUT_RD), ENOTCONN);
  EXPECT_EQ(connect(s, {kLoopback, 9}), EINVAL);
  EXPECT_EQ(disconnect(s), 0);
  EXPECT_EQ(connect(s, {kLoopback, 9}), EINPROGRESS);
}

TEST_F(TcpSocketTest, shutdown_before_connect_stays_in_force) {
  Held listener = listening();
  Held s = open();
  EXPECT_EQ(shutdown(s, SHUT_RDWR), ENOTCONN);
  EXPECT_EQ(connect(s, local(listener)), EINPROGRESS);
  EXPECT_EQ(poll(s), kIn | kRdNorm | kOut | kWrNorm | kRdHup | kHup);
  EXPECT_EQ(send(s, "x"), -EPIPE);
  EXPECT_EQ(receive(s), "");
  Held server = accept(listener);
  EXPECT_EQ(poll(server), kOut | kWrNorm);
}

TEST_F(TcpSocketTest, shutdown_before_listen_is_inherited) {
  Held listener = open();
  EXPECT_EQ(shutdown(listener, SHUT_RD), ENOTCONN);
  EXPECT_EQ(listen(listener), 0);
  Held client = open();
  EXPECT_EQ(connect(client, {kLoopback, local(listener).port}), EINPROGRESS);
  Held server = accept(listener);
  EXPECT_EQ(poll(server), kIn | kRdNorm | kOut | kWrNorm | kRdHup);
  EXPECT_EQ(send(client, "late"), 4);
  EXPECT_EQ(receive(server), "late");
  EXPECT_EQ(receive(server), "");
}

TEST_F(TcpSocketTest, accepted_sockets_of_a_listener_that_is_shut_send_a_fin_at_once) {
  Held listener = open();
  EXPECT_EQ(shutdown(listener, SHUT_WR), ENOTCONN);
  EXPECT_EQ(listen(listener), 0);
  Held client = open();
  EXPECT_EQ(connect(client, {kLoopback, local(listener).port}), EINPROGRESS);
  EXPECT_EQ(poll(client), kIn | kRdNorm | kOut | kWrNorm | kRdHup);
  Held server = accept(listener);
  EXPECT_EQ(poll(server), kOut | kWrNorm);
  EXPECT_EQ(send(server, "x"), -EPIPE);
  EXPECT_EQ(send(client, "late"), 4);
  EXPECT_EQ(receive(server), "late");
}

TEST_F(TcpSocketTest, a_shut_socket_connected_to_itself_sends_a_fin) {
  Held self = open();
  EXPECT_EQ(shutdown(self, SHUT_WR), ENOTCONN);
  EXPECT_EQ(bind(self, {kLoopback, 0}), 0);
  EXPECT_EQ(connect(self, local(self)), EINPROGRESS);
  EXPECT_EQ(poll(self), kIn | kRdNorm | kOut | kWrNorm | kHup | kRdHup);
}

TEST_F(TcpSocketTest, a_pending_error_survives_listen) {
  Pair pair = connected();
  EXPECT_EQ(disconnect(pair.client), 0);
  EXPECT_EQ(listen(pair.client), 0);
  EXPECT_EQ(poll(pair.client), PollEvents());
  EXPECT_EQ(send(pair.client, "x"), -ECONNRESET);
  EXPECT_EQ(send(pair.client, "x"), -EPIPE);
}

TEST_F(TcpSocketTest, shutdown_of_a_connection_that_ended_is_enotconn) {
  Pair pair = connected();
  close_with_reset(pair.client);
  EXPECT_EQ(shutdown(pair.server, SHUT_WR), ENOTCONN);
}

TEST_F(TcpSocketTest, close_with_unread_data_resets) {  // RFC 2525 2.17 (SHLD-3)
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "unread"), 6);
  pair.server.reset();
  EXPECT_EQ(get(pair.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

TEST_F(TcpSocketTest, close_without_unread_data_is_orderly) {
  Pair pair = connected();
  pair.server.reset();
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_EQ(get(pair.client, SOL_SOCKET, SO_ERROR), 0);
  EXPECT_EQ(send(pair.client, "x"), 1);  // 16.24: the RST after a FIN says EPIPE
  EXPECT_EQ(get(pair.client, SOL_SOCKET, SO_ERROR), EPIPE);
}

TEST_F(TcpSocketTest, closing_a_listener_resets_what_nobody_accepted) {
  Held listener = listening();
  Held client = open();
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  listener.reset();
  EXPECT_EQ(get(client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

TEST_F(TcpSocketTest, accepted_sockets_inherit_options) {
  Held listener = listening();
  EXPECT_EQ(set(listener, IPPROTO_TCP, 1 /* TCP_NODELAY */, 1), 0);
  EXPECT_EQ(set(listener, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
  EXPECT_EQ(set(listener, SOL_SOCKET, SO_PRIORITY, 3), 0);
  Held client = open();
  connect(client, local(listener));
  Held server = accept(listener);
  EXPECT_EQ(get(server, IPPROTO_TCP, 1), 1);
  EXPECT_EQ(get(server, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(get(server, SOL_SOCKET, SO_PRIORITY), 3);
  EXPECT_EQ(get(server, SOL_SOCKET, SO_ACCEPTCONN), 0);
}

TEST_F(TcpSocketTest, an_ipv6_socket_takes_ipv4_unless_it_says_no) {
  Held listener = open(SOCK_STREAM, AF_INET6);
  EXPECT_EQ(bind(listener, {IpAddress(), 4200}), 0);
  EXPECT_EQ(listen(listener), 0);
  Held client = open();
  EXPECT_EQ(connect(client, {kLoopback, 4200}), EINPROGRESS);
  EXPECT_EQ(connect(client, {kLoopback, 4200}), 0);
  Held server = accept(listener);
  EXPECT_EQ(server->socket_type().family, AF_INET6);
  Held only = open(SOCK_STREAM, AF_INET6);
  EXPECT_EQ(set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
  EXPECT_EQ(bind(only, {kLoopback, 0}), EINVAL);
  EXPECT_EQ(connect(only, {kLoopback, 4200}), ENETUNREACH);
}

TEST_F(TcpSocketTest, closed_sockets_give_their_ports_back) {
  for (int n = 0; n < 1000; ++n) {
    Held listener = open();
    ASSERT_EQ(bind(listener, {kLoopback, 4300}), 0) << n;
    ASSERT_EQ(listen(listener), 0);
  }
}

}  // namespace
}  // namespace pollux
