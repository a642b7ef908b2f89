// tsc_clock.h - the monotonic clock read from the time stamp counter: 8.2 ns instead of 18.4.
#pragma once

#include <array>
#include <atomic>

#include "stack/base/clock.h"

namespace pollux {

// Follows CLOCK_MONOTONIC within a few microseconds (re-aligned every 10 ms of use, and after every
// longer pause); never goes backwards. Any thread, also outside every Stack: waits and the softirq
// thread ask for the time before they enter. On a processor without an invariant counter it is
// CLOCK_MONOTONIC itself.
class TscClock final : public Clock {
 public:
  TscClock();
  Instant now() override;
  // now() plus this is the time of day; for captures and logs.
  static Duration time_of_day_offset();

 private:
  // From counter to time: a straight line, valid for `interval` ticks.
  struct Line {
    std::uint64_t tsc = 0;
    std::int64_t ns = 0;           // at tsc
    std::uint64_t multiplier = 0;  // ns per tick, 32.32 fixed point; 0: no usable counter
    std::uint64_t interval = 0;
    Instant at(std::uint64_t ticks) const;
  };
  // Read without a lock; the release and acquire of each word order it with generation_.
  struct SharedLine {
    std::atomic<std::uint64_t> tsc, multiplier, interval;
    std::atomic<std::int64_t> ns;
    Line load() const;
    void store(const Line& line);
  };
  void publish(const Line& line);
  Instant realign(const Line& line, std::uint32_t generation, std::uint64_t tsc);

  // The line in use is number generation_ % 2; the next one is written into the other, so nobody
  // ever waits for a writer. Who reads checks that the generation is still the same.
  std::atomic<std::uint32_t> generation_{0};
  std::array<SharedLine, 2> lines_{};
  std::atomic<bool> is_realigning_{false};
  // Two readings that belong together, what the rate is measured from: touched while realigning.
  std::uint64_t anchor_tsc_ = 0;
  std::int64_t anchor_ns_ = 0;
};

}  // namespace pollux
