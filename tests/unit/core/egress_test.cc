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
  Socket& stream = connecting_to(kPeer);
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

// A stream of ours to port 80 of the peer, which answers segment by segment.
class EgressStreamTest : public EgressTest {
 protected:
  Socket& opened() {
    Socket& socket = connecting_to(kPeer);
    ours_ = at<wire::TcpHeader>(next(), kTransportAt);
    answer(0x12);  // SYN, ACK
    ++theirs_;
    next();
    return socket;
  }
  // What leaves, one frame, whichever way.
  Octets next() {
    poll();
    std::vector<Octets>& way = device_.sent.empty() ? other_.sent : device_.sent;
    EXPECT_EQ(way.size(), 1u);
    Octets frame = way.empty() ? Octets(60) : way.back();
    device_.sent.clear();
    other_.sent.clear();
    return frame;
  }
  void answer(std::uint8_t control, const Octets& text = {}) {
    wire::TcpHeader header{};
    header.source_port = 80;
    header.destination_port = std::uint16_t{ours_.source_port};
    header.seq = theirs_;
    header.ack = ours_.seq + 1u + written_;
    header.data_offset = 0x50;
    header.control = control;
    header.window = 0xffff;
    Octets segment;
    append(segment, header);
    segment.insert(segment.end(), text.begin(), text.end());
    theirs_ += static_cast<std::uint32_t>(text.size());
    Raw raw;
    raw.destination = us_;
    raw.protocol = wire::kProtocolTcp;
    wire::Sum sum(wire::pseudo_header_sum(
        {kPeer, us_, wire::kProtocolTcp, static_cast<std::uint32_t>(segment.size())}));
    sum.add(segment);
    const be16 checksum(sum.checksum());
    std::memcpy(segment.data() + 16, &checksum, 2);
    device_.arrive(raw_frame(raw, segment));
  }
  Octets write(Socket& socket) {
    char text[] = "x";
    const iovec piece{text, 1};
    {
      Inside inside(*stack_);
      EXPECT_EQ(*socket.send({{&piece, 1}, 1, 0, nullptr, {}}, inside.now()), 1u);
      ++written_;
    }
    Octets frame = next();
    answer(0x10);
    poll();
    return frame;
  }
  IpAddress source_of(const Octets& frame) { return IpAddress::v4(header_of(frame).source); }

  wire::TcpHeader ours_{};  // of our SYN
  std::uint32_t theirs_ = 5000, written_ = 0;
  IpAddress us_ = kUs;
};

// MUST-48, SHLD-21, SHLD-22, MUST-49: SYN, ACK, text and RST bear what the program said last.
TEST_F(EgressStreamTest, every_segment_bears_the_programs_dscp_and_ttl) {
  Socket& stream = tcp_socket();
  EXPECT_EQ(set(stream, IP_TOS, 0x28), 0);
  EXPECT_EQ(set(stream, IP_TTL, 33), 0);
  const auto bears = [&](const Octets& frame, int tos, int ttl) {
    EXPECT_EQ(header_of(frame).tos, tos);
    EXPECT_EQ(header_of(frame).ttl, ttl);
  };
  EXPECT_EQ(connect(stream, {kPeer, 80}).error(), Errno::in_progress);
  const Octets syn = next();
  bears(syn, 0x28, 33);
  ours_ = at<wire::TcpHeader>(syn, kTransportAt);
  answer(0x12);
  ++theirs_;
  bears(next(), 0x28, 33);
  bears(write(stream), 0x28, 33);
  EXPECT_EQ(set(stream, IP_TOS, 0x48), 0);
  EXPECT_EQ(set(stream, IP_TTL, 7), 0);
  bears(write(stream), 0x48, 7);
  answer(0x18, counted(5));
  bears(next(), 0x48, 7);  // the ACK
  stream.put();            // what was not read makes it a RST
  const Octets rst = next();
  EXPECT_NE(at<wire::TcpHeader>(rst, kTransportAt).control & 4, 0);
  bears(rst, 0x48, 7);
}

// MUST-43: by bind.
TEST_F(EgressStreamTest, a_program_names_the_local_address) {
  Socket& stream = tcp_socket();
  ASSERT_TRUE(bind(stream, {kUsOnB, 4321}).ok());
  EXPECT_EQ(connect(stream, {kPeer, 80}).error(), Errno::in_progress);
  const Octets syn = next();
  EXPECT_EQ(source_of(syn), kUsOnB);
  EXPECT_EQ(at<wire::TcpHeader>(syn, kTransportAt).source_port, 4321);
  stream.put();
}

// MUST-44: the one of the interface that the route names. MUST-45: that it stays when there is a
// better way with another address.
TEST_F(EgressStreamTest, an_address_once_chosen_stays) {
  Socket& beyond = connecting_to(IpAddress::v4(203, 0, 113, 1));
  EXPECT_EQ(source_of(next()), kUsOnB) << "by the gateway";
  Socket& stream = opened();
  EXPECT_EQ(source_of(write(stream)), kUs);

  const IpAddress better = IpAddress::v4(198, 18, 0, 3);
  ScriptedDevice third(test_pool(), 3);
  PortConfig port;
  port.addresses = {{better, 30}};
  stack_->add_interface(third, port);
  pass(Duration::seconds(3));
  introduce(third, kPeer, better);
  third.sent.clear();
  Socket& fresh = connecting_to(kPeer);
  ASSERT_EQ(third.sent.size(), 1u);
  EXPECT_EQ(source_of(third.sent[0]), better);
  third.sent.clear();
  char text[] = "x";
  const iovec piece{text, 1};
  {
    Inside inside(*stack_);
    EXPECT_EQ(*stream.send({{&piece, 1}, 1, 0, nullptr, {}}, inside.now()), 1u);
  }
  poll();
  std::vector<Octets>& way = third.sent.empty() ? device_.sent : third.sent;
  ASSERT_EQ(way.size(), 1u);
  EXPECT_EQ(source_of(way[0]), kUs);
  for (Socket* socket : {&beyond, &stream, &fresh}) socket->put();
  stack_.reset();
}

}  // namespace
}  // namespace pollux
