// tsc_clock_test.cc - the counter's clock against CLOCK_MONOTONIC.
#include "drivers/dpdk/tsc_clock.h"

#include <emmintrin.h>
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace pollux {
namespace {

std::int64_t monotonic_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// This clock is the one thing here that real time is about: 60 ms of it, through six alignments.
// fault-clock.
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

// Waits, the softirq thread and those inside a Stack ask one clock. What one thread was told must
// not lie in another's future: TCP would drop what comes with such a time stamp (RFC 7323 5.3).
TEST(TscClock, several_threads_share_one_time_that_never_goes_back) {
  TscClock clock;
  std::atomic<std::int64_t> latest{0};
  std::atomic<int> went_back{0};
  std::atomic<int> wild{0};
  const std::int64_t end = monotonic_ns() + 200'000'000;  // twenty alignments
  const auto ask = [&] {
    while (monotonic_ns() < end) {
      const std::int64_t known = latest.load(std::memory_order_seq_cst);
      _mm_lfence();  // or the counter may be read before the load is done
      const std::int64_t now = clock.now().to_ns();
      if (now < known - 10'000) ++went_back;  // counters differ by some ticks, two rates by more
      if (now > monotonic_ns() + 10'000'000) ++wild;
      std::int64_t seen = known;
      while (seen < now && !latest.compare_exchange_weak(seen, now)) continue;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(ask);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(went_back, 0);
  EXPECT_EQ(wild, 0);
}

// Who comes second after a pause is told the time too, not the time before the pause.
TEST(TscClock, a_pause_does_not_leave_several_threads_behind) {
  TscClock clock;
  std::atomic<int> behind{0};
  std::atomic<int> round{0};
  const auto ask = [&] {
    for (int i = 0; i < 3; ++i) {
      const std::int64_t before = monotonic_ns();
      if (clock.now().to_ns() < before - 1'000'000) ++behind;
    }
  };
  constexpr int kRounds = 30;
  std::thread second([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round < i) continue;  // so that both ask at the same moment, if both run
      ask();
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    const timespec pause{0, 15'000'000};  // an alignment lasts 10 ms
    nanosleep(&pause, nullptr);
    round = i;
    ask();
  }
  second.join();
  EXPECT_EQ(behind, 0);
}

// fault-clock.
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
