// udp_socket_test.cc - epoll-behaviours 18: names, readiness and errors of datagram sockets.
#include "stack/socket/udp_socket.h"

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::KeyRecorder;
using testing_support::kLoopback;

class UdpSocketTest : public testing_support::SocketWorld {
 protected:
  static constexpr PollEvents kSpace = kOut | kWrNorm | kWrBand;
  static constexpr PollEvents kReady = kIn | kRdNorm;

  Held bound() {
    Held s = open(SOCK_DGRAM);
    EXPECT_EQ(bind(s, {kLoopback, 0}), 0);
    return s;
  }
};

TEST_F(UdpSocketTest, 18_1_and_18_2_readiness) {
  Held s = open(SOCK_DGRAM);
  EXPECT_EQ(poll(s), kSpace);
  EXPECT_EQ(bind(s, {kLoopback, 0}), 0);
  EXPECT_EQ(poll(s), kSpace);
  Held sender = open(SOCK_DGRAM);
  const Endpoint to = local(s);
  KeyRecorder keys(*s);
  EXPECT_EQ(send(sender, "", 0, &to), 0);
  EXPECT_EQ(poll(s), kSpace | kReady);
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});
  EXPECT_EQ(receive(s), "");
  EXPECT_EQ(poll(s), kSpace);
}

