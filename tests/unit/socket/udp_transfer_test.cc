// udp_transfer_test.cc - datagrams whole, cut, too long, with control messages; echo sockets.
#include <linux/icmp.h>
#include <netinet/udp.h>

#include <cstring>

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::kLoopback;

class UdpTransfer : public testing_support::SocketWorld {
 protected:
  void SetUp() override {
    SocketWorld::SetUp();
    a_ = open(SOCK_DGRAM);
    b_ = open(SOCK_DGRAM);
    EXPECT_EQ(bind(a_, {kLoopback, 0}), 0);
    EXPECT_EQ(bind(b_, {kLoopback, 0}), 0);
    to_b_ = local(b_);
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    SocketWorld::TearDown();
  }
  Held a_, b_;
  Endpoint to_b_;
};

TEST_F(UdpTransfer, datagrams_keep_their_edges) {
  EXPECT_EQ(send(a_, "one", 0, &to_b_), 3);
  EXPECT_EQ(send(a_, "three", 0, &to_b_), 5);
  EXPECT_EQ(receive(b_), "one");
  EXPECT_EQ(last_from, local(a_));
  EXPECT_EQ(receive(b_), "three");
  EXPECT_EQ(receive(b_), errno_text(EAGAIN));
}

// udp-zero.
TEST_F(UdpTransfer, a_short_buffer_cuts_and_says_so) {
  EXPECT_EQ(send(a_, "abcdef", 0, &to_b_), 6);
  EXPECT_EQ(receive(b_, 4, MSG_PEEK), "abcd");
  EXPECT_EQ(last_flags, MSG_TRUNC);
  EXPECT_EQ(receive(b_, 4, MSG_TRUNC), "abcd");
  EXPECT_EQ(last_length, 6u);
  EXPECT_EQ(receive(b_), errno_text(EAGAIN));
}

TEST_F(UdpTransfer, destinations) {
  EXPECT_EQ(send(a_, "x"), -EDESTADDRREQ);
  const Endpoint no_port{kLoopback, 0};
  EXPECT_EQ(send(a_, "x", 0, &no_port), -EINVAL);
  const Endpoint nowhere{IpAddress::v4(203, 0, 113, 1), 80};
  EXPECT_EQ(send(a_, "x", 0, &nowhere), -ENETUNREACH);
  EXPECT_EQ(send(a_, "x", MSG_OOB, &to_b_), -EOPNOTSUPP);
  EXPECT_EQ(connect(a_, to_b_), 0);
  EXPECT_EQ(send(a_, "x"), 1);
  EXPECT_EQ(receive(b_), "x");
}

TEST_F(UdpTransfer, lengths) {
  const std::string longest(65507, 'l');
  EXPECT_EQ(send(a_, longest, 0, &to_b_), 65507);
  EXPECT_EQ(receive(b_, 70000), longest);
  EXPECT_EQ(send(a_, std::string(65508, 'l'), 0, &to_b_), -EMSGSIZE);
  EXPECT_EQ(send(a_, std::string(65536, 'l'), 0, &to_b_), -EMSGSIZE);
}

TEST_F(UdpTransfer, msg_more_is_one_datagram_with_the_next) {
  EXPECT_EQ(send(a_, "on", MSG_MORE, &to_b_), 2);
  EXPECT_EQ(send(a_, "", MSG_MORE), 0);
  EXPECT_EQ(receive(b_), errno_text(EAGAIN));
  EXPECT_EQ(send(a_, "e"), 1);  // it goes where the first part said
  EXPECT_EQ(receive(b_), "one");
  EXPECT_EQ(send(a_, "x"), -EDESTADDRREQ);
}

TEST_F(UdpTransfer, udp_cork_holds_until_it_is_taken_off) {
  EXPECT_EQ(get(a_, IPPROTO_UDP, UDP_CORK), 0);
  EXPECT_EQ(set(a_, IPPROTO_UDP, UDP_CORK, 5), 0);
  EXPECT_EQ(get(a_, IPPROTO_UDP, UDP_CORK), 1);
  const std::string part(3000, 'p');
  for (int i = 0; i < 3; ++i) EXPECT_EQ(send(a_, part, 0, &to_b_), 3000);
  EXPECT_EQ(receive(b_), errno_text(EAGAIN));
  EXPECT_EQ(set(a_, IPPROTO_UDP, UDP_CORK, 0), 0);
  EXPECT_EQ(receive(b_, 70000), part + part + part);
  EXPECT_EQ(set(a_, IPPROTO_UDP, UDP_CORK, 0), 0);
  EXPECT_EQ(receive(b_), errno_text(EAGAIN));
}

