// manual_clock.h - a Clock that stands still until the test moves it.
#pragma once

#include "stack/base/clock.h"

namespace pollux::testing_support {

class ManualClock final : public Clock {
 public:
  Instant now() override { return now_; }
  void advance(Duration by) { now_ = now_ + by; }
  void set(Instant to) { now_ = to; }

 private:
  Instant now_ = Instant::from_ns(1'000'000'000);
};

}  // namespace pollux::testing_support