// 1122-4.1.3.3.
TEST_F(UdpSocketTest, 18_4_port_unreachable_is_told_to_the_connected) {
  Held s = open(SOCK_DGRAM);
  const Endpoint nobody{kLoopback, 9};
  EXPECT_EQ(send(s, "x", 0, &nobody), 1);
  EXPECT_EQ(poll(s), kSpace);
  EXPECT_EQ(connect(s, nobody), 0);
  KeyRecorder keys(*s);
  EXPECT_EQ(send(s, "x"), 1);
  EXPECT_EQ(poll(s), kSpace | kErr);
  EXPECT_EQ(keys.take(), (std::vector{kWritableKey, kErr}));
  EXPECT_EQ(get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(poll(s), kSpace);
  EXPECT_EQ(send(s, "x"), 1);
  EXPECT_EQ(receive(s), errno_text(ECONNREFUSED));
  EXPECT_EQ(send(s, "x"), 1);
  EXPECT_EQ(send(s, "x"), -ECONNREFUSED);
}

TEST_F(UdpSocketTest, connect_to_port_0_names_a_host) {
  Held s = open(SOCK_DGRAM);
  EXPECT_EQ(connect(s, {kLoopback, 0}), 0);
  EXPECT_EQ(in([&](Instant) { return s->peer(); }).error(), Errno::not_connected);
  EXPECT_EQ(send(s, "x"), 1);
  EXPECT_EQ(get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  Held other = open(SOCK_DGRAM);
  const Endpoint to = local(s);
  EXPECT_EQ(send(other, "y", 0, &to), 1);
  EXPECT_EQ(receive(s), "y");
}

// 1122-4.1.3.3: IP_RECVERR.
TEST_F(UdpSocketTest, 18_5_the_error_queue) {
  Held s = open(SOCK_DGRAM);
  EXPECT_EQ(set(s, IPPROTO_IP, IP_RECVERR, 1), 0);
  const Endpoint nobody{kLoopback, 9};
  EXPECT_EQ(send(s, "x", 0, &nobody), 1);
  EXPECT_EQ(poll(s), kSpace | kErr);
  EXPECT_EQ(get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(poll(s), kSpace | kErr);
  EXPECT_EQ(set(s, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1), 0);
  EXPECT_EQ(poll(s), kSpace | kErr | kPri);  // 15.11
  EXPECT_EQ(receive(s, 10, MSG_ERRQUEUE), "");
  EXPECT_EQ(last_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
  EXPECT_EQ(last_from, nobody);
  EXPECT_EQ(poll(s), kSpace);
  EXPECT_EQ(receive(s, 10, MSG_ERRQUEUE), errno_text(EAGAIN));
}

TEST_F(UdpSocketTest, 18_7_space_is_told_when_a_datagram_has_left) {
  Held receiver = bound();
  const Endpoint to = local(receiver);
  Held s = open(SOCK_DGRAM);
  KeyRecorder keys(*s);
  EXPECT_EQ(send(s, "x", 0, &to), 1);
  EXPECT_EQ(keys.take(), std::vector{kWritableKey});
  EXPECT_EQ(send(s, std::string(70000, 'x'), 0, &to), -EMSGSIZE);
  EXPECT_TRUE(keys.take().empty());
  EXPECT_EQ(set(s, SOL_SOCKET, SO_SNDBUF, 100'000), 0);  // 17.13
  EXPECT_EQ(keys.take(), std::vector{kWritableKey});
}

TEST_F(UdpSocketTest, 18_6_and_18_9_shutdown_fails_and_takes_effect) {
  Held s = bound();
  KeyRecorder keys(*s);
  EXPECT_EQ(shutdown(s, SHUT_RD), ENOTCONN);
  EXPECT_EQ(keys.take().size(), 1u);
  EXPECT_EQ(poll(s), kSpace | kReady | kRdHup);
  EXPECT_EQ(receive(s), errno_text(EAGAIN));
  EXPECT_EQ(receive(s, 10, 0), "");  // ends a wait
  EXPECT_EQ(shutdown(s, SHUT_WR), ENOTCONN);
  EXPECT_EQ(poll(s), kSpace | kReady | kRdHup | kHup);
  const Endpoint to = local(s);
  EXPECT_EQ(send(s, "x", 0, &to), -EPIPE);
}

TEST_F(UdpSocketTest, names) {
  Held s = open(SOCK_DGRAM);
  EXPECT_EQ(bind(s, {IpAddress::v4(203, 0, 113, 1), 0}), EADDRNOTAVAIL);
  EXPECT_EQ(bind(s, {IpAddress::any_v4(), 5000}), 0);
  EXPECT_EQ(bind(s, {IpAddress::any_v4(), 5001}), EINVAL);
  Held other = open(SOCK_DGRAM);
  EXPECT_EQ(bind(other, {kLoopback, 5000}), EADDRINUSE);
  EXPECT_EQ(call([&](Instant) { return s->peer(); }), ENOTCONN);
  EXPECT_EQ(connect(s, {kLoopback, 7000}), 0);
  EXPECT_EQ(local(s), (Endpoint{kLoopback, 5000}));
  EXPECT_EQ(*in([&](Instant) { return s->peer(); }), (Endpoint{kLoopback, 7000}));
  EXPECT_EQ(disconnect(s), 0);
  EXPECT_EQ(local(s), (Endpoint{IpAddress::any_v4(), 5000}));
  EXPECT_EQ(call([&](Instant) { return s->peer(); }), ENOTCONN);
  EXPECT_EQ(connect(other, {kLoopback, 5000}), 0);
  EXPECT_NE(local(other).port, 0);
  EXPECT_EQ(disconnect(other), 0);
  EXPECT_EQ(local(other).port, 0);
}

TEST_F(UdpSocketTest, calls_of_streams_are_not_supported) {
  Held s = bound();
  EXPECT_EQ(listen(s), EOPNOTSUPP);
  EXPECT_EQ(call([&](Instant now) { return s->accept(now); }), EOPNOTSUPP);
}

TEST_F(UdpSocketTest, a_connected_socket_hears_its_peer_only) {
  Held s = bound();
  Held peer = bound();
  Held stranger = bound();
  EXPECT_EQ(connect(s, local(peer)), 0);
  const Endpoint to = local(s);
  EXPECT_EQ(send(stranger, "no", 0, &to), 2);
  EXPECT_EQ(receive(s), errno_text(EAGAIN));
  EXPECT_EQ(send(peer, "yes", 0, &to), 3);
  EXPECT_EQ(receive(s), "yes");
  EXPECT_EQ(last_from, local(peer));
}

// udp-zero: what is there stays, what comes is dropped.
TEST_F(UdpSocketTest, a_full_queue_drops_and_counts) {
  Held s = bound();
  Held sender = bound();
  EXPECT_EQ(set(s, SOL_SOCKET, SO_RCVBUF, 4096), 0);
  const Endpoint to = local(s);
  for (int n = 0; n < 100; ++n) {
    const std::string number = std::to_string(n);
    EXPECT_EQ(send(sender, number, 0, &to), static_cast<int>(number.size()));
  }
  int kept = 0;
  while (receive(s) == std::to_string(kept)) ++kept;
  EXPECT_GT(kept, 1);
  EXPECT_LT(kept, 8);  // by what they cost in memory, not by their octets
  EXPECT_EQ(stack().counters().udp_queue_full, static_cast<std::uint64_t>(100 - kept));
}

TEST_F(UdpSocketTest, close_with_a_full_queue_gives_all_back) {
  Held s = bound();
  const Endpoint to = local(s);
  for (int n = 0; n < 5; ++n) EXPECT_EQ(send(s, "mine", 0, &to), 4);
}

}  // namespace
}  // namespace pollux
