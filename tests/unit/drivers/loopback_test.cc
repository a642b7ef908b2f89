// loopback_test.cc - what one end sends the other receives, until its queue is full.
#include "drivers/loopback.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::test_pool;

using LoopbackTest = testing_support::PoolEndsFull;

TEST_F(LoopbackTest, the_same_packet_arrives_with_nothing_known) {
  LoopbackPair pair(4, 1500);
  Rng rng(1);
  const auto octets = random_octets(rng, 60);
  Packet sent = packet_of(test_pool(), octets);
  sent.meta().l4_checksum = Checksum::bad;
  const rte_mbuf* mbuf = sent.mbuf();
  EXPECT_EQ(pair.a().tx_burst(std::span(&sent, 1)), 1u);
  std::array<Packet, 4> got;
  EXPECT_EQ(pair.a().rx_burst(got), 0u);
  ASSERT_EQ(pair.b().rx_burst(got), 1u);
  EXPECT_EQ(got[0].mbuf(), mbuf);
  EXPECT_EQ(octets_of(got[0]), octets);
  EXPECT_EQ(got[0].meta().l4_checksum, Checksum::unknown);
}

TEST_F(LoopbackTest, what_does_not_fit_stays_with_the_sender) {
  LoopbackPair pair(3, 1500);
  std::array<Packet, 5> packets;
  Rng rng(2);
  for (Packet& p : packets) p = packet_of(test_pool(), random_octets(rng, 60));
  EXPECT_EQ(pair.b().tx_burst(packets), 3u);
  EXPECT_FALSE(packets[2]);
  EXPECT_TRUE(packets[3]);
  EXPECT_TRUE(packets[4]);
}

TEST_F(LoopbackTest, ends_have_addresses_of_their_own) {
  LoopbackPair pair(1, 9000);
  EXPECT_NE(pair.a().caps().mac, pair.b().caps().mac);
  EXPECT_EQ(pair.a().caps().mtu, 9000);
  EXPECT_TRUE(pair.a().caps().tx_multi_segments);
}

}  // namespace
}  // namespace pollux
