// look_only.h - LookOnly: what a wait has for a world when the test or simulation does the polling.
#pragma once

#include "epoll/busy_poll.h"
#include "stack/base/clock.h"

namespace pollux::testing_support {

class LookOnly final : public PollContext {
 public:
  explicit LookOnly(Clock& clock) : clock_(clock) {}
  Instant now() override { return clock_.now(); }
  Instant poll(NapiSet, unsigned) override { return clock_.now(); }
  SleepEnd sleep(Sleeper&, const SleepRequest&) override { return SleepEnd::timed_out; }

 private:
  Clock& clock_;
};

}  // namespace pollux::testing_support
