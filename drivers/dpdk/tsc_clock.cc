// tsc_clock.cc - calibration against CLOCK_MONOTONIC, in use rather than beforehand.
#include "drivers/dpdk/tsc_clock.h"

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#include <algorithm>

namespace pollux {
namespace {

constexpr std::int64_t kFirstSpanNs = 100'000;    // a first rate, good to some 500 ppm
constexpr std::int64_t kIntervalNs = 10'000'000;  // so a wrong rate shows for 10 ms at most
constexpr std::int64_t kMinSpanNs = 1'000'000;    // shorter spans give no better rate

struct Reading {
  std::uint64_t tsc;
  std::int64_t ns;
};

std::int64_t read_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// The tightest of a few attempts: an interrupt between the two readings costs one attempt.
Reading read_pair() {
  Reading best{};
  std::uint64_t narrowest = UINT64_MAX;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const std::uint64_t before = __rdtsc();
    const std::int64_t ns = read_ns(CLOCK_MONOTONIC);
    const std::uint64_t width = __rdtsc() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    best = {before + width / 2, ns};
  }
  return best;
}

bool has_invariant_tsc() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

std::uint64_t rate(std::int64_t ns, std::uint64_t ticks) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(ns) << 32) / ticks);
}

}  // namespace

TscClock::TscClock() {
  if (!has_invariant_tsc()) return;
  const Reading first = read_pair();
  Reading second = first;
  while (second.ns - first.ns < kFirstSpanNs) second = read_pair();
  multiplier_ = rate(second.ns - first.ns, second.tsc - first.tsc);
  anchor_tsc_ = first.tsc;
  anchor_ns_ = first.ns;
  base_tsc_ = second.tsc;
  base_ns_ = second.ns;
  interval_ = (static_cast<std::uint64_t>(kMinSpanNs) << 32) / multiplier_;
}

std::int64_t TscClock::at(std::uint64_t ticks) const {
  return base_ns_ + static_cast<std::int64_t>(static_cast<std::uint64_t>(
                        (static_cast<unsigned __int128>(ticks) * multiplier_) >> 32));
}

Instant TscClock::now() {
  if (multiplier_ == 0) return Instant::from_ns(read_ns(CLOCK_MONOTONIC));
  const std::uint64_t tsc = __rdtsc();
  const std::uint64_t ticks = tsc - base_tsc_;
  if (ticks < interval_) return Instant::from_ns(at(ticks));
  return realign(tsc);
}

// Until the next alignment the clock runs so much faster or slower that it meets CLOCK_MONOTONIC
// there.
Instant TscClock::realign(std::uint64_t tsc) {
  // A counter behind the base: another processor's, a few ticks off.
  if (static_cast<std::int64_t>(tsc - base_tsc_) < 0) return Instant::from_ns(base_ns_);
  const std::int64_t shown = at(interval_);  // nothing later was ever returned
  const Reading true_now = read_pair();
  if (true_now.ns - anchor_ns_ >= kMinSpanNs) {
    multiplier_ = rate(true_now.ns - anchor_ns_, true_now.tsc - anchor_tsc_);
    anchor_tsc_ = true_now.tsc;
    anchor_ns_ = true_now.ns;
  }
  base_tsc_ = true_now.tsc;
  base_ns_ = std::max(true_now.ns, shown);
  interval_ = (static_cast<std::uint64_t>(kIntervalNs) << 32) / multiplier_;
  const std::int64_t ahead = std::min(base_ns_ - true_now.ns, kIntervalNs / 2);
  multiplier_ = rate(kIntervalNs - ahead, interval_);
  return Instant::from_ns(base_ns_);
}

Duration TscClock::time_of_day_offset() {
  return Duration::ns(read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC));
}

}  // namespace pollux
