// clock.h - the one source of now; read once per entry, then passed as an argument.
#pragma once

#include "stack/base/instant.h"

namespace pollux {

// Two implementations: the time stamp counter (drivers/dpdk/tsc_clock.h) and the simulation's.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() = 0;
};

}  // namespace pollux
