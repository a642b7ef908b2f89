// ingress_tcp_errors_test.cc - ICMP errors about segments: what a stream says of them, and when.
// netinet/in.h and ctime come before the kernel's headers, which build on them.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctime>

#include <linux/errqueue.h>

#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

const IpAddress kRouter = IpAddress::v4(198, 18, 0, 3);
constexpr PollEvents kFailed = kIn | kOut | kErr | kHup | kRdNorm | kWrNorm | kRdHup;

// A control message of recvmsg(MSG_ERRQUEUE).
struct Reported {
  int error = 0;  // 0: the queue is empty
  int origin = 0, type = 0, code = 0;
  IpAddress reporter, destination;
  std::uint16_t port = 0;
};

class TcpErrors : public RawTest {
 protected:
  void TearDown() override {
    if (socket_) socket_->put();
    RawTest::TearDown();
  }
  // A connect to port 80 of the peer; its SYN has left.
  Socket& connecting(int family = AF_INET) {
    if (socket_) socket_->put();
    device_.sent.clear();
    Inside inside(*stack_);
    socket_ = *create_socket(stack_->world(), {family, SOCK_STREAM, IPPROTO_TCP});
    EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::in_progress);
    return *socket_;
  }
  // The router's error about the last segment of ours, `offset` octets away from its sequence
  // number.
  void complain(std::uint8_t type, std::uint8_t code, std::uint32_t offset = 0) {
    if (!device_.sent.empty()) ours_ = device_.sent.back();
    Octets quote(ours_.begin() + kIpAt, ours_.begin() + kTransportAt + 8);
    const be32 seq(at<be32>(quote, 24) + offset);
    std::memcpy(quote.data() + 24, &seq, sizeof seq);
    answers(device_, icmp_frame({.source = kRouter}, icmp_octets(type, code, 0, quote)));
  }
  // The peer takes the connection.
  void establish() {
    const Octets syn = device_.sent.back();
    wire::TcpHeader header{};
    header.source_port = 80;
    header.destination_port = at<be16>(syn, kTransportAt);
    header.seq = 1000;
    header.ack = at<be32>(syn, kTransportAt + 4) + 1;
    header.data_offset = 0x50;
    header.control = 0x12;
    header.window = 0xffff;
    Octets segment;
    append(segment, header);
    device_.arrive(tcp_frame(segment));
    poll();
    const char text[] = "in flight";
    const iovec piece{const_cast<char*>(text), sizeof text};
    Inside inside(*stack_);
    EXPECT_TRUE(socket_->send({{&piece, 1}, sizeof text, 0, nullptr, {}}, inside.now()).ok());
  }
  PollEvents mask() {
    Inside inside(*stack_);
    return socket_->poll();
  }
  int so_error() {
    Inside inside(*stack_);
    return static_cast<int>(socket_->take_error());
  }
  void want_errors() {
    const int on = 1;
    Inside inside(*stack_);
    const auto octets = std::as_bytes(std::span(&on, 1));
    ASSERT_TRUE(socket_->set_option(IPPROTO_IP, IP_RECVERR, octets, inside.now()).ok());
  }
  Reported error_queue() {
    alignas(::cmsghdr) std::byte control[128];
    std::byte octets[64];
    const iovec piece{octets, sizeof octets};
    ReceiveMessage message{{&piece, 1}, sizeof octets, MSG_ERRQUEUE, true, {}, false, 0, control};
    Inside inside(*stack_);
    const Result<std::size_t> n = socket_->receive(message, inside.now());
    Reported found;
    if (!n) {
      EXPECT_EQ(n.error(), Errno::again);
      return found;
    }
    EXPECT_EQ(message.out_flags, MSG_ERRQUEUE);
    const auto& header = *reinterpret_cast<const ::cmsghdr*>(message.control.data());
    const auto* error = reinterpret_cast<const ::sock_extended_err*>(CMSG_DATA(&header));
    found = {static_cast<int>(error->ee_errno), error->ee_origin, error->ee_type, error->ee_code};
    if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_RECVERR) {
      const auto* from = reinterpret_cast<const ::sockaddr_in*>(error + 1);
      found.reporter = IpAddress::v4(ntohl(from->sin_addr.s_addr));
    } else {
      EXPECT_EQ(header.cmsg_level, IPPROTO_IPV6);
      EXPECT_EQ(header.cmsg_type, IPV6_RECVERR);
      const auto* from = reinterpret_cast<const ::sockaddr_in6*>(error + 1);
      EXPECT_TRUE(IN6_IS_ADDR_V4MAPPED(&from->sin6_addr));
      std::uint32_t bits;
      std::memcpy(&bits, &from->sin6_addr.s6_addr[12], sizeof bits);
      found.reporter = IpAddress::v4(ntohl(bits));
    }
    found.destination = message.from.address;
    found.port = message.from.port;
    return found;
  }

  Socket* socket_ = nullptr;
  Octets ours_;
};

