// look_only.h - LookOnly: what a wait has for a world when the simulation does the polling.
#pragma once

#include "epoll/busy_poll.h"
#include "tests/sim/sim_clock.h"

namespace pollux::sim {

class LookOnly final : public PollContext {
 public:
  explicit LookOnly(SimClock& clock) : clock_(clock) {}
  Instant now() override { return clock_.now(); }
  Instant poll(NapiSet, unsigned) override { return clock_.now(); }
  SleepEnd sleep(Sleeper&, const SleepRequest&) override { return SleepEnd::timed_out; }

 private:
  SimClock& clock_;
};

}  // namespace pollux::sim
