// busy_poll.h - PollContext: what a waiter spins on and sleeps in; the parameters of busy polling.
#pragma once

#include <poll.h>
#include <signal.h>

#include <cstdint>
#include <span>

#include "epoll/event_fd.h"
#include "epoll/file.h"
#include "stack/base/instant.h"

namespace pollux {

// Linux: struct epoll_params (ioctl_eventpoll(2)); and what a socket keeps of SO_BUSY_POLL and its
// sisters. Eight octets, aligned so that a set can keep them in one lock-free atomic.
struct alignas(8) BusyPollParams {
  std::uint32_t busy_poll_usecs = 0;   // how long a wait spins before it sleeps; microseconds
  std::uint16_t busy_poll_budget = 0;  // packets per poll while spinning; 0: kBusyPollBudget
  bool prefer_busy_poll = false;       // interrupts stay suspended between two waits (13.12)
};

inline constexpr std::uint16_t kBusyPollBudget = 8;  // Linux: BUSY_POLL_BUDGET

// The first poll of a wait takes up to a whole burst; the budget bounds only the spin.
inline constexpr unsigned kFirstPollBudget = 64;

struct SleepRequest {
  NapiSet napis = 0;
  std::span<pollfd> kernel;  // kernel descriptors to sleep on too; revents filled in
  Instant deadline = Instant::never();
  const sigset_t* sigmask = nullptr;  // in force while asleep; null: leave it
  // Its packets were for other threads, which are awake: it leaves them the next, for a while.
  bool leaves_packets = false;
};

enum class SleepEnd : std::uint8_t {
  woken,         // somebody called the sleeper's wake()
  polled,        // packets or protocol timers were due and have been processed: look again
  rx_interrupt,  // the same, after a receive interrupt
  kernel,        // a kernel descriptor of the request is ready
  timed_out,     // the deadline has passed
  interrupted,   // a signal handler ran (EINTR)
};

// The bridge from waiting to polling. Two implementations: stack/core (device queues, the real
// sleep) and tests/support (virtual clock). Epoll knows nothing behind it. Called with nothing
// entered.
class PollContext {
 public:
  virtual ~PollContext() = default;
  virtual Instant now() = 0;
  // Polls each instance once, at most `budget` packets each: receives, runs timers, transmits, and
  // so may call wake() on entries. An instance that another thread is polling is skipped. Returns
  // now.
  virtual Instant poll(NapiSet napis, unsigned budget) = 0;
  // Blocks until something of SleepEnd. Arms the receive interrupts of the instances that nobody
  // else polls and looks at them once more before blocking, so no packet is slept through. Returns
  // at once if the sleeper has been woken since its reset().
  virtual SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) = 0;
  // The wait that slept is over: who else sleeps may have the instances. Between the sleeps of one
  // wait they are kept, or each look in vain would wake a successor.
  virtual void end_sleeps(Sleeper&) {}
  // The program is busy with events and will poll again: until it does, or irq_suspend_timeout has
  // passed, no receive interrupt wakes anybody and the softirq thread stays out (13.12). Linux:
  // napi_suspend_irqs(), napi_resume_irqs(). A context without interrupts has nothing to suspend.
  virtual void suspend_irqs(NapiSet) {}
  virtual void resume_irqs(NapiSet) {}
};

}  // namespace pollux
