// histogram_test.cc - Histogram: bucket edges, precision, ranks, merging.

#include "apps/pollux/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace pollux::tool {
namespace {

TEST(Histogram, buckets_are_contiguous_and_within_one_percent) {
  for (std::size_t i = 0; i + 1 < Histogram::kBuckets; ++i) {
    const std::uint64_t low = Histogram::lowest_of(i);
    const std::uint64_t next = Histogram::lowest_of(i + 1);
    ASSERT_LT(low, next);
    ASSERT_EQ(Histogram::bucket_of(low), i);
    ASSERT_EQ(Histogram::bucket_of(next - 1), i);
    ASSERT_TRUE(next - low == 1 || (next - low) * 128 <= low) << low;
  }
}

TEST(Histogram, values_beyond_the_last_bucket_count_in_it) {
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBuckets - 1);
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(std::uint64_t{1} << 50);
  EXPECT_EQ(histogram->max(), std::uint64_t{1} << 50);
  EXPECT_EQ(histogram->percentile(50), std::uint64_t{1} << 50);
}

TEST(Histogram, empty_has_zeroes) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->percentile(99), 0u);
  EXPECT_EQ(histogram->min(), 0u);
  EXPECT_EQ(histogram->max(), 0u);
  EXPECT_EQ(histogram->mean(), 0.0);
}

TEST(Histogram, percentile_is_the_rank_not_beyond_it) {
  const auto histogram = std::make_unique<Histogram>();
  for (std::uint64_t ns = 1; ns <= 100; ++ns) histogram->record(ns);
  EXPECT_EQ(histogram->percentile(50), 50u);
  EXPECT_EQ(histogram->percentile(99), 99u);
  EXPECT_EQ(histogram->percentile(99.9), 100u);
  EXPECT_EQ(histogram->percentile(0), 1u);
  EXPECT_DOUBLE_EQ(histogram->mean(), 50.5);
}

TEST(Histogram, percentiles_are_those_of_the_sorted_values_within_one_percent) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  const auto histogram = std::make_unique<Histogram>();
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(random() >> (24 + random() % 32));
    histogram->record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(percent / 100 * 20'000) - 1;
    const auto exact = static_cast<double>(values[rank]);
    EXPECT_NEAR(static_cast<double>(histogram->percentile(percent)), exact, exact / 100 + 1);
  }
}

TEST(Histogram, merge_is_recording_in_one) {
  const auto one = std::make_unique<Histogram>();
  const auto other = std::make_unique<Histogram>();
  one->record(10);
  other->record(1'000'000);
  other->record(5);
  one->merge(*other);
  EXPECT_EQ(one->count(), 3u);
  EXPECT_EQ(one->min(), 5u);
  EXPECT_EQ(one->max(), 1'000'000u);
  EXPECT_EQ(one->percentile(50), 10u);
}

TEST(Histogram, count_between_counts_whole_buckets) {
  const auto histogram = std::make_unique<Histogram>();
  for (const std::uint64_t ns : {0u, 249u, 250u, 499u, 500u}) histogram->record(ns);
  EXPECT_EQ(histogram->count_between(0, 250), 2u);
  // 499 shares its bucket with 498, 500 with 501.
  EXPECT_EQ(histogram->count_between(250, 500), 2u);
  EXPECT_EQ(histogram->count_between(500, 1000), 1u);
}

}  // namespace
}  // namespace pollux::tool
