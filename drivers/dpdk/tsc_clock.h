// tsc_clock.h - the monotonic clock read from the time stamp counter: 8.2 ns instead of 18.4.
#pragma once

#include "stack/base/clock.h"

namespace pollux {

// Follows CLOCK_MONOTONIC within a few microseconds (re-aligned every 10 ms of use, and after every
// longer pause); never goes backwards. One thread at a time: each Stack has its own. On a processor
// without an invariant counter it is CLOCK_MONOTONIC itself.
class TscClock final : public Clock {
 public:
  TscClock();
  Instant now() override;
  // now() plus this is the time of day; for captures and logs.
  static Duration time_of_day_offset();

 private:
  std::int64_t at(std::uint64_t ticks) const;
  Instant realign(std::uint64_t tsc);

  std::uint64_t base_tsc_ = 0;
  std::int64_t base_ns_ = 0;
  std::uint64_t multiplier_ = 0;  // ns per tick, 32.32 fixed point; 0: no usable counter
  std::uint64_t interval_ = 0;    // ticks after which the base is renewed
  std::uint64_t anchor_tsc_ = 0;  // a pair of readings that belong together: what the rate is
  std::int64_t anchor_ns_ = 0;    // measured from
};

}  // namespace pollux
