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

// MUST-8, SHLD-1; 6528-3, V9: one tuple's numbers only grow, as long as the circle is.
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

// SHLD-1; MUST-9; V9: a restart draws another secret.
TEST(Isn, must_9_another_secret_gives_another_number) {
  int same = 0;
  for (std::uint32_t n = 0; n < 1000; ++n) {
    same += initial_sequence_number(nth_tuple(n), kKey, Instant()) ==
            initial_sequence_number(nth_tuple(n), kOtherKey, Instant());
  }
  EXPECT_LE(same, 1);
}

TEST(Isn, every_part_of_the_tuple_counts) {  // SHLD-1
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

// 6528-3, V9: chi-square of each octet of 10^6 numbers over 256 bins: 255 degrees of freedom, 330.5
// at p = 0.001.
TEST(Isn, rfc_6528_3_numbers_of_neighbouring_tuples_are_spread_evenly) {
  constexpr std::uint32_t kSamples = 1'000'000;
  std::array<std::array<double, 256>, 4> bins{};
  for (std::uint32_t n = 0; n < kSamples; ++n) {
    const std::uint32_t isn = initial_sequence_number(nth_tuple(n), kKey, Instant()).value();
    for (unsigned octet = 0; octet < 4; ++octet) ++bins[octet][isn >> 8 * octet & 0xff];
  }
  const double expected = kSamples / 256.0;
  for (const auto& octet : bins) {
    double chi_square = 0;
    for (const double count : octet) chi_square += (count - expected) * (count - expected);
    EXPECT_LT(chi_square / expected, 330.5);
  }
}

// The inverse of an odd number modulo 2^32.
std::uint32_t inverse_of(std::uint32_t odd) {
  std::uint32_t inverse = odd;
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}

// V9 (NUMBER:JACK): who has seen the numbers of three connections and takes them for a counter's or
// a linear congruential generator's foretells the next less than once in 2^20.
TEST(Isn, nothing_linear_foretells_the_next) {
  constexpr std::uint32_t kSamples = 1'000'000;
  std::uint32_t seen[3] = {0, 0, 0};
  std::uint32_t hits = 0, tries = 0;
  for (std::uint32_t n = 0; n < kSamples; ++n) {
    const Instant now = Instant() + Duration::us(n);
    const std::uint32_t isn = initial_sequence_number(nth_tuple(n), kKey, now).value();
    const std::uint32_t first = seen[1] - seen[0], second = seen[2] - seen[1];
    if (n >= 3) {
      hits += isn == seen[2] + second;
      if ((first & 1) != 0) hits += isn == seen[2] + second * inverse_of(first) * second;
      ++tries;
    }
    seen[0] = seen[1], seen[1] = seen[2], seen[2] = isn;
  }
  EXPECT_LT(hits, tries * 0x1p-20);
}

// 6528-3, V9.
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

TEST(Isn, rfc_7323_7_1_timestamp_offsets_are_spread_and_fixed_per_tuple) {  // 7323-7.1
  std::array<unsigned, 16> bins{};
  for (std::uint32_t n = 0; n < 16'000; ++n) ++bins[timestamp_offset(nth_tuple(n), kKey) >> 28];
  for (const unsigned count : bins) EXPECT_NEAR(count, 1000, 200);
  EXPECT_EQ(timestamp_offset(nth_tuple(5), kKey), timestamp_offset(nth_tuple(5), kKey));
}

}  // namespace
}  // namespace pollux::tcp
