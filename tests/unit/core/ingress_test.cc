// ingress_test.cc - what an ICMP "too big" changes, and what a forged one does not.
// netinet/in.h and ctime come before the kernel's headers, which build on them.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctime>

#include <linux/errqueue.h>

#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using testing_support::at;
using testing_support::ip_frame;
using testing_support::kIpAt;
using testing_support::kPeer;
using testing_support::kTransportAt;
using testing_support::kUs;
using testing_support::Octets;
using testing_support::octets;
using testing_support::tcp_frame;

constexpr std::uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000;

class Ingress : public testing_support::StackTest {
 protected:
  void SetUp() override {
    StackTest::SetUp();
    introduce_peer();
  }
  Socket& connected(int type, std::uint16_t port, int mtu_discover = IP_PMTUDISC_WANT) {
    Inside inside(*stack_);
    const auto made = create_socket(stack_->world(), {AF_INET, type, 0});
    CHECK(made.ok());
    Socket& socket = **made;
    EXPECT_TRUE(set_inside(socket, IP_MTU_DISCOVER, mtu_discover, inside.now()));
    static_cast<void>(socket.connect({kPeer, port}, inside.now()));
    return socket;
  }
  static bool set_inside(Socket& socket, int name, int value, Instant now) {
    return socket.set_option(IPPROTO_IP, name, std::as_bytes(std::span(&value, 1)), now).ok();
  }
  bool set(Socket& socket, int name, int value) {
    Inside inside(*stack_);
    return set_inside(socket, name, value, inside.now());
  }
  int mtu_of(Socket& socket) {
    Inside inside(*stack_);
    int mtu = 0;
    const auto room = std::as_writable_bytes(std::span(&mtu, 1));
    const auto n = socket.get_option(IPPROTO_IP, IP_MTU, room, inside.now());
    return n.ok() ? mtu : -static_cast<int>(n.error());
  }
  // 0, or the errno.
  int send(Socket& socket, std::size_t length) {
    std::string text(length, 'x');
    const iovec vector{text.data(), length};
    Inside inside(*stack_);
    const auto n = socket.send({{&vector, 1}, length, 0, nullptr, {}}, inside.now());
    return n.ok() ? 0 : static_cast<int>(n.error());
  }
  // A router says that the packet of `frame`, sent by us, was larger than `mtu`.
  void too_big(const Octets& frame, std::uint16_t mtu) {
    Octets message = octets({3, 4, 0, 0, 0, 0, mtu >> 8, mtu & 0xff});
    message.insert(message.end(), frame.begin() + kIpAt, frame.begin() + kTransportAt + 8);
    wire::Sum sum;
    sum.add(message);
    const be16 checksum(sum.checksum());
    std::memcpy(message.data() + 2, &checksum, 2);
    device_.arrive(ip_frame(wire::kProtocolIcmp, message));
    poll();
  }
  Octets take_frame() {
    EXPECT_EQ(device_.sent.size(), 1u);
    if (device_.sent.empty()) return Octets(64);
    Octets frame = std::move(device_.sent.front());
    device_.sent.clear();
    return frame;
  }
  // Length and fragment field of each IP packet that has left since.
  struct Left {
    int length;
    std::uint16_t flags;
    friend bool operator==(const Left&, const Left&) = default;
  };
  std::vector<Left> take_packets() {
    std::vector<Left> all;
    for (const Octets& frame : std::exchange(device_.sent, {})) {
      const auto field = static_cast<std::uint16_t>(at<be16>(frame, kIpAt + 6));
      all.push_back({at<be16>(frame, kIpAt + 2), static_cast<std::uint16_t>(field & 0x6000)});
    }
    return all;
  }
  // The peer's SYN,ACK to the SYN that `frame` is.
  Octets syn_ack(const Octets& frame) {
    return answer(frame, at<be32>(frame, kTransportAt + 4) + 1u,
                  octets({0x60, 0x12, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 0x05, 0xb4}));
  }
  // Its ACK of what we have sent up to `ack`.
  Octets ack_of(const Octets& frame, std::uint32_t ack) {
    return answer(frame, ack, octets({0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0}));
  }
  // From port 80, where `frame` went; the sequence number is 1, and 2 behind the SYN.
  Octets answer(const Octets& frame, std::uint32_t ack, const Octets& rest) {
    const int seq = rest.size() > 8 ? 1 : 2;
    Octets segment = octets({0, 80, 0, 0, 0, 0, 0, seq, 0, 0, 0, 0});
    const auto port = at<be16>(frame, kTransportAt);
    const be32 number(ack);
    std::memcpy(segment.data() + 2, &port, 2);
    std::memcpy(segment.data() + 8, &number, 4);
    segment.insert(segment.end(), rest.begin(), rest.end());
    return tcp_frame(segment);
  }
};