TEST_F(UdpTransfer, what_is_held_is_dropped_when_it_grows_too_long_or_its_socket_ends) {
  EXPECT_EQ(send(a_, std::string(40000, 'a'), MSG_MORE, &to_b_), 40000);
  EXPECT_EQ(send(a_, std::string(40000, 'b')), -EMSGSIZE);
  EXPECT_EQ(send(a_, "alone", 0, &to_b_), 5);
  EXPECT_EQ(receive(b_, 70000), "alone");
  EXPECT_EQ(send(a_, "never sent", MSG_MORE, &to_b_), 10);
}

TEST_F(UdpTransfer, null_pointers) {
  const iovec nowhere{nullptr, 4};
  const SendMessage out{{&nowhere, 1}, 4, 0, &to_b_, {}};
  EXPECT_EQ(call([&](Instant now) { return a_->send(out, now); }), EFAULT);
  EXPECT_EQ(send(a_, "data", 0, &to_b_), 4);
  ReceiveMessage message{{&nowhere, 1}, 4, MSG_DONTWAIT, false, {}, false, 0, {}};
  EXPECT_EQ(call([&](Instant now) { return b_->receive(message, now); }), EFAULT);
}

// MAY-9, 1122-4.1.3.5.
TEST_F(UdpTransfer, control_messages) {
  EXPECT_EQ(set(b_, IPPROTO_IP, IP_PKTINFO, 1), 0);
  EXPECT_EQ(set(b_, IPPROTO_IP, IP_RECVTTL, 1), 0);
  EXPECT_EQ(set(b_, IPPROTO_IP, IP_RECVTOS, 1), 0);
  EXPECT_EQ(set(a_, IPPROTO_IP, IP_TTL, 33), 0);
  EXPECT_EQ(set(a_, IPPROTO_IP, IP_TOS, 0x2a), 0);  // with ECN: ECT(0)
  EXPECT_EQ(send(a_, "x", 0, &to_b_), 1);
  alignas(::cmsghdr) std::byte control[256];
  char octet;
  const iovec piece{&octet, 1};
  ReceiveMessage message{{&piece, 1}, 1, 0, true, {}, false, 0, control};
  EXPECT_EQ(*in([&](Instant now) { return b_->receive(message, now); }), 1u);
  ::msghdr header{};
  header.msg_control = message.control.data();
  header.msg_controllen = message.control.size();
  int seen = 0;
  for (::cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c), ++seen) {
    if (c->cmsg_type == IP_TTL) {
      EXPECT_EQ(*reinterpret_cast<int*>(CMSG_DATA(c)), 33);
    } else if (c->cmsg_type == IP_TOS) {
      EXPECT_EQ(*CMSG_DATA(c), 0x2a);
    } else {
      ASSERT_EQ(c->cmsg_type, IP_PKTINFO);
      const auto* info = reinterpret_cast<::in_pktinfo*>(CMSG_DATA(c));
      EXPECT_EQ(ntohl(info->ipi_addr.s_addr), 0x7f000001u);
      EXPECT_EQ(info->ipi_ifindex, 1);
    }
  }
  EXPECT_EQ(seen, 3);
}

TEST_F(UdpTransfer, broadcast_needs_permission) {
  const Endpoint all{IpAddress::v4(127, 255, 255, 255), 5555};
  EXPECT_EQ(send(a_, "x", 0, &all), -EACCES);
  EXPECT_EQ(set(a_, SOL_SOCKET, SO_BROADCAST, 1), 0);
  EXPECT_EQ(send(a_, "x", 0, &all), 1);
}

TEST_F(UdpTransfer, an_echo_socket_gets_its_answer) {
  Held ping = open(SOCK_DGRAM, AF_INET, IPPROTO_ICMP);
  std::string request(sizeof(::icmphdr) + 3, '\0');
  ::icmphdr header{};
  header.type = ICMP_ECHO;
  header.un.echo.sequence = htons(7);
  std::memcpy(request.data(), &header, sizeof header);
  request.replace(sizeof header, 3, "abc");
  const Endpoint self{kLoopback, 0};
  EXPECT_EQ(send(ping, request.substr(0, 7), 0, &self), -EINVAL);
  EXPECT_EQ(send(ping, request, 0, &self), static_cast<int>(request.size()));
  const std::string reply = receive(ping);
  ASSERT_EQ(reply.size(), request.size());
  std::memcpy(&header, reply.data(), sizeof header);
  EXPECT_EQ(header.type, ICMP_ECHOREPLY);
  EXPECT_EQ(ntohs(header.un.echo.id), local(ping).port);
  EXPECT_EQ(ntohs(header.un.echo.sequence), 7);
  EXPECT_EQ(reply.substr(sizeof header), "abc");
  request[0] = ICMP_TIMESTAMP;
  EXPECT_EQ(send(ping, request, 0, &self), -EINVAL);
}

}  // namespace
}  // namespace pollux