// MUST-47, MUST-54, SHLD-25: an ICMP error ends a connect (16.29); what it was and who said it
// stands in the error queue, ERR until it is read, with IP_RECVERR or without (Linux:
// tcp_v4_err()).
TEST_F(TcpErrors, what_ended_a_connect_is_in_the_error_queue) {
  struct Case {
    std::uint8_t type, code;
    int error;
  };
  const Case cases[] = {{3, 0, ENETUNREACH},   {3, 1, EHOSTUNREACH}, {3, 2, ENOPROTOOPT},
                        {3, 3, ECONNREFUSED},  {3, 9, ENETUNREACH},  {3, 13, EHOSTUNREACH},
                        {11, 0, EHOSTUNREACH}, {12, 0, EPROTO}};
  for (const int family : {AF_INET, AF_INET6}) {
    for (const Case& c : cases) {
      connecting(family);
      complain(c.type, c.code);
      EXPECT_EQ(mask(), kFailed);
      const Reported found = error_queue();
      EXPECT_EQ(found.error, c.error) << int{c.type} << "/" << int{c.code};
      EXPECT_EQ(found.origin, SO_EE_ORIGIN_ICMP);
      EXPECT_EQ(found.type, c.type);
      EXPECT_EQ(found.code, c.code);
      EXPECT_EQ(found.reporter, kRouter);
      EXPECT_EQ(found.destination, kPeer);
      EXPECT_EQ(found.port, 80);
      EXPECT_EQ(so_error(), 0) << "read with the queue";
      EXPECT_EQ(mask(), kFailed & ~kErr);
      EXPECT_EQ(error_queue().error, 0);
      Inside inside(*stack_);
      EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::connection_aborted);
    }
  }
}

// 16.30: the pending error and the queue are two things.
TEST_F(TcpErrors, err_stays_until_the_queue_is_read) {
  connecting();
  complain(3, 1);
  EXPECT_EQ(so_error(), EHOSTUNREACH);
  EXPECT_EQ(so_error(), 0);
  EXPECT_EQ(mask(), kFailed);
  {
    Inside inside(*stack_);
    EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::connection_aborted);
  }
  EXPECT_TRUE(mask().has(kErr)) << "of the next connect too";
  {
    Inside inside(*stack_);
    EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::in_progress);
  }
  complain(3, 0);
  EXPECT_EQ(error_queue().error, EHOSTUNREACH);
  EXPECT_EQ(so_error(), ENETUNREACH) << "what is next becomes the pending error";
  EXPECT_EQ(error_queue().error, ENETUNREACH);
  EXPECT_EQ(mask(), kFailed & ~kErr);
}

// MUST-54, 5927-4.1: an error about what we have not sent reaches nobody.
TEST_F(TcpErrors, a_forged_quote_ends_no_connect) {
  connecting();
  complain(3, 3, 1);
  complain(3, 3, 0xffffffff);
  EXPECT_EQ(error_queue().error, 0);
  EXPECT_EQ(mask(), PollEvents());
  complain(3, 3);
  EXPECT_EQ(so_error(), ECONNREFUSED);
}

// MUST-56, MUST-47, SHLD-25: nothing ends a connection that is open; with IP_RECVERR the program is
// told at once, without it when it asks. The queue stays empty, as Linux's does.
TEST_F(TcpErrors, an_open_connection_goes_on_and_says_so_when_asked) {
  for (const bool is_wanted : {false, true}) {
    for (const auto& [type, error] :
         {std::pair{3, EHOSTUNREACH}, {11, EHOSTUNREACH}, {12, EPROTO}}) {
      connecting();
      establish();
      if (is_wanted) want_errors();
      complain(static_cast<std::uint8_t>(type), type == 3 ? 1 : 0);
      EXPECT_EQ(mask().has(kErr), is_wanted);
      EXPECT_EQ(error_queue().error, 0);
      EXPECT_EQ(so_error(), error);
      EXPECT_EQ(so_error(), 0);
      EXPECT_EQ(mask(), kOut | kWrNorm) << "alive";
    }
  }
}

// SHLD-9, MUST-20: between R1 and R2 the program hears that nobody answers: three retransmissions
// put the neighbour in doubt, who does not answer ARP either. The connection goes on.
TEST_F(TcpErrors, between_r1_and_r2_the_program_hears_that_nobody_answers) {
  connecting();
  establish();
  want_errors();
  for (int tenth = 0; tenth < 150 && !mask().has(kErr); ++tenth) pass(Duration::ms(100));
  EXPECT_EQ(mask(), kErr | kOut | kWrNorm);
  EXPECT_EQ(so_error(), EHOSTUNREACH);
  ::tcp_info info{};
  {
    Inside inside(*stack_);
    const auto room = std::as_writable_bytes(std::span(&info, 1));
    ASSERT_TRUE(socket_->get_option(IPPROTO_TCP, TCP_INFO, room, inside.now()).ok());
  }
  EXPECT_GE(info.tcpi_retransmits, 3);
  EXPECT_LT(info.tcpi_retransmits, 15);
  EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
}

// The list of a world is bounded; who closes is forgotten.
TEST_F(TcpErrors, notes_that_nobody_reads_are_bounded) {
  std::vector<Socket*> others;
  for (int i = 0; i < 30; ++i) {
    connecting();
    for (int attempt = 0; attempt < 10; ++attempt) {
      complain(3, 1);
      EXPECT_EQ(so_error(), EHOSTUNREACH);
      device_.sent.clear();
      Inside inside(*stack_);
      EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::connection_aborted);
      EXPECT_EQ(socket_->connect({kPeer, 80}, inside.now()).error(), Errno::in_progress);
    }
    others.push_back(std::exchange(socket_, nullptr));
  }
  EXPECT_EQ(stack_->world().stream_errors.size(), 256u);
  for (Socket* other : others) other->put();
  EXPECT_EQ(stack_->world().stream_errors.size(), 0u);
}

}  // namespace
}  // namespace pollux
