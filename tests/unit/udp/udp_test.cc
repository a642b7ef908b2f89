// udp_test.cc - datagrams read and written: lengths, padding, checksums.
#include "stack/udp/udp.h"

#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/support/test_packets.h"

namespace pollux::udp {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

const IpAddress kUs = IpAddress::v4(198, 18, 0, 1), kPeer = IpAddress::v4(198, 18, 0, 2);

class Udp : public PacketTest {
 protected:
  // A datagram from port 40000 to port 53.
  Octets datagram(const Octets& data, int length = -1) {
    wire::UdpHeader header{};
    header.source_port = 40000;
    header.destination_port = 53;
    header.length = static_cast<std::uint16_t>(length >= 0 ? static_cast<std::size_t>(length)
                                                           : sizeof header + data.size());
    header.checksum = 0;
    Octets octets = octets_of(header) + data;
    wire::Sum sum(wire::pseudo_header_sum({kPeer, kUs, 17, header.length}));
    sum.add(bytes_of(octets).first(std::min<std::size_t>(header.length, octets.size())));
    const std::uint16_t checksum = sum.checksum() != 0 ? sum.checksum() : std::uint16_t{0xffff};
    octets[6] = static_cast<std::uint8_t>(checksum >> 8);
    octets[7] = static_cast<std::uint8_t>(checksum);
    return octets;
  }
  Accepted<Datagram> take(const Octets& octets) { return decode(info, packet_of(octets)); }
  Drop drop(const Octets& octets) {
    const auto taken = take(octets);
    return taken ? Drop::count : taken.error();
  }
  IpInfo info{.source = kPeer, .destination = kUs, .protocol = 17};
};

TEST_F(Udp, datagram_is_taken) {
  for (const std::size_t size : {0, 1, 2, 512, 1472, 9000, 65507}) {
    const auto arrived = take(datagram(pattern(size)));
    ASSERT_TRUE(arrived) << size;
    EXPECT_EQ(arrived->tuple, (FourTuple{{kUs, 53}, {kPeer, 40000}}));
    EXPECT_EQ(arrived->info.source, kPeer);
    EXPECT_EQ(octets_in(arrived->packet), pattern(size));
  }
}

// 768-len, V24.
TEST_F(Udp, octets_behind_its_length_are_cut_off) {
  const auto arrived = take(datagram(pattern(5)) + Octets(13, 0xee));
  ASSERT_TRUE(arrived);
  EXPECT_EQ(octets_in(arrived->packet), pattern(5));
}

// 768-len, V24.
TEST_F(Udp, lengths_that_lie) {
  for (const int length : {0, 1, 7, 19, 65535}) {
    EXPECT_EQ(drop(datagram(pattern(10), length)), Drop::bad_length) << length;
  }
  EXPECT_EQ(drop(datagram(pattern(10), 8)), Drop::count) << "a header alone is a datagram";
  for (std::size_t size = 0; size < 8; ++size) {
    const Octets whole = datagram({});
    EXPECT_EQ(drop(Octets(whole.begin(), whole.begin() + static_cast<long>(size))),
              Drop::too_short);
  }
}

TEST_F(Udp, every_wrong_bit_is_noticed) {  // 1122-4.1.3.4
  const Octets right = datagram(pattern(21));
  for (std::size_t bit = 0; bit < right.size() * 8; ++bit) {
    Octets octets = right;
    octets[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    EXPECT_NE(drop(octets), Drop::count) << bit;
  }
  info.source = IpAddress::v4(198, 18, 0, 3);
  EXPECT_EQ(drop(right), Drop::bad_checksum) << "the pseudo-header counts";
}

// 1122-4.1.3.4; 6936: without a checksum over IPv4 only.
TEST_F(Udp, checksum_0_was_left_out) {
  Octets octets = datagram(pattern(21));
  octets[6] = octets[7] = 0;
  EXPECT_EQ(drop(octets), Drop::count);
  octets[20] ^= 1;
  EXPECT_EQ(drop(octets), Drop::count) << "nothing to check it with";
  info.source = *IpAddress::parse("fd00::2");
  info.destination = *IpAddress::parse("fd00::1");
  EXPECT_EQ(drop(octets), Drop::bad_checksum) << "not over IPv6 (8200-8.1)";
}

TEST_F(Udp, the_devices_verdict_counts) {  // CSUM-3
  for (const Checksum verdict : {Checksum::good, Checksum::bad, Checksum::valid}) {
    Octets octets = datagram(pattern(21));
    octets[7] ^= 1;
    Packet packet = packet_of(octets);
    packet.meta().l4_checksum = verdict;
    EXPECT_EQ(decode(info, std::move(packet)).ok(), verdict != Checksum::bad);
  }
}

TEST_F(Udp, port_0_is_left_to_the_table) {
  Octets octets = datagram(pattern(2));
  octets[6] = octets[7] = 0;
  octets[2] = octets[3] = 0;
  EXPECT_EQ(drop(octets), Drop::count) << "nobody has it, and the sender is told so";
  octets[3] = 53;
  octets[0] = octets[1] = 0;
  EXPECT_EQ(drop(octets), Drop::count) << "as a source it means none";
}

TEST_F(Udp, header_in_pieces_is_read) {
  for (std::size_t cut = 1; cut < 12; ++cut) {
    const auto arrived = decode(info, packet_of(datagram(pattern(40)), {cut, 3}));
    ASSERT_TRUE(arrived) << cut;
    EXPECT_EQ(octets_in(arrived->packet), pattern(40));
  }
}

TEST_F(Udp, what_is_written_is_read_back) {
  for (const std::size_t size : {0, 1, 33, 5000, 65507}) {
    Packet packet = packet_of(pattern(size));
    encode(packet, {{kPeer, 40000}, {kUs, 53}}, {});
    EXPECT_EQ(octets_in(packet), datagram(pattern(size)));
  }
}

// 1122-4.1.3.4 (RFC 768).
TEST_F(Udp, computed_0_is_sent_as_all_ones) {
  // Two octets that bring the sum to all ones.
  Packet packet = packet_of(Octets{0, 0});
  encode(packet, {{kPeer, 40000}, {kUs, 53}}, {});
  const std::uint16_t needed = packet.peek<wire::UdpHeader>()->checksum;
  packet =
      packet_of(Octets{static_cast<std::uint8_t>(needed >> 8), static_cast<std::uint8_t>(needed)});
  encode(packet, {{kPeer, 40000}, {kUs, 53}}, {});
  EXPECT_EQ(packet.peek<wire::UdpHeader>()->checksum, 0xffff);
  EXPECT_TRUE(decode(info, std::move(packet)));
}

TEST_F(Udp, checksum_left_out_or_to_the_device) {
  Packet without = packet_of(pattern(10));
  encode(without, {{kPeer, 1}, {kUs, 2}}, {.no_checksum = true});
  EXPECT_EQ(without.peek<wire::UdpHeader>()->checksum, 0);
  Packet offloaded = packet_of(pattern(10));
  encode(offloaded, {{kPeer, 1}, {kUs, 2}}, {.checksum_by_device = true});
  EXPECT_EQ(offloaded.peek<wire::UdpHeader>()->checksum,
            wire::pseudo_header_sum({kPeer, kUs, 17, 18}));
}

}  // namespace
}  // namespace pollux::udp
