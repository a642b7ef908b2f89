// fragmentation_test.cc - pieces fit the MTU, and make the datagram again.
#include "stack/ip/fragmentation.h"

#include "stack/ip/reassembly.h"
#include "tests/unit/ip/ip_test_support.h"

namespace pollux {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

class FragmentationTest : public PacketTest {
 protected:
  // Cuts a datagram, takes every piece as if it had arrived, and puts them together.
  void round_trip(std::size_t size, std::uint16_t mtu) {
    Fragmentation pieces(packet_of(pattern(size)), {kPeer, kUs, 17, 0x2e, 9}, 4711, mtu);
    std::size_t count = 0;
    for (; !pieces.is_done(); ++count) {
      Packet piece = pieces.next(test_pool());
      ASSERT_TRUE(piece);
      ASSERT_LE(piece.size(), mtu);
      auto arrived = ipv4::accept(std::move(piece), {routes, kA, false});
      ASSERT_TRUE(arrived);
      EXPECT_EQ(arrived->id, 4711);
      EXPECT_EQ(arrived->info.ttl, 9);
      EXPECT_EQ(arrived->info.tos, 0x2e);
      if (arrived->is_fragment) arrived = reassembly.add(std::move(*arrived), Instant());
      ASSERT_EQ(arrived.ok(), pieces.is_done());
      if (!arrived) continue;
      EXPECT_EQ(octets_in(arrived->packet), pattern(size));
    }
    const std::size_t most = (mtu - 20u) & ~7u;
    EXPECT_LE(count, (size + most - 1) / most) << "no more than needed";
    EXPECT_FALSE(pieces.next(test_pool()));
  }
  Rng rng{1};
  Reassembly reassembly{{}, rng};
  Routes routes = two_interfaces();
};

TEST_F(FragmentationTest, pieces_fit_and_make_the_datagram_again) {
  constexpr std::uint16_t kMtus[] = {576, 1280, 1492, 1500};
  for (const std::uint16_t mtu : kMtus) {
    for (const std::size_t size : {1, 8, 1472, 1480, 1481, 2960, 9000, 65515}) {
      round_trip(size, mtu);
    }
  }
}

TEST_F(FragmentationTest, exhausted_pool_is_no_end) {
  std::vector<Packet> hoard;
  while (Packet packet = test_pool().allocate()) hoard.push_back(std::move(packet));
  Packet datagram = std::move(hoard.back());
  hoard.pop_back();
  ASSERT_NE(datagram.put(2000), nullptr);
  Fragmentation pieces(std::move(datagram), {kPeer, kUs, 17}, 1, 1500);
  EXPECT_FALSE(pieces.next(test_pool()));
  EXPECT_FALSE(pieces.is_done());
  hoard.clear();
  while (!pieces.is_done()) ASSERT_TRUE(pieces.next(test_pool()));
}

}  // namespace
}  // namespace pollux
