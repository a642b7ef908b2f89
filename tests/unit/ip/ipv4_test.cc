// ipv4_test.cc - which packets are taken, each rule broken once; and the header of what leaves.
#include "stack/ip/ipv4.h"

#include "tests/unit/ip/ip_test_support.h"

namespace pollux::ipv4 {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

class Ipv4 : public PacketTest {
 protected:
  Accepted<Arrived> take(const Octets& octets, InterfaceId interface = kA,
                         bool link_broadcast = false) {
    return accept(packet_of(octets), {routes, interface, link_broadcast});
  }
  Drop drop(const Octets& octets, InterfaceId interface = kA) {
    const Accepted<Arrived> taken = take(octets, interface);
    return taken ? Drop::count : taken.error();
  }
  Routes routes = two_interfaces();
};

TEST_F(Ipv4, packet_to_us_is_taken) {
  const auto arrived = take(ip_packet({}, pattern(40)));
  ASSERT_TRUE(arrived);
  EXPECT_EQ(arrived->info.source, kPeer);
  EXPECT_EQ(arrived->info.destination, kUs);
  EXPECT_EQ(arrived->info.protocol, 17);
  EXPECT_EQ(arrived->info.tos, 0x2e);
  EXPECT_EQ(arrived->info.ttl, 64);
  EXPECT_EQ(arrived->info.interface, kA);
  EXPECT_EQ(arrived->info.header_length, 20);
  EXPECT_FALSE(arrived->info.is_broadcast);
  EXPECT_FALSE(arrived->is_fragment);
  EXPECT_EQ(octets_in(arrived->packet), pattern(40));
}

TEST_F(Ipv4, link_padding_is_cut_off) {  // 791-len, V24: Etherleak
  for (std::size_t size = 1; size <= 46; ++size) {
    Octets octets = ip_packet({}, pattern(size));
    octets.resize(std::max<std::size_t>(octets.size(), 46), 0xee);
    const auto arrived = take(octets);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(octets_in(arrived->packet), pattern(size));
  }
}

TEST_F(Ipv4, other_versions_are_drops) {  // 1122-3.2.1.1
  for (int version = 0; version < 16; ++version) {
    const Drop reason = drop(ip_packet({.version_ihl = version << 4 | 5}, pattern(40)));
    EXPECT_EQ(reason, version == 4 ? Drop::count : Drop::bad_version) << version;
  }
}

TEST_F(Ipv4, header_lengths_out_of_range) {
  for (int ihl = 0; ihl < 5; ++ihl) {
    EXPECT_EQ(drop(ip_packet({.version_ihl = 0x40 | ihl}, pattern(40))), Drop::bad_header_length);
  }
  // 15 words in a packet of 28 octets.
  EXPECT_EQ(drop(ip_packet({.version_ihl = 0x4f}, pattern(8))), Drop::bad_length);
}

TEST_F(Ipv4, total_lengths_that_lie) {  // V24
  for (const int total : {0, 19, 61, 65535}) {
    EXPECT_EQ(drop(ip_packet({.total_length = total}, pattern(40))), Drop::bad_length) << total;
  }
  EXPECT_EQ(drop(ip_packet({.total_length = 20}, pattern(40))), Drop::count);
}

TEST_F(Ipv4, too_short_for_a_header) {
  const Octets whole = ip_packet({}, {});
  for (std::size_t size = 0; size < 20; ++size) {
    EXPECT_EQ(drop(Octets(whole.begin(), whole.begin() + static_cast<long>(size))),
              Drop::too_short);
  }
}

TEST_F(Ipv4, header_in_pieces_is_read) {
  const Octets octets = ip_packet({.options = {7, 7, 4, 0, 0, 0, 0, 0}}, pattern(100));
  for (std::size_t cut = 1; cut < 40; ++cut) {
    auto arrived = accept(packet_of(octets, {cut}), {routes, kA, false});
    ASSERT_TRUE(arrived) << cut;
    EXPECT_EQ(octets_in(arrived->packet), pattern(100));
  }
}

TEST_F(Ipv4, every_wrong_bit_of_the_header_is_noticed) {  // 1122-3.2.1.2
  const Octets right = ip_packet({}, pattern(40));
  for (std::size_t bit = 0; bit < 20 * 8; ++bit) {
    Octets octets = right;
    octets[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    EXPECT_NE(drop(octets), Drop::count) << bit;
  }
}

TEST_F(Ipv4, the_devices_verdict_counts) {  // CSUM-3
  Octets octets = ip_packet({}, pattern(40));
  for (const bool is_wrong : {false, true}) {
    octets[10] ^= is_wrong ? 1 : 0;
    for (const Checksum verdict :
         {Checksum::unknown, Checksum::good, Checksum::bad, Checksum::valid}) {
      Packet packet = packet_of(octets);
      packet.meta().ip_checksum = verdict;
      const bool is_taken = accept(std::move(packet), {routes, kA, false}).ok();
      const bool is_trusted = verdict == Checksum::good || verdict == Checksum::valid;
      EXPECT_EQ(is_taken, is_trusted || (verdict == Checksum::unknown && !is_wrong));
    }
  }
}

TEST_F(Ipv4, options_are_ignored_or_refused) {  // MUST-50; MUST-51, MUST-52, MUST-53: deviation
  const auto arrived = take(ip_packet({.options = {7, 7, 4, 0, 0, 0, 0, 0}}, pattern(8)));
  ASSERT_TRUE(arrived);
  EXPECT_EQ(arrived->info.header_length, 28);
  EXPECT_EQ(octets_in(arrived->packet), pattern(8));
  EXPECT_EQ(drop(ip_packet({.options = {131, 7, 4, 1, 2, 3, 4, 0}}, {})), Drop::source_route);
  EXPECT_EQ(drop(ip_packet({.options = {137, 3, 4, 0}}, {})), Drop::source_route);
  EXPECT_EQ(drop(ip_packet({.options = {7, 0, 0, 0}}, {})), Drop::bad_options);
  EXPECT_EQ(drop(ip_packet({.options = {7, 5, 0, 0}}, {})), Drop::bad_options);
}

TEST_F(Ipv4, impossible_sources_are_drops) {  // 1122-3.2.1.3, MUST-63, V20
  for (const IpAddress& source :
       {IpAddress::v4(0, 0, 0, 0), IpAddress::v4(0, 1, 2, 3), IpAddress::v4(127, 0, 0, 1),
        IpAddress::v4(224, 0, 0, 1), IpAddress::v4(239, 255, 0, 1),
        IpAddress::v4(255, 255, 255, 255), IpAddress::v4(198, 18, 0, 255),
        IpAddress::v4(198, 19, 0, 255), kUs, kUsOnB}) {
    EXPECT_EQ(drop(ip_packet({.source = source}, pattern(8))), Drop::martian_source)
        << source.to_string();
  }
}

TEST_F(Ipv4, strong_end_system) {  // 1122-3.3.4
  EXPECT_EQ(drop(ip_packet({.destination = kUsOnB}, {}), kA), Drop::not_for_us);
  EXPECT_EQ(drop(ip_packet({.destination = kUs}, {}), kB), Drop::not_for_us);
  EXPECT_EQ(drop(ip_packet({.destination = kUsOnB}, {}), kB), Drop::count);
}

TEST_F(Ipv4, others_are_not_for_us) {
  for (const IpAddress& to :
       {kPeer, IpAddress::v4(127, 0, 0, 1), IpAddress::v4(0, 0, 0, 0), IpAddress::v4(198, 18, 0, 0),
        IpAddress::v4(198, 19, 0, 255), IpAddress::v4(224, 1, 2, 3)}) {
    EXPECT_EQ(drop(ip_packet({.destination = to}, {})), Drop::not_for_us) << to.to_string();
  }
}

TEST_F(Ipv4, broadcasts_and_groups_are_taken_and_marked) {
  routes.join(kA, IpAddress::v4(224, 1, 2, 3));
  for (const IpAddress& to : {IpAddress::v4(255, 255, 255, 255), IpAddress::v4(198, 18, 0, 255),
                              IpAddress::v4(224, 0, 0, 1), IpAddress::v4(224, 1, 2, 3)}) {
    const auto arrived = take(ip_packet({.destination = to}, {}), kA, true);
    ASSERT_TRUE(arrived) << to.to_string();
    EXPECT_TRUE(arrived->info.is_broadcast);
  }
  routes.leave(kA, IpAddress::v4(224, 1, 2, 3));
  EXPECT_EQ(drop(ip_packet({.destination = IpAddress::v4(224, 1, 2, 3)}, {})), Drop::not_for_us);
}

TEST_F(Ipv4, unicast_in_a_broadcast_frame_is_a_drop) {  // 1122-3.3.6, MUST-57
  EXPECT_EQ(take(ip_packet({}, {}), kA, true).error(), Drop::not_for_us);
}

TEST_F(Ipv4, on_loopback_our_addresses_talk_to_each_other) {
  const IpAddress lo = IpAddress::v4(127, 0, 0, 1);
  EXPECT_TRUE(take(ip_packet({.source = lo, .destination = lo}, {}), kLoopbackInterface));
  EXPECT_TRUE(take(ip_packet({.source = kUs, .destination = kUsOnB}, {}), kLoopbackInterface));
}

TEST_F(Ipv4, ttl_of_arrivals_does_not_matter) {  // 1122-3.2.1.7
  EXPECT_EQ(drop(ip_packet({.ttl = 0}, {})), Drop::count);
  EXPECT_EQ(drop(ip_packet({.ttl = 1}, {})), Drop::count);
}

TEST_F(Ipv4, fragments_are_described) {
  const auto first = take(ip_packet({.id = 99, .fragment = 0x2000}, pattern(16)));
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is_fragment && first->more_fragments);
  EXPECT_EQ(first->fragment_offset, 0);
  EXPECT_EQ(first->id, 99);
  const auto last = take(ip_packet({.fragment = 0x1fff}, pattern(7)));
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->is_fragment);
  EXPECT_FALSE(last->more_fragments);
  EXPECT_EQ(last->fragment_offset, 65528);
  EXPECT_FALSE(take(ip_packet({.fragment = 0x4000}, {}))->is_fragment);
}

TEST_F(Ipv4, prepend_writes_what_accept_reads) {
  for (const bool dont_fragment : {false, true}) {
    Packet packet = packet_of(pattern(100));
    prepend(packet, {kPeer, kUs, 17, 0x28, 0, dont_fragment}, 4711, false);
    const auto* header = packet.peek<wire::Ipv4Header>();
    EXPECT_EQ(header->fragment, dont_fragment ? 0x4000 : 0);
    EXPECT_EQ(header->id, 4711);
    EXPECT_EQ(header->ttl, 1) << "never 0";
    const auto arrived = accept(std::move(packet), {routes, kA, false});
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->info.source, kPeer);
    EXPECT_EQ(arrived->info.tos, 0x28);
    EXPECT_EQ(octets_in(arrived->packet), pattern(100));
  }
}

TEST_F(Ipv4, prepend_leaves_the_checksum_to_the_device) {  // CSUM-2
  Packet packet = packet_of(pattern(10));
  prepend(packet, {kPeer, kUs, 17}, 0, true);
  EXPECT_EQ(packet.peek<wire::Ipv4Header>()->checksum, 0);
}

}  // namespace
}  // namespace pollux::ipv4