// 5927-7.2, V14, 8899: the quote must be of a datagram that a socket here may have sent.
TEST_F(Ingress, a_forged_too_big_lowers_no_estimate) {
  Socket& socket = connected(SOCK_DGRAM, 7);
  EXPECT_EQ(send(socket, 1000), 0);
  const Octets sent = take_frame();
  Octets forged = sent;
  forged[kTransportAt + 1] ^= std::byte{1};  // another port of ours
  too_big(forged, 600);
  EXPECT_EQ(mtu_of(socket), 1500);
  forged = sent;
  forged[kTransportAt + 3] ^= std::byte{1};  // another port of the peer's
  too_big(forged, 600);
  EXPECT_EQ(mtu_of(socket), 1500);
  too_big(sent, 1028);  // it was no longer than that
  EXPECT_EQ(mtu_of(socket), 1500);
  too_big(sent, 600);
  EXPECT_EQ(mtu_of(socket), 600);
  clock_.advance(Duration::seconds(600));  // 1191-6.3
  EXPECT_EQ(mtu_of(socket), 1500);
  socket.put();
}

// 8899, ip(7): what of a datagram of `fits` and one of `exceeds` octets leaves, once the path is
// known to take 1,400.
TEST_F(Ingress, datagrams_leave_as_ip_mtu_discover_has_it) {
  Socket& first = connected(SOCK_DGRAM, 7);
  EXPECT_EQ(send(first, 1472), 0);
  too_big(take_frame(), 1400);
  first.put();
  using Packets = std::vector<Left>;
  const Packets none, whole{{1428, 0}}, df{{1428, kDontFragment}},
      cut_by_device{{1500, 0x2000}, {49, 0}};
  const Packets cut_by_path{{1396, kMoreFragments}, {52, 0}}, two{{1396, kMoreFragments}, {153, 0}};
  struct Case {
    int value;
    Packets of_1400;  // octets of text
    int error_of_1501;
    Packets of_1501;
    int mtu;
  };
  const Case cases[] = {{IP_PMTUDISC_DONT, cut_by_path, 0, two, 1400},
                        {IP_PMTUDISC_WANT, cut_by_path, 0, two, 1400},
                        {IP_PMTUDISC_DO, none, EMSGSIZE, none, 1400},
                        {IP_PMTUDISC_PROBE, df, EMSGSIZE, none, 1400},
                        {IP_PMTUDISC_INTERFACE, whole, EMSGSIZE, none, 1400},
                        {IP_PMTUDISC_OMIT, whole, 0, cut_by_device, 1400}};
  for (const Case& c : cases) {
    Socket& socket = connected(SOCK_DGRAM, 7, c.value);
    EXPECT_EQ(send(socket, 1372), 0);
    const bool has_df = c.value >= IP_PMTUDISC_WANT && c.value <= IP_PMTUDISC_PROBE;
    EXPECT_EQ(take_packets(), (Packets{{1400, has_df ? kDontFragment : std::uint16_t{0}}}));
    EXPECT_EQ(send(socket, 1400), c.of_1400.empty() ? EMSGSIZE : 0) << c.value;
    EXPECT_EQ(take_packets(), c.of_1400) << c.value;
    EXPECT_EQ(send(socket, 1501), c.error_of_1501) << c.value;
    EXPECT_EQ(take_packets(), c.of_1501) << c.value;
    EXPECT_EQ(mtu_of(socket), c.mtu);
    socket.put();
  }
}

TEST_F(Ingress, interface_and_omit_do_not_believe_routers) {
  for (const int value : {IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT}) {
    Socket& socket = connected(SOCK_DGRAM, 7, value);
    EXPECT_EQ(send(socket, 1000), 0);
    too_big(take_frame(), 600);
    EXPECT_EQ(mtu_of(socket), 1500);
    socket.put();
  }
}

// Linux: ip_local_error(): origin LOCAL, nobody to name, the MTU.
TEST_F(Ingress, a_datagram_found_too_large_here_is_an_error_with_the_mtu) {
  Socket& socket = connected(SOCK_DGRAM, 7, IP_PMTUDISC_DO);
  ASSERT_TRUE(set(socket, IP_RECVERR, 1));
  EXPECT_EQ(send(socket, 1473), EMSGSIZE);
  alignas(::cmsghdr) std::byte control[256];
  ReceiveMessage message{{}, 0, MSG_ERRQUEUE, true, {}, false, 0, control};
  {
    Inside inside(*stack_);
    EXPECT_TRUE(socket.poll().has(kErr));
    EXPECT_EQ(socket.pending_error(), Errno{});
    ASSERT_TRUE(socket.receive(message, inside.now()).ok());
    EXPECT_FALSE(socket.poll().has(kErr));
  }
  EXPECT_EQ(message.from, (Endpoint{kPeer, 7}));
  struct {
    ::sock_extended_err error;
    ::sockaddr_in reporter;
  } got;
  ASSERT_GE(message.control.size(), CMSG_LEN(sizeof got));
  std::memcpy(&got, message.control.data() + CMSG_LEN(0), sizeof got);
  EXPECT_EQ(got.error.ee_errno, static_cast<unsigned>(EMSGSIZE));
  EXPECT_EQ(got.error.ee_origin, SO_EE_ORIGIN_LOCAL);
  EXPECT_EQ(got.error.ee_info, 1500u);
  EXPECT_EQ(got.reporter.sin_family, AF_UNSPEC);
  socket.put();
}

