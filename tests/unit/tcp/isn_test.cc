// isn_test.cc - initial sequence numbers and timestamp offsets: clock, secret, spread.
#include "stack/tcp/isn.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <vector>

namespace pollux::tcp {
namespace {

constexpr HashKey kKey = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr HashKey kOtherKey = {16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1};

FourTuple nth_tuple(std::uint32_t n) {
  return {.local = {.address = IpAddress::v4(198, 18, 0, 2), .port = 80},
          .remote = {.address = IpAddress::v4(0xc6120000u + n / 50000),
                     .port = static_cast<std::uint16_t>(1024 + n % 50000)}};
}

// MUST-8.
TEST(Isn, must_8_grows_by_one_every_4_us_for_one_tuple) {
  const FourTuple tuple = nth_tuple(7);
  const SeqNum first = initial_sequence_number(tuple, kKey, Instant::from_ns(0));
  for (const std::int64_t us : {4, 400, 4'000'000, 400'000'000}) {
    const SeqNum then = initial_sequence_number(tuple, kKey, Instant() + Duration::us(us));
    EXPECT_EQ(then - first, us / 4);
  }
}

TEST(Isn, goes_round_the_circle_with_the_clock) {
  const FourTuple tuple = nth_tuple(7);
  const Duration circle = Duration::us(4) * (std::int64_t{1} << 32);
  EXPECT_EQ(initial_sequence_number(tuple, kKey, Instant()),
            initial_sequence_number(tuple, kKey, Instant() + circle));
}

// MUST-9.
TEST(Isn, must_9_another_secret_gives_another_number) {
  int same = 0;
  for (std::uint32_t n = 0; n < 1000; ++n) {
    same += initial_sequence_number(nth_tuple(n), kKey, Instant()) ==
            initial_sequence_number(nth_tuple(n), kOtherKey, Instant());
  }
  EXPECT_LE(same, 1);
}

TEST(Isn, every_part_of_the_tuple_counts) {
  const FourTuple base = nth_tuple(1);
  FourTuple changed[4] = {base, base, base, base};
  changed[0].local.address = IpAddress::v4(198, 18, 0, 3);
  changed[1].local.port = 81;
  changed[2].remote.address = IpAddress::v4(198, 18, 0, 3);
  changed[3].remote.port = 9;
  for (const FourTuple& other : changed) {
    EXPECT_NE(keyed_hash(base, kKey), keyed_hash(other, kKey));
  }
}

// Chi-square over 256 bins of the upper octet and of the lower: 255 degrees of freedom, 99.99 %
// below 345.
TEST(Isn, rfc_6528_3_numbers_of_neighbouring_tuples_are_spread_evenly) {
  constexpr std::uint32_t kSamples = 1'000'000;
  std::array<double, 256> upper{}, lower{};
  for (std::uint32_t n = 0; n < kSamples; ++n) {
    const std::uint32_t isn = initial_sequence_number(nth_tuple(n), kKey, Instant()).value();
    ++upper[isn >> 24];
    ++lower[isn & 0xff];
  }
  const double expected = kSamples / 256.0;
  double chi_upper = 0, chi_lower = 0;
  for (unsigned i = 0; i < 256; ++i) {
    chi_upper += (upper[i] - expected) * (upper[i] - expected) / expected;
    chi_lower += (lower[i] - expected) * (lower[i] - expected) / expected;
  }
  EXPECT_LT(chi_upper, 345);
  EXPECT_LT(chi_lower, 345);
}

TEST(Isn, rfc_6528_3_successive_tuples_are_not_correlated) {
  constexpr std::uint32_t kSamples = 1'000'000;
  double sum = 0, squares = 0, products = 0, before = 0;
  for (std::uint32_t n = 0; n < kSamples; ++n) {
    const double x = initial_sequence_number(nth_tuple(n), kKey, Instant()).value() * 0x1p-32 - 0.5;
    sum += x;
    squares += x * x;
    products += x * before;
    before = x;
  }
  const double mean = sum / kSamples;
  const double variance = squares / kSamples - mean * mean;
  EXPECT_LT(std::abs(products / kSamples - mean * mean) / variance, 0.01);
}

TEST(Isn, rfc_7323_7_1_timestamp_offsets_are_spread_and_fixed_per_tuple) {
  std::array<unsigned, 16> bins{};
  for (std::uint32_t n = 0; n < 16'000; ++n) ++bins[timestamp_offset(nth_tuple(n), kKey) >> 28];
  for (const unsigned count : bins) EXPECT_NEAR(count, 1000, 200);
  EXPECT_EQ(timestamp_offset(nth_tuple(5), kKey), timestamp_offset(nth_tuple(5), kKey));
}

}  // namespace
}  // namespace pollux::tcp
