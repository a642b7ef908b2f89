// softirq.h - Softirq: the thread that polls when nobody waits (Linux: ksoftirqd).
#pragma once

#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "stack/core/poll_context.h"

namespace pollux {

// Asleep while application threads poll; takes over, of several queues each for itself, when none
// has done so for `takeover`. Owned by the Host in threads = "shared". Started with all signals
// blocked and the process's affinity.
class Softirq {
 public:
  // `napis`: those of the context, in its order.
  Softirq(StackPollContext& context, std::vector<Napi*> napis, Duration takeover);
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
  struct Look {
    Instant now;
    NapiSet unattended = 0;  // nobody has polled for `takeover`, no waiter sleeps on it
    bool all_others_are_claimed = false;  // by waiters; there are others
  };
  Look look() const;
  void run();
  void pause(bool deep);
  void serve(const Look& found, bool deep);
  void note_door(const pollfd& door);

  StackPollContext& context_;
  const std::vector<Napi*> napis_;
  const Duration takeover_;
  Instant claimed_since_;  // waiters sleep on all that is not unattended
  bool door_rang_ = false;
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_deep_{false};
  EventFd doorbell_;
  std::thread thread_;
};

}  // namespace pollux
