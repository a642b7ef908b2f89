// tsc_clock_test.cc - the counter's clock against CLOCK_MONOTONIC.
#include "drivers/dpdk/tsc_clock.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <vector>

namespace pollux {
namespace {

std::int64_t monotonic_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// This clock is the one thing here that real time is about: 60 ms of it, through six alignments.
TEST(TscClock, follows_the_monotonic_clock_and_never_goes_back) {
  TscClock clock;
  Instant last = clock.now();
  std::vector<std::int64_t> distances;
  const std::int64_t end = monotonic_ns() + 60'000'000;
  while (monotonic_ns() < end) {
    const std::int64_t before = monotonic_ns();
    const Instant now = clock.now();
    const std::int64_t after = monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
    distances.push_back(std::max({before - now.to_ns(), now.to_ns() - after, std::int64_t{0}}));
  }
  std::sort(distances.begin(), distances.end());
  // The last thousandth may be a machine that took the processor away.
  EXPECT_LT(distances[distances.size() * 999 / 1000], 5'000);
}

TEST(TscClock, a_pause_does_not_leave_it_behind) {
  TscClock clock;
  const Instant first = clock.now();
  const timespec pause{0, 30'000'000};
  nanosleep(&pause, nullptr);
  const std::int64_t before = monotonic_ns();
  const Instant now = clock.now();
  const std::int64_t after = monotonic_ns();
  EXPECT_GE(now - first, Duration::ms(30));
  EXPECT_GE(now.to_ns(), before - 5'000);
  EXPECT_LE(now.to_ns(), after + 5'000);
}

TEST(TscClock, time_of_day_is_the_time_of_day) {
  TscClock clock;
  const std::int64_t seconds =
      (clock.now() + TscClock::time_of_day_offset()).to_ns() / 1'000'000'000;
  EXPECT_NEAR(static_cast<double>(seconds), static_cast<double>(time(nullptr)), 2);
}

}  // namespace
}  // namespace pollux
