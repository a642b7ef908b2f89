// ingress_ipv4_test.cc - raw IPv4 packets into a whole Stack: what is taken, refused and answered.
#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

class IngressIpv4Test : public RawTest {};

constexpr std::uint16_t kOpenPort = 1053, kClosedPort = 1054;

// An echo request of `size` octets of data.
Octets echo(std::size_t size) { return icmp_octets(8, 0, 0x12340001, counted(size)); }

std::uint8_t icmp_type(const Octets& frame) { return at<std::uint8_t>(frame, kTransportAt); }
std::uint8_t icmp_code(const Octets& frame) { return at<std::uint8_t>(frame, kTransportAt + 1); }

// --- section 8: IPv4

// 1122-3.2.1.1: a version that is not 4 is dropped in silence.
TEST_F(IngressIpv4Test, other_versions_are_dropped_in_silence) {
  for (int version = 0; version < 16; ++version) {
    const Octets frame = icmp_frame({.version_ihl = version << 4 | 5}, echo(8));
    if (version == 4) {
      EXPECT_EQ(answers(device_, frame).size(), 1u);
    } else {
      EXPECT_TRUE(is_silent_drop(device_, frame, Drop::bad_version)) << version;
    }
  }
}

// 1122-3.2.1.2: a wrong header checksum is noticed here or, where a device looks, by the device;
// the packet is dropped in silence either way.
TEST_F(IngressIpv4Test, a_wrong_header_checksum_is_dropped_in_silence) {
  const Octets right = icmp_frame({}, echo(8));
  PacketMeta device_says = kNothingKnown;
  for (std::size_t bit = 0; bit < 16; ++bit) {
    Octets wrong = right;
    wrong[kIpAt + 10 + bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_TRUE(is_silent_drop(device_, wrong, Drop::bad_checksum)) << bit;
    device_says.ip_checksum = Checksum::bad;
    EXPECT_TRUE(is_silent_drop(device_, wrong, Drop::bad_checksum, device_says)) << bit;
  }
  device_says.ip_checksum = Checksum::good;
  EXPECT_EQ(answers(device_, right, device_says).size(), 1u);
  EXPECT_EQ(answers(device_, right).size(), 1u);
}

// CSUM-3: good is believed, bad is dropped before any state, unknown is verified; for the header
// and for what is behind it, whatever that is.
TEST_F(IngressIpv4Test, each_verdict_of_a_device_is_taken_for_what_it_is) {
  Socket& socket = udp_at(kOpenPort);
  const Octets right = udp_frame({}, kOpenPort, counted(5));
  for (const bool is_wrong : {false, true}) {
    Octets frame = right;
    if (is_wrong) frame.back() ^= std::byte{1};
    for (const Checksum verdict : {Checksum::unknown, Checksum::good, Checksum::bad}) {
      PacketMeta meta = kNothingKnown;
      meta.l4_checksum = verdict;
      const bool is_taken =
          verdict == Checksum::good || (verdict == Checksum::unknown && !is_wrong);
      const std::uint64_t before = stack_->drops(Drop::bad_checksum);
      EXPECT_TRUE(answers(device_, frame, meta).empty());
      EXPECT_EQ(read(socket).has_value(), is_taken);
      EXPECT_EQ(stack_->drops(Drop::bad_checksum) - before, is_taken ? 0u : 1u);
    }
  }
  Octets syn = syn_frame({}, kClosedPort);
  syn.back() ^= std::byte{1};
  PacketMeta meta = kNothingKnown;
  EXPECT_TRUE(is_silent_drop(device_, syn, Drop::bad_checksum, meta)) << "not even a reset";
  meta.l4_checksum = Checksum::bad;
  EXPECT_TRUE(is_silent_drop(device_, syn_frame({}, kClosedPort), Drop::bad_checksum, meta));
  meta.l4_checksum = Checksum::good;
  EXPECT_EQ(answers(device_, syn, meta).size(), 1u);
  socket.put();
}

// 791-len, V24: frames of 60 octets that carry packets of 29 to 46; the padding (0xee) is neither
// delivered nor echoed (Etherleak, CVE-2003-0001).
TEST_F(IngressIpv4Test, padding_is_neither_delivered_nor_echoed) {
  Socket& socket = udp_at(kOpenPort);
  for (std::size_t size = 1; size <= 18; ++size) {
    Octets datagram = udp_frame({}, kOpenPort, counted(size));
    datagram.resize(60, std::byte{0xee});
    EXPECT_TRUE(answers(device_, datagram).empty());
    EXPECT_EQ(read(socket), counted(size));
    Octets request = icmp_frame({}, echo(size));
    request.resize(60, std::byte{0xee});
    const std::vector<Octets> reply = answers(device_, request);
    ASSERT_EQ(reply.size(), 1u);
    EXPECT_EQ(reply[0].size(), kTransportAt + 8 + size);
    EXPECT_EQ(std::count(reply[0].begin(), reply[0].end(), std::byte{0xee}), 0);
  }
  socket.put();
}

// V24, 791-len, 768-len: what the frame holds, what the IP header says and what the UDP header
// says: a datagram is delivered where they agree, as long as UDP says, and nothing else ever is.
TEST_F(IngressIpv4Test, lengths_of_three_layers_against_each_other) {
  Socket& socket = udp_at(kOpenPort);
  constexpr int kHeld[] = {0, 1, 19, 20, 21, 27, 28, 29, 40, 46, 60, 100};
  constexpr int kIp[] = {0, 19, 20, 21, 27, 28, 29, 39, 40, 41, 46, 47, 60, 61, 100, 101, 65535};
  constexpr int kUdp[] = {0, 1, 7, 8, 9, 10, 19, 20, 21, 26, 27, 40, 41, 80, 81, 65535};
  unsigned delivered = 0;
  for (const int held : kHeld) {
    for (const int total : kIp) {
      for (const int length : kUdp) {
        Octets datagram = udp_octets({}, kOpenPort, counted(72), length);
        datagram[6] = datagram[7] = std::byte{0};  // without a checksum: lengths alone decide
        Octets frame = raw_frame({.total_length = total}, datagram);
        frame.resize(kIpAt + static_cast<std::size_t>(held));
        answers(device_, frame);
        const bool is_whole = total >= 28 && total <= held && length >= 8 && length <= total - 20;
        const std::optional<Octets> got = read(socket);
        ASSERT_EQ(got.has_value(), is_whole) << held << " " << total << " " << length;
        if (!is_whole) continue;
        ASSERT_EQ(*got, counted(static_cast<std::size_t>(length - 8)));
        ++delivered;
      }
    }
  }
  EXPECT_GT(delivered, 100u);
  socket.put();
}

// Header lengths below 5 words, and one that runs out of the packet.
// 791-len
TEST_F(IngressIpv4Test, header_lengths_that_lie_are_dropped_in_silence) {
  for (int ihl = 0; ihl < 5; ++ihl) {
    const Octets frame = icmp_frame({.version_ihl = 0x40 | ihl}, echo(40));
    EXPECT_TRUE(is_silent_drop(device_, frame, Drop::bad_header_length)) << ihl;
  }
  EXPECT_TRUE(
      is_silent_drop(device_, icmp_frame({.version_ihl = 0x4f}, echo(8)), Drop::bad_length));
}

// 1122-3.2.1.3, 1812-5.2.3, 1122-4.1.3.6, V20: nothing that claims an impossible source is taken,
// with any protocol, LAND (source and destination both ours) included; nobody is told.
TEST_F(IngressIpv4Test, impossible_sources_are_dropped_in_silence) {
  Socket& socket = udp_at(kOpenPort);
  for (const IpAddress& source :
       {IpAddress::v4(0, 0, 0, 0), IpAddress::v4(0, 1, 2, 3), IpAddress::v4(127, 0, 0, 1),
        IpAddress::v4(127, 255, 255, 255), IpAddress::v4(224, 0, 0, 1),
        IpAddress::v4(239, 255, 0, 1), IpAddress::v4(255, 255, 255, 255),
        IpAddress::v4(198, 18, 0, 255), IpAddress::v4(198, 19, 0, 255), kUs, kUsOnB}) {
    const Raw from{.source = source};
    for (const Octets& frame :
         {udp_frame(from, kOpenPort, counted(3)), udp_frame(from, kClosedPort, counted(3)),
          syn_frame(from, kClosedPort), icmp_frame(from, echo(3)), raw_frame(from, counted(9))}) {
      EXPECT_TRUE(is_silent_drop(device_, frame, Drop::martian_source)) << source.to_string();
    }
  }
  EXPECT_FALSE(read(socket));
  socket.put();
}

// 1122-3.2.1.3, V20: what is not addressed to us; 127.0.0.0/8 from a wire above all.
TEST_F(IngressIpv4Test, what_is_for_others_is_dropped_in_silence) {
  for (const IpAddress& to :
       {kPeer, IpAddress::v4(127, 0, 0, 1), IpAddress::v4(127, 1, 2, 3), IpAddress::v4(0, 0, 0, 0),
        IpAddress::v4(198, 18, 0, 0), IpAddress::v4(198, 19, 0, 255), IpAddress::v4(224, 1, 2, 3),
        IpAddress::v4(240, 0, 0, 1)}) {
    const Raw raw{.destination = to};
    for (const Octets& frame : {udp_frame(raw, kClosedPort, counted(3)),
                                syn_frame(raw, kClosedPort), icmp_frame(raw, echo(3))}) {
      EXPECT_TRUE(is_silent_drop(device_, frame, Drop::not_for_us)) << to.to_string();
    }
  }
}

// 1122-3.3.4: the strong model: an address of one interface is not reached by another.
TEST_F(IngressIpv4Test, an_address_belongs_to_its_interface) {
  const Raw to_other{.destination = kUsOnB};
  EXPECT_TRUE(is_silent_drop(device_, icmp_frame(to_other, echo(3)), Drop::not_for_us));
  EXPECT_TRUE(is_silent_drop(other_, icmp_frame({.source = kGateway}, echo(3)), Drop::not_for_us));
  EXPECT_EQ(answers(device_, icmp_frame({}, echo(3))).size(), 1u);
  const Raw right{.source = kGateway, .destination = kUsOnB};
  EXPECT_EQ(answers(other_, icmp_frame(right, echo(3))).size(), 1u);
}

// 1122-3.3.6: a frame to everybody or to a group with a packet to one host.
TEST_F(IngressIpv4Test, a_packet_to_one_host_in_a_frame_to_many_is_dropped_in_silence) {
  Socket& socket = udp_at(kOpenPort);
  for (const std::uint8_t* mac : {kAllMac, kGroupMac}) {
    const Raw raw{.to_mac = mac};
    for (const Octets& frame :
         {udp_frame(raw, kOpenPort, counted(3)), icmp_frame(raw, echo(3)),
          udp_frame(raw, kClosedPort, counted(3)), syn_frame(raw, kClosedPort)}) {
      EXPECT_TRUE(is_silent_drop(device_, frame, Drop::not_for_us));
    }
  }
  EXPECT_FALSE(read(socket));
  socket.put();
}

// fault-broadcast. Whatever it is made of: no packet is held, nobody is
// answered, no neighbour is learned, and who is connected to goes on.
TEST_F(IngressIpv4Test, a_storm_to_everybody_takes_no_memory_and_gets_no_answer) {
  Socket& socket = udp_at(kOpenPort);
  const IpAddress everybody = IpAddress::v4(255, 255, 255, 255);
  const IpAddress group = IpAddress::v4(224, 0, 0, 251);
  std::vector<Octets> kinds;
  for (const std::uint8_t* mac : {kAllMac, kGroupMac}) {
    for (const IpAddress& to : {everybody, group, IpAddress::v4(198, 18, 0, 255), kUs, kPeer}) {
      const Raw raw{.source = IpAddress::v4(198, 18, 0, 77), .destination = to, .to_mac = mac};
      kinds.push_back(udp_frame(raw, kClosedPort, counted(700)));
      kinds.push_back(icmp_frame(raw, echo(700)));
      kinds.push_back(syn_frame(raw, kClosedPort));
    }
    kinds.push_back(ethernet_frame(0x86dd, mac));
  }
  const std::uint32_t before = test_pool().available();
  for (int i = 0; i < 10'000; ++i) {
    device_.arrive(kinds[static_cast<std::size_t>(i) % kinds.size()]);
    if (i % 64 != 0) continue;
    poll();
    ASSERT_EQ(test_pool().available(), before);
    ASSERT_TRUE(device_.sent.empty() && other_.sent.empty());
    if (i % 640 != 0) continue;
    device_.arrive(udp_frame({}, kOpenPort, counted(3)));
    poll();
    EXPECT_EQ(read(socket), counted(3));
  }
  socket.put();
}

// 1122-3.3.2: given up after 30 s (a deviation from 60), and ICMP 11/1 tells so if the first
// fragment was here, with as much of it as fits.
TEST_F(IngressIpv4Test, a_datagram_that_stays_in_pieces_is_told_about_if_its_first_was_here) {
  const Octets datagram = udp_octets({}, kOpenPort, counted(56));
  const auto piece = [&](std::uint16_t id, std::uint16_t field, std::size_t begin,
                         std::size_t end) {
    return raw_frame({.id = id, .fragment = field},
                     Octets(datagram.begin() + static_cast<long>(begin),
                            datagram.begin() + static_cast<long>(end)));
  };
  const Octets first = piece(1, 0x2000, 0, 16);
  EXPECT_TRUE(is_silent_drop(device_, first, Drop::fragment_held));
  EXPECT_TRUE(is_silent_drop(device_, piece(2, 4, 32, 64), Drop::fragment_held));
  pass(Duration::ms(29'999));
  EXPECT_TRUE(device_.sent.empty());
  pass(Duration::ms(2));
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(icmp_type(device_.sent[0]), 11);
  EXPECT_EQ(icmp_code(device_.sent[0]), 1);
  const Octets quote(device_.sent[0].begin() + kTransportAt + 8, device_.sent[0].end());
  EXPECT_EQ(quote, Octets(first.begin() + kIpAt, first.end()));
  EXPECT_EQ(stack_->drops(Drop::fragment_timeout), 1u);
}

// frag-pod, V6: an end beyond 65,535 (the ping of death) is dropped, whatever it is a part of.
TEST_F(IngressIpv4Test, a_fragment_that_ends_beyond_64k_is_dropped_in_silence) {
  for (std::uint16_t field = 0x1ff8; field <= 0x1fff; ++field) {
    Octets frame = icmp_frame({.fragment = field}, counted(1400));
    EXPECT_TRUE(is_silent_drop(device_, frame, Drop::bad_length)) << field;
  }
  pass(Duration::seconds(31));
  EXPECT_TRUE(device_.sent.empty());
}

// V6 d: a packet within a packet (protocols 4 and 41), whole or in pieces, is no way in (Ripple20,
// CVE-2020-11896): its sender is told that nobody speaks that.
TEST_F(IngressIpv4Test, packets_within_packets_are_refused) {
  Socket& socket = udp_at(kOpenPort);
  const Octets inner_frame = udp_frame({}, kOpenPort, counted(40));
  const Octets inner(inner_frame.begin() + kIpAt, inner_frame.end());
  for (const std::uint8_t protocol : {std::uint8_t{4}, std::uint8_t{41}}) {
    const std::vector<Octets> refusal = answers(device_, raw_frame({.protocol = protocol}, inner));
    ASSERT_EQ(refusal.size(), 1u);
    EXPECT_EQ(icmp_code(refusal[0]), 2);
    const Octets front(inner.begin(), inner.begin() + 32), back(inner.begin() + 32, inner.end());
    const Raw first{.protocol = protocol, .fragment = 0x2000};
    EXPECT_TRUE(is_silent_drop(device_, raw_frame(first, front), Drop::fragment_held));
    const Raw last{.protocol = protocol, .fragment = 4};
    EXPECT_EQ(answers(device_, raw_frame(last, back)).size(), 1u);
  }
  EXPECT_FALSE(read(socket));
  socket.put();
}

// 1122-3.2.1.8, V3: every option number, length and pointer: a source route or an option that runs
// out of the header is dropped in silence, any other is passed over; no answer bears an option.
TEST_F(IngressIpv4Test, options_are_passed_over_or_dropped_and_never_reflected) {
  for (unsigned kind = 0; kind < 256; ++kind) {
    if (kind == 1) continue;  // no length follows: what is meant as one would be the next option
    for (const unsigned length : {0u, 1u, 2u, 3u, 4u, 7u, 11u, 12u, 13u, 40u, 255u}) {
      Octets options(12, std::byte{1});
      options[0] = static_cast<std::byte>(kind);
      options[1] = static_cast<std::byte>(length);
      if (length > 2) options[2] = static_cast<std::byte>(kind + length);  // a pointer
      const Octets frame = icmp_frame({.options = options}, echo(5));
      const bool is_bad = kind > 1 && (length < 2 || length > 12);
      const bool is_route = kind == 131 || kind == 137;
      if (is_bad) {
        ASSERT_TRUE(is_silent_drop(device_, frame, Drop::bad_options)) << kind << " " << length;
      } else if (is_route) {
        ASSERT_TRUE(is_silent_drop(device_, frame, Drop::source_route)) << kind << " " << length;
      } else {
        const std::vector<Octets> reply = answers(device_, frame);
        ASSERT_EQ(reply.size(), 1u) << kind << " " << length;
        ASSERT_EQ(at<std::uint8_t>(reply[0], kIpAt), 0x45);
        ASSERT_EQ(reply[0].size(), kTransportAt + 13);
      }
    }
  }
}

// 1122-3.2.1.7: a TTL of 0 or 1 is taken: it is for routers to count.
TEST_F(IngressIpv4Test, the_ttl_of_what_arrives_does_not_matter) {
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{255}}) {
    EXPECT_EQ(answers(device_, icmp_frame({.ttl = ttl}, echo(3))).size(), 1u);
  }
}

}  // namespace
}  // namespace pollux
