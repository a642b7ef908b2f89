// frame_copy_test.cc - chains of any shape become one row; a frame too short for a tag gets none.
#include "drivers/frame_copy.h"

#include <gtest/gtest.h>

#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::Octets;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::split_packet;
using testing_support::test_pool;

using FrameCopyTest = testing_support::PoolEndsFull;

TEST_F(FrameCopyTest, a_chain_becomes_one_row) {
  FrameCopy copy;
  Rng rng(9);
  for (int round = 0; round < 50; ++round) {
    const Octets octets = random_octets(rng, rng.below(2000));
    const Packet packet = split_packet(test_pool(), rng, octets, 1 + rng.below(5));
    const ConstBytes row = copy.of(packet);
    EXPECT_EQ(Octets(row.begin(), row.end()), octets);
  }
}

TEST_F(FrameCopyTest, a_frame_without_addresses_gets_no_tag) {
  FrameCopy copy;
  Packet packet = packet_of(test_pool(), Octets(11));
  packet.meta().has_vlan = true;
  EXPECT_EQ(copy.of(packet).size(), 11u);
}

}  // namespace
}  // namespace pollux
