// ip_ids_test.cc - no identification repeats within a run, none tells the next.
#include "stack/ip/ip_ids.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace pollux {
namespace {

TEST(IpIds, none_repeats_within_a_run) {  // 6864-4
  Rng rng(1);
  IpIds ids(rng);
  for (int run = 0; run < 3; ++run) {
    std::vector<bool> seen(65536);
    for (int i = 0; i < 65536; ++i) {
      const std::uint16_t id = ids.next();
      ASSERT_FALSE(seen[id]);
      seen[id] = true;
    }
  }
}

// 6864-4, V10 (CVE-2020-36516): a counter would show one difference.
TEST(IpIds, steps_are_no_steps) {
  Rng rng(2);
  IpIds ids(rng);
  std::vector<int> differences(256);
  std::uint16_t last = ids.next();
  constexpr int kDraws = 60000;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint16_t id = ids.next();
    ++differences[static_cast<std::uint16_t>(id - last) >> 8];
    last = id;
  }
  const double expected = kDraws / 256.0;
  double chi_square = 0;
  for (const int count : differences) chi_square += std::pow(count - expected, 2) / expected;
  EXPECT_LT(chi_square, 400);  // 255 degrees of freedom: 330 at p = 0.001
}

TEST(IpIds, seeds_make_different_orders) {
  Rng one(1), two(2);
  IpIds a(one), b(two);
  int same = 0;
  for (int i = 0; i < 1000; ++i) same += a.next() == b.next();
  EXPECT_LT(same, 10);
}

}  // namespace
}  // namespace pollux
