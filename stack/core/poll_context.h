// poll_context.h - StackPollContext: how a wait polls the stacks, and how it sleeps.
#pragma once

#include <vector>

#include "epoll/busy_poll.h"
#include "stack/base/clock.h"
#include "stack/core/napi.h"

namespace pollux {

// Owned by the Host. Any thread.
class StackPollContext final : public PollContext {
 public:
  StackPollContext(Clock& clock, Duration poll_ceiling)
      : clock_(clock), poll_ceiling_(poll_ceiling) {}
  // Before any thread waits. `napi` is number `index` of NapiSet's bits, in the order of the calls.
  void add(Napi& napi) { napis_.push_back(&napi); }

  Instant now() override { return clock_.now(); }
  Instant poll(NapiSet napis, unsigned budget) override;
  SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override;
  void end_sleeps(Sleeper& sleeper) override;
  void suspend_irqs(NapiSet napis) override;
  void resume_irqs(NapiSet napis) override;
  // The softirq thread's sleep: it claims only what no waiter has.
  SleepEnd sleep_as_softirq(Sleeper& sleeper, const SleepRequest& request);

 private:
  class Claims;
  SleepEnd sleep_with(Claims& claims, Sleeper& sleeper, const SleepRequest& request);
  SleepEnd end_of_busy_sleep(const SleepRequest& request, SleepEnd how);

  Clock& clock_;
  const Duration poll_ceiling_;
  std::vector<Napi*> napis_;
};

}  // namespace pollux
