// sim_clock.h - SimClock: time that moves only when the simulation says so.
#pragma once

#include "stack/base/check.h"
#include "stack/base/clock.h"

namespace pollux::sim {

class SimClock final : public Clock {
 public:
  Instant now() override { return now_; }
  void advance_to(Instant t) {
    CHECK(t >= now_);
    now_ = t;
  }

 private:
  Instant now_ = Instant::from_ns(1'000'000'000);
};

}  // namespace pollux::sim
