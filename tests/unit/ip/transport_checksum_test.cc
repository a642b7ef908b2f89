// transport_checksum_test.cc - sums over chains are those of the flat octets, however they are cut.
#include "stack/ip/transport_checksum.h"

#include "stack/base/rng.h"
#include "tests/unit/ip/ip_test_support.h"

namespace pollux {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

class TransportChecksum : public PacketTest {};

TEST_F(TransportChecksum, chains_of_any_cut) {  // CSUM-1: 1 to 8 segments, odd splits
  Rng rng(1);
  for (int i = 0; i < 5000; ++i) {
    Octets octets = pattern(rng.below(3000) + 800, static_cast<unsigned>(i));
    const auto cut = [&] { return static_cast<std::size_t>(rng.below(100)); };
    const Packet packet = packet_of(octets, {cut(), cut(), cut(), cut(), cut(), cut(), cut()});
    ASSERT_EQ(packet.size(), octets.size());
    ASSERT_EQ(ones_sum_of(packet), wire::ones_sum(bytes_of(octets)));
  }
}

TEST_F(TransportChecksum, the_devices_verdict_counts) {  // CSUM-3
  const TransportAddresses of{kPeer, kUs, 17};
  for (const bool is_right : {true, false}) {
    Octets octets = pattern(30);
    octets[6] = octets[7] = 0;
    const std::uint16_t sum = transport_checksum(packet_of(octets), of);
    octets[6] = static_cast<std::uint8_t>(sum >> 8);
    octets[7] = static_cast<std::uint8_t>(is_right ? sum : sum + 1);
    for (const Checksum verdict :
         {Checksum::unknown, Checksum::good, Checksum::bad, Checksum::valid}) {
      Packet packet = packet_of(octets, {13});
      packet.meta().l4_checksum = verdict;
      const bool is_trusted = verdict == Checksum::good || verdict == Checksum::valid;
      EXPECT_EQ(is_transport_checksum_right(packet, of),
                is_trusted || (verdict == Checksum::unknown && is_right));
    }
  }
}

}  // namespace
}  // namespace pollux
