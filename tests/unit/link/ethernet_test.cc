// ethernet_test.cc - which frames are taken, and how the header goes on; with and without a tag.
#include "stack/link/ethernet.h"

#include "tests/support/test_packets.h"

namespace pollux::ethernet {
namespace {

using test::Octets;
using test::octets_in;
using test::packet_of;
using test::pattern;
using test::operator+;

class Ethernet : public test::PacketTest {};

constexpr MacAddress kOurs{2, 0, 0, 0, 0, 1}, kPeer{2, 0, 0, 0, 0, 2};

Octets header(const MacAddress& to, const MacAddress& from, std::uint16_t type) {
  Octets octets(to.begin(), to.end());
  octets.insert(octets.end(), from.begin(), from.end());
  octets.push_back(static_cast<std::uint8_t>(type >> 8));
  octets.push_back(static_cast<std::uint8_t>(type));
  return octets;
}

Octets tag(std::uint16_t tci, std::uint16_t type) {
  return {static_cast<std::uint8_t>(tci >> 8), static_cast<std::uint8_t>(tci),
          static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)};
}

TEST_F(Ethernet, frame_to_us_is_taken) {
  Packet packet = packet_of(header(kOurs, kPeer, kTypeIpv4) + pattern(46));
  const Accepted<Frame> frame = accept(packet, kOurs, 0);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, kTypeIpv4);
  EXPECT_EQ(frame->source, kPeer);
  EXPECT_EQ(frame->destination, kOurs);
  EXPECT_FALSE(frame->is_broadcast);
  EXPECT_EQ(octets_in(packet), pattern(46));
}

TEST_F(Ethernet, broadcast_and_multicast_are_marked) {
  for (const MacAddress& to : {kBroadcast, MacAddress{1, 0, 0x5e, 0, 0, 1}}) {
    Packet packet = packet_of(header(to, kPeer, kTypeArp) + pattern(46));
    const Accepted<Frame> frame = accept(packet, kOurs, 0);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->is_broadcast);
  }
}

TEST_F(Ethernet, frame_to_another_is_dropped) {
  Packet packet = packet_of(header(kPeer, kPeer, kTypeIpv4) + pattern(46));
  EXPECT_EQ(accept(packet, kOurs, 0).error(), Drop::not_for_us);
}

TEST_F(Ethernet, group_address_is_no_source) {
  Packet packet = packet_of(header(kOurs, kBroadcast, kTypeIpv4) + pattern(46));
  EXPECT_EQ(accept(packet, kOurs, 0).error(), Drop::martian_source);
}

TEST_F(Ethernet, too_short_for_its_header) {
  const Octets whole = header(kOurs, kPeer, kTypeVlan) + tag(5, kTypeIpv4);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Packet packet = packet_of(Octets(whole.begin(), whole.begin() + static_cast<long>(size)));
    EXPECT_EQ(accept(packet, kOurs, 5).error(), Drop::too_short) << size;
  }
}

TEST_F(Ethernet, header_split_over_segments_is_read) {
  const Octets whole = header(kOurs, kPeer, kTypeVlan) + tag(5, kTypeIpv4) + pattern(40);
  Packet packet = packet_of(whole, {7, 9});
  const Accepted<Frame> frame = accept(packet, kOurs, 5);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, kTypeIpv4);
  EXPECT_EQ(octets_in(packet), pattern(40));
}

struct VlanCase {
  std::uint16_t ours;
  int tci;  // -1: untagged
  bool is_taken;
};

TEST_F(Ethernet, only_our_vlan_is_taken) {
  const VlanCase cases[] = {{0, -1, true}, {0, 0, true},   {0, 0xe000, true},
                            {0, 5, false}, {5, 5, true},   {5, 0xa005, true},
                            {5, 6, false}, {5, -1, false}, {4095, 5, false}};
  for (const VlanCase& c : cases) {
    const auto tci = static_cast<std::uint16_t>(c.tci);
    const Octets in_frame = c.tci < 0 ? header(kOurs, kPeer, kTypeIpv4)
                                      : header(kOurs, kPeer, kTypeVlan) + tag(tci, kTypeIpv4);
    Packet packet = packet_of(in_frame + pattern(46));
    EXPECT_EQ(accept(packet, kOurs, c.ours).ok(), c.is_taken) << c.ours << " " << c.tci;
    // The same tag, taken off by the device.
    Packet stripped = packet_of(header(kOurs, kPeer, kTypeIpv4) + pattern(46));
    if (c.tci >= 0) stripped.meta() = {Checksum::unknown, Checksum::unknown, tci, true};
    EXPECT_EQ(accept(stripped, kOurs, c.ours).ok(), c.is_taken) << c.ours << " " << c.tci;
    if (c.is_taken) {
      EXPECT_EQ(octets_in(packet), octets_in(stripped));
    }
  }
}

TEST_F(Ethernet, prepend_untagged) {
  Packet packet = packet_of(pattern(20));
  prepend(packet, {kOurs, kPeer}, kTypeIpv4, 0);
  EXPECT_EQ(octets_in(packet), header(kPeer, kOurs, kTypeIpv4) + pattern(20));
  EXPECT_EQ(packet.size(), header_length(0) + 20u);
}

TEST_F(Ethernet, prepend_tagged) {
  Packet packet = packet_of(pattern(20));
  prepend(packet, {kOurs, kPeer}, kTypeArp, 7);
  EXPECT_EQ(octets_in(packet), header(kPeer, kOurs, kTypeVlan) + tag(7, kTypeArp) + pattern(20));
  EXPECT_EQ(packet.size(), header_length(7) + 20u);
}

}  // namespace
}  // namespace pollux::ethernet
