// sack_test.cc - the scoreboard against a set of octets; RFC 6675's IsLost and pipe; reported
// blocks.
#include "stack/tcp/sack.h"

#include <gtest/gtest.h>

#include <set>

#include "stack/base/rng.h"

namespace pollux::tcp {
namespace {

constexpr std::uint32_t kTinyMss = 10;

SackBlock block(std::uint32_t left, std::uint32_t right) { return {SeqNum(left), SeqNum(right)}; }

TEST(Scoreboard, joins_what_touches_and_counts_what_is_new) {
  Scoreboard board;
  EXPECT_EQ(board.add(block(100, 110)), 10u);
  EXPECT_EQ(board.add(block(120, 130)), 10u);
  EXPECT_EQ(board.count(), 2u);
  EXPECT_EQ(board.add(block(105, 125)), 10u);
  EXPECT_EQ(board.count(), 1u);
  EXPECT_EQ(board.add(block(100, 130)), 0u);
  EXPECT_EQ(board.octets(), 30u);
  EXPECT_EQ(board.highest(), SeqNum(130));
}

TEST(Scoreboard, holes) {
  Scoreboard board;
  board.add(block(100, 110));
  board.add(block(120, 130));
  EXPECT_EQ(board.next_hole(SeqNum(90)), SeqNum(90));
  EXPECT_EQ(board.next_hole(SeqNum(100)), SeqNum(110));
  EXPECT_EQ(board.next_hole(SeqNum(125)), SeqNum(130));
  EXPECT_EQ(board.hole_end(SeqNum(110), SeqNum(200)), SeqNum(120));
  EXPECT_EQ(board.hole_end(SeqNum(110), SeqNum(115)), SeqNum(115));
  EXPECT_EQ(board.hole_end(SeqNum(130), SeqNum(200)), SeqNum(200));
}

TEST(Scoreboard, is_lost_by_three_ranges_or_by_octets) {  // RFC 6675 4
  Scoreboard board;
  board.add(block(110, 115));
  board.add(block(120, 125));
  EXPECT_EQ(board.lost_edge(SeqNum(100), kTinyMss), SeqNum(100));
  board.add(block(130, 135));
  EXPECT_EQ(board.lost_edge(SeqNum(100), kTinyMss), SeqNum(110));
  Scoreboard solid;
  solid.add(block(110, 130));
  EXPECT_EQ(solid.lost_edge(SeqNum(100), kTinyMss), SeqNum(100));  // not more than two segments
  solid.add(block(130, 131));
  EXPECT_EQ(solid.lost_edge(SeqNum(100), kTinyMss), SeqNum(110));
}

TEST(Scoreboard, pipe_counts_what_is_in_the_network) {  // RFC 6675 4, SetPipe
  Scoreboard board;
  board.add(block(110, 140));  // 100..110 is lost, 140..200 in flight
  EXPECT_EQ(board.pipe({SeqNum(100), SeqNum(200), SeqNum(100)}, kTinyMss), 60u);
  EXPECT_EQ(board.pipe({SeqNum(100), SeqNum(200), SeqNum(110)}, kTinyMss), 70u);  // sent again
}

TEST(Scoreboard, wraps_around_the_circle) {
  Scoreboard board;
  board.add(block(0xfffffff0, 0x10));
  EXPECT_EQ(board.octets(), 0x20u);
  board.acknowledge(SeqNum(0));
  EXPECT_EQ(board.octets(), 0x10u);
  board.acknowledge(SeqNum(0x20));
  EXPECT_TRUE(board.empty());
}

TEST(Scoreboard, is_bounded) {  // CVE-2019-11477, 11478: bounded work and memory
  Scoreboard board;
  for (std::uint32_t i = 0; i < 1000; ++i) board.add(block(100 + 4 * i, 102 + 4 * i));
  EXPECT_EQ(board.count(), Scoreboard::kMaxRanges);
}

TEST(Scoreboard, agrees_with_a_set_of_octets) {
  Rng rng(7);
  for (int run = 0; run < 300; ++run) {
    Scoreboard board;
    std::set<std::uint32_t> held;
    for (int i = 0; i < 20; ++i) {
      const auto left = static_cast<std::uint32_t>(rng.below(200));
      const auto right = left + 1 + static_cast<std::uint32_t>(rng.below(30));
      std::uint32_t fresh = 0;
      for (std::uint32_t s = left; s < right; ++s) fresh += held.insert(s).second ? 1 : 0;
      ASSERT_EQ(board.add(block(left, right)), fresh);
      ASSERT_EQ(board.octets(), held.size());
      const auto at = static_cast<std::uint32_t>(rng.below(240));
      std::uint32_t hole = at;
      while (held.count(hole) != 0) ++hole;
      ASSERT_EQ(board.next_hole(SeqNum(at)).value(), hole);
    }
    const auto una = static_cast<std::uint32_t>(rng.below(200));
    board.acknowledge(SeqNum(una));
    held.erase(held.begin(), held.lower_bound(una));
    ASSERT_EQ(board.octets(), held.size());
  }
}

TEST(ReceivedBlocks, latest_first_and_joined) {  // RFC 2018 4
  ReceivedBlocks blocks;
  blocks.add(block(20, 30));
  blocks.add(block(40, 50));
  blocks.add(block(60, 70));
  EXPECT_EQ(blocks[0], block(60, 70));
  EXPECT_EQ(blocks[2], block(20, 30));
  blocks.add(block(30, 40));
  EXPECT_EQ(blocks.count(), 2u);
  EXPECT_EQ(blocks[0], block(20, 50));
  blocks.acknowledge(SeqNum(50));
  EXPECT_EQ(blocks.count(), 1u);
  EXPECT_EQ(blocks[0], block(60, 70));
}

TEST(ReceivedBlocks, keeps_the_four_latest) {
  ReceivedBlocks blocks;
  for (std::uint32_t i = 0; i < 9; ++i) blocks.add(block(10 * i, 10 * i + 5));
  EXPECT_EQ(blocks.count(), 4u);
  EXPECT_EQ(blocks[0], block(80, 85));
  EXPECT_EQ(blocks[3], block(50, 55));
}

}  // namespace
}  // namespace pollux::tcp
