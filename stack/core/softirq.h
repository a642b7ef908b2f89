// softirq.h - Softirq: the thread that polls when nobody waits (Linux: ksoftirqd).
#pragma once

#include <atomic>
#include <thread>

#include "stack/core/poll_context.h"

namespace pollux {

// Asleep while application threads poll; takes over when none has done so for `takeover`. Owned by
// the Host in threads = "shared". Started with all signals blocked and the process's affinity.
class Softirq {
 public:
  Softirq(StackPollContext& context, Napi& napi, NapiSet napis, Duration takeover);
  Softirq(const Softirq&) = delete;
  Softirq& operator=(const Softirq&) = delete;
  ~Softirq();

  // An application thread has left a sleep: there may be something to take over from now on. Costs
  // a system call only after at least a second in which the device was attended by a sleeping
  // waiter.
  void note_left() {
    if (is_deep_.load(std::memory_order_relaxed)) doorbell_.signal();
  }

 private:
  void run();
  void wait_until_unattended();
  void serve();

  StackPollContext& context_;
  Napi& napi_;
  const NapiSet napis_;
  const Duration takeover_;
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_deep_{false};
  EventFd doorbell_;
  std::thread thread_;
};

}  // namespace pollux
