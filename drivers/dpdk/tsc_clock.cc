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
constexpr std::int64_t kMarginNs = 1'000;         // between two ways to read one clock
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

Instant TscClock::Line::at(std::uint64_t ticks) const {
  const auto passed =
      static_cast<std::uint64_t>((static_cast<unsigned __int128>(ticks) * multiplier) >> 32);
  return Instant::from_ns(ns + static_cast<std::int64_t>(passed));
}

TscClock::Line TscClock::SharedLine::load() const {
  return {tsc.load(std::memory_order_acquire), ns.load(std::memory_order_acquire),
          multiplier.load(std::memory_order_acquire), interval.load(std::memory_order_acquire)};
}

void TscClock::SharedLine::store(const Line& line) {
  tsc.store(line.tsc, std::memory_order_release);
  ns.store(line.ns, std::memory_order_release);
  multiplier.store(line.multiplier, std::memory_order_release);
  interval.store(line.interval, std::memory_order_release);
}

TscClock::TscClock() {
  if (!has_invariant_tsc()) return;
  const Reading first = read_pair();
  Reading second = first;
  while (second.ns - first.ns < kFirstSpanNs) second = read_pair();
  const std::uint64_t multiplier = rate(second.ns - first.ns, second.tsc - first.tsc);
  anchor_tsc_ = first.tsc;
  anchor_ns_ = first.ns;
  publish({second.tsc, second.ns, multiplier,
           (static_cast<std::uint64_t>(kMinSpanNs) << 32) / multiplier});
}

void TscClock::publish(const Line& line) {
  const std::uint32_t next = generation_.load(std::memory_order_relaxed) + 1;
  lines_[next % 2].store(line);
  generation_.store(next, std::memory_order_release);
}

Instant TscClock::now() {
  for (;;) {
    const std::uint32_t generation = generation_.load(std::memory_order_acquire);
    const Line line = lines_[generation % 2].load();
    if (generation_.load(std::memory_order_relaxed) != generation) continue;
    if (line.multiplier == 0) return Instant::from_ns(read_ns(CLOCK_MONOTONIC));
    const std::uint64_t tsc = __rdtsc();
    const std::uint64_t ticks = tsc - line.tsc;
    if (ticks < line.interval) return line.at(ticks);
    return realign(line, generation, tsc);
  }
}

// Until the next alignment the clock runs so much faster or slower that it meets CLOCK_MONOTONIC
// there.
Instant TscClock::realign(const Line& line, std::uint32_t generation, std::uint64_t tsc) {
  // A counter behind the base: another processor's, a few ticks off.
  if (static_cast<std::int64_t>(tsc - line.tsc) < 0) return Instant::from_ns(line.ns);
  const Instant shown = line.at(line.interval);  // of this line nothing later was ever returned
  const bool is_ours = !is_realigning_.exchange(true, std::memory_order_acquire);
  if (generation_.load(std::memory_order_acquire) != generation) {  // somebody has just done it
    if (is_ours) is_realigning_.store(false, std::memory_order_release);
    return now();
  }
  // Another thread is at it, and may be kept from it. Its line will lie nowhere below this.
  if (!is_ours) return std::max(shown, Instant::from_ns(read_ns(CLOCK_MONOTONIC) - kMarginNs));
  const Reading true_now = read_pair();
  std::uint64_t multiplier = line.multiplier;
  if (true_now.ns - anchor_ns_ >= kMinSpanNs) {
    multiplier = rate(true_now.ns - anchor_ns_, true_now.tsc - anchor_tsc_);
    anchor_tsc_ = true_now.tsc;
    anchor_ns_ = true_now.ns;
  }
  Line next{true_now.tsc, std::max(true_now.ns, shown.to_ns()), 0, 0};
  next.interval = (static_cast<std::uint64_t>(kIntervalNs) << 32) / multiplier;
  const std::int64_t ahead = std::min(next.ns - true_now.ns, kIntervalNs / 2);
  next.multiplier = rate(kIntervalNs - ahead, next.interval);
  publish(next);
  is_realigning_.store(false, std::memory_order_release);
  return Instant::from_ns(next.ns);
}

Duration TscClock::time_of_day_offset() {
  return Duration::ns(read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC));
}

}  // namespace pollux