// 5927-4.1, 8201-5.2: what one connection has learnt the next ones to the same host know.
TEST_F(Ingress, a_connection_tells_others_what_its_path_takes) {
  Socket& first = connected(SOCK_STREAM, 80);
  const Octets syn = take_frame();
  EXPECT_EQ(at<be16>(syn, kIpAt + 6), kDontFragment);  // 7323-5.7
  device_.arrive(syn_ack(syn));
  poll();
  device_.sent.clear();
  EXPECT_EQ(send(first, 1460), 0);
  const Octets sent = take_frame();
  Octets forged = sent;
  forged[kTransportAt + 4] ^= std::byte{0x40};  // a sequence number that is not in flight
  too_big(forged, 1400);
  EXPECT_EQ(mtu_of(first), 1500);
  EXPECT_TRUE(device_.sent.empty());
  too_big(sent, 0);  // 1191-3b: an old router
  EXPECT_EQ(mtu_of(first), 1492);
  EXPECT_EQ(take_packets(), (std::vector<Left>{{1492, kDontFragment}, {48, kDontFragment}}));
  Socket& second = connected(SOCK_STREAM, 80);
  Octets synchronize = take_frame();
  EXPECT_EQ(at<be16>(synchronize, kTransportAt + 22), 1452);  // the MSS option
  first.put();
  second.put();
}

// 1191-6.3, 8201-5.2, 4821-7: after ten minutes a connection that lives tries the whole again, with
// one segment.
TEST_F(Ingress, an_estimate_ages_for_living_connections_too) {
  Socket& socket = connected(SOCK_STREAM, 80);
  const Octets syn = take_frame();
  device_.arrive(syn_ack(syn));
  poll();
  device_.sent.clear();
  EXPECT_EQ(send(socket, 1460), 0);
  const Octets sent = take_frame();
  const std::uint32_t begin = at<be32>(sent, kTransportAt + 4);
  too_big(sent, 1400);
  EXPECT_EQ(take_packets(), (std::vector<Left>{{1400, kDontFragment}, {140, kDontFragment}}));
  device_.arrive(ack_of(sent, begin + 1460));
  poll();
  clock_.advance(Duration::seconds(599));
  EXPECT_EQ(send(socket, 1460), 0);
  EXPECT_EQ(take_packets(), (std::vector<Left>{{1400, kDontFragment}, {140, kDontFragment}}));
  device_.arrive(ack_of(sent, begin + 2 * 1460));
  poll();
  clock_.advance(Duration::seconds(1));
  introduce_peer();  // its address has aged as well
  EXPECT_EQ(send(socket, 10'000), 0);
  const std::vector<Left> packets = take_packets();
  ASSERT_GE(packets.size(), 5u);
  EXPECT_EQ(packets[0], (Left{1500, kDontFragment}));
  EXPECT_EQ(packets[1], (Left{1400, kDontFragment}));
  device_.arrive(ack_of(sent, begin + 3 * 1460));
  poll();
  EXPECT_EQ(stack_->counters().tcp_mtu_probes, 1u);
  device_.sent.clear();
  device_.arrive(ack_of(sent, begin + 2 * 1460 + 10'000));
  poll();
  EXPECT_EQ(send(socket, 1460), 0);
  EXPECT_EQ(take_packets(), (std::vector<Left>{{1500, kDontFragment}}));
  socket.put();
}

TEST_F(Ingress, a_stream_without_path_mtu_discovery_sets_no_df_and_believes_nobody) {
  for (const int value : {IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT}) {
    Socket& socket = connected(SOCK_STREAM, 80, value);
    const Octets syn = take_frame();
    EXPECT_EQ(at<be16>(syn, kIpAt + 6), 0);
    EXPECT_NE(at<be16>(syn, kIpAt + 4), 0) << "an ID, for it may be cut";
    device_.arrive(syn_ack(syn));
    poll();
    device_.sent.clear();
    EXPECT_EQ(send(socket, 1460), 0);
    too_big(take_frame(), 600);
    EXPECT_EQ(mtu_of(socket), 1500);
    EXPECT_TRUE(device_.sent.empty());
    socket.put();
    device_.sent.clear();
  }
}

}  // namespace
}  // namespace pollux
