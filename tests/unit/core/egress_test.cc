// egress_test.cc - what leaves a whole Stack: sources, TTLs, identifications, checksums.
#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

class EgressTest : public RawTest {
 protected:
  int set(Socket& socket, int name, int value) {
    Inside inside(*stack_);
    const auto octets = std::as_bytes(std::span(&value, 1));
    const Result<void> done = socket.set_option(IPPROTO_IP, name, octets, inside.now());
    return done.ok() ? 0 : static_cast<int>(done.error());
  }
  Result<void> bind(Socket& socket, const Endpoint& local) {
    Inside inside(*stack_);
    return socket.bind(local, inside.now());
  }
  Result<void> connect(Socket& socket, const Endpoint& remote) {
    Inside inside(*stack_);
    return socket.connect(remote, inside.now());
  }
  Socket& tcp_socket() {
    Inside inside(*stack_);
    const auto socket = create_socket(stack_->world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    CHECK(socket.ok());
    return **socket;
  }
  // With an IP_PKTINFO that names the source.
  Result<std::size_t> send_from(Socket& socket, const IpAddress& source, const IpAddress& to) {
    char text[] = "x";
    const iovec piece{text, 1};
    const Endpoint remote{to, 9};
    const ::cmsghdr header{CMSG_LEN(sizeof(::in_pktinfo)), IPPROTO_IP, IP_PKTINFO};
    ::in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(source.v4_bits());
    Octets control;
    append(control, header);
    append(control, info);
    Inside inside(*stack_);
    return socket.send({{&piece, 1}, 1, 0, &remote, control}, inside.now());
  }
  const wire::Ipv4Header& header_of(const Octets& frame) {
    return at<wire::Ipv4Header>(frame, kIpAt);
  }
};

// 1122-3.2.1.3: 127.0.0.0/8 never leaves this host as a source, however it was named. Linux too:
// EINVAL.
TEST_F(EgressTest, a_loopback_source_never_leaves) {
  const IpAddress lo = IpAddress::v4(127, 0, 0, 1);
  Socket& bound = udp_socket();
  ASSERT_TRUE(bind(bound, {lo, 0}).ok());
  EXPECT_EQ(send_to(bound, kPeer).error(), Errno::invalid);
  EXPECT_EQ(connect(bound, {kPeer, 9}).error(), Errno::invalid);
  EXPECT_TRUE(send_to(bound, kUs).ok());
  Socket& named = udp_socket();
  EXPECT_EQ(send_from(named, lo, kPeer).error(), Errno::invalid);
  Socket& stream = tcp_socket();
  ASSERT_TRUE(bind(stream, {lo, 0}).ok());
  EXPECT_EQ(connect(stream, {kPeer, 80}).error(), Errno::invalid);
  EXPECT_TRUE(device_.sent.empty());
  for (Socket* socket : {&bound, &named, &stream}) socket->put();
}

// 1122-3.2.1.3: a socket that listens to a broadcast or multicast address sends from one of ours.
TEST_F(EgressTest, a_group_address_is_no_source) {
  for (const IpAddress& group : {IpAddress::v4(198, 18, 0, 255), IpAddress::v4(255, 255, 255, 255),
                                 IpAddress::v4(224, 0, 0, 1), IpAddress::any_v4()}) {
    Socket& socket = udp_socket();
    ASSERT_TRUE(bind(socket, {group, 0}).ok()) << group.to_string();
    device_.sent.clear();
    ASSERT_TRUE(send_to(socket, kPeer).ok());
    ASSERT_EQ(device_.sent.size(), 1u);
    EXPECT_EQ(IpAddress::v4(header_of(device_.sent[0]).source), kUs);
    socket.put();
  }
}

// 1122-4.1.3.5: the source of a datagram is for the program to say, with each one or by bind.
TEST_F(EgressTest, the_source_of_a_datagram_can_be_said) {
  Socket& socket = udp_socket();
  ASSERT_TRUE(send_from(socket, kUsOnB, kPeer).ok());
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(IpAddress::v4(header_of(device_.sent[0]).source), kUsOnB);
  EXPECT_EQ(send_from(socket, kPeer, kPeer).error(), Errno::invalid) << "not ours";
  socket.put();
}

// 1122-3.2.1.7: the program's TTL, 64 if it says none; never 0, and a multicast one of 0 stays
// here.
TEST_F(EgressTest, the_ttl_is_the_programs_and_never_0) {
  Socket& socket = udp_socket();
  EXPECT_EQ(set(socket, IP_TTL, 0), EINVAL);
  EXPECT_EQ(set(socket, IP_TTL, 256), EINVAL);
  for (const auto& [said, seen] : {std::pair{-1, 64}, {1, 1}, {33, 33}, {255, 255}, {-1, 64}}) {
    EXPECT_EQ(set(socket, IP_TTL, said), 0);
    device_.sent.clear();
    ASSERT_TRUE(send_to(socket, kPeer).ok());
    ASSERT_EQ(device_.sent.size(), 1u);
    EXPECT_EQ(header_of(device_.sent[0]).ttl, seen);
  }
  const IpAddress group = IpAddress::v4(224, 1, 2, 3);  // by the default route
  for (const auto& [said, frames] : {std::pair{1, 1u}, {0, 0u}}) {
    EXPECT_EQ(set(socket, IP_MULTICAST_TTL, said), 0);
    other_.sent.clear();
    EXPECT_TRUE(send_to(socket, group).ok());
    EXPECT_EQ(other_.sent.size(), frames);
  }
  socket.put();
}

// 6864-4, V10: what must not be cut has no identification at all: a reset's (CVE-2020-36516) or a
// segment's is no counter to read.
TEST_F(EgressTest, packets_that_are_not_cut_have_no_identification) {
  Socket& stream = tcp_socket();
  EXPECT_EQ(connect(stream, {kPeer, 80}).error(), Errno::in_progress);
  for (std::uint16_t port = 100; port < 110; ++port) device_.arrive(syn_frame({}, port));
  poll();
  ASSERT_EQ(device_.sent.size(), 11u);
  for (const Octets& frame : device_.sent) {
    EXPECT_EQ(header_of(frame).id, 0);
    EXPECT_EQ(header_of(frame).fragment, wire::kIpv4DontFragment);
  }
  stream.put();
}

// 6864-4, V10: what may be cut has one, unique while others live; what one destination sees of them
// says nothing about how many went to another.
TEST_F(EgressTest, identifications_of_one_destination_do_not_count_those_of_another) {
  Socket& socket = udp_socket();
  ASSERT_EQ(set(socket, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
  std::vector<std::uint16_t> seen;
  std::vector<bool> is_used(65536);
  for (int i = 0; i < 4000; ++i) {
    device_.sent.clear();
    for (int between = i % 3; between > 0; --between) {
      ASSERT_TRUE(send_to(socket, kGateway).ok());
      const std::uint16_t id = header_of(other_.sent.back()).id;
      EXPECT_FALSE(is_used[id]);
      is_used[id] = true;
    }
    ASSERT_TRUE(send_to(socket, kPeer).ok());
    seen.push_back(header_of(device_.sent.back()).id);
    EXPECT_FALSE(is_used[seen.back()]);
    is_used[seen.back()] = true;
    other_.sent.clear();
    if (i % 100 == 0) introduce(device_, kPeer, kUs), introduce(other_, kGateway, kUsOnB);
  }
  int small_steps = 0, ascents = 0;
  for (std::size_t i = 1; i < seen.size(); ++i) {
    const auto step = static_cast<std::uint16_t>(seen[i] - seen[i - 1]);
    small_steps += step <= 8;
    ascents += step < 0x8000;
  }
  EXPECT_LE(small_steps, 4);  // by chance 0.5; of a counter all
  EXPECT_NEAR(ascents, 2000, 150);
  socket.put();
}

// CSUM-2, 1122-4.1.3.4: a device that sums nothing gets every checksum right, of whatever leaves.
TEST_F(EgressTest, what_leaves_has_right_checksums) {
  Socket& socket = udp_socket();
  Socket& stream = tcp_socket();
  ASSERT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_EQ(connect(stream, {kPeer, 80}).error(), Errno::in_progress);
  device_.arrive(syn_frame({}, 100));
  device_.arrive(udp_frame({}, 4000, counted(9)));
  device_.arrive(icmp_frame({}, icmp_octets(8, 0, 1, counted(9))));
  poll();
  ASSERT_EQ(device_.sent.size(), 5u);
  for (const Octets& frame : device_.sent) {
    const auto& header = header_of(frame);
    EXPECT_TRUE(wire::is_checksum_right(ConstBytes(frame).subspan(kIpAt, 20)));
    const ConstBytes payload = ConstBytes(frame).subspan(kTransportAt);
    const bool is_icmp = header.protocol == wire::kProtocolIcmp;
    wire::Sum sum(is_icmp ? 0u
                          : wire::pseudo_header_sum(
                                {IpAddress::v4(header.source), IpAddress::v4(header.destination),
                                 header.protocol, static_cast<std::uint32_t>(payload.size())}));
    sum.add(payload);
    EXPECT_EQ(sum.folded(), 0xffff) << int{header.protocol};
  }
  socket.put();
  stream.put();
}

}  // namespace
}  // namespace pollux
