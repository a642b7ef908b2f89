// napi.h - Napi: polling one Stack; who polls it when several threads could.
//
// States, by who has the claim (Linux: NAPI_STATE_SCHED and friends):
//
//   idle ----- a waiter sleeps ------> armed      it has the receive interrupts in its kernel wait
//   idle ----- nobody polled for long > softirq   the softirq thread does
//   softirq -- a waiter sleeps ------> armed      the softirq thread is told and lets go
//   softirq -- a waiter polls -------> idle       likewise: its interrupts would cost each poll
//   armed ---- its wait is over -----> idle       and one of the other sleepers is woken as
//   successor
//
// poll() needs no claim: whoever has something to gain polls, one at a time by the Stack's entry.
//
// Attended (Linux: NAPI polls with the interrupt masked as long as packets keep coming): packets
// keep coming while threads that are awake poll. Then the holder sleeps beside them,
// without interrupts and without entering, until nobody has polled for kAttention or nobody else is
// awake. So it does when its own sleeps find only packets of others, who share its processor and do
// not get as far as their next poll (SleepRequest::leaves_packets).
//
// Armed is not always with interrupts (epoll-behaviours 13.11, 13.12). Put off: the first
// napi_defer_hard_irqs empty polls after traffic are gro_flush_timeout apart, and only then is
// there an interrupt. Suspended: a set that prefers busy polling has delivered events; until it has
// spun in vain, or irq_suspend_timeout has passed, sleepers wait without interrupts for its polls,
// and the softirq thread stays out.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "epoll/event_fd.h"
#include "stack/base/clock.h"
#include "stack/core/stack.h"

namespace pollux {

class Softirq;

// Owned by the Host, one for each Stack. Its mutex is at the edge: never taken inside the Stack.
class Napi {
 public:
  enum class Claim : std::uint8_t { none, waiter, softirq };

  // So many polls that found packets, while others than the holder poll at least every kAttention,
  // make it attended. A packet for a thread that sleeps waits at most so long if they stop; a
  // thread that answers 64 connections polls about as often.
  static constexpr unsigned kBusyPolls = 8;
  static constexpr Duration kAttention = Duration::us(100);

  Napi(Stack& stack, Clock& clock, const IrqParams& irqs)
      : stack_(stack), clock_(clock), irqs_(irqs) {}

  // Enters; one burst of at most `budget` packets from each device; timers; flush. Returns now.
  // `who`: the claim that the caller has; none for a thread of the application that is awake.
  Instant poll(unsigned budget, Claim who);
  // Whether the last poll() found a packet or a due timer.
  bool was_busy() const { return was_busy_.load(std::memory_order_relaxed); }
  // When a thread of the application last polled.
  Instant last_attended() const {
    return Instant::from_ns(last_attended_ns_.load(std::memory_order_relaxed));
  }

  bool is_attended(Instant now) const { return now < attended_until(); }
  Instant attended_until() const {
    return Instant::from_ns(attended_until_ns_.load(std::memory_order_relaxed));
  }
  // The holder found only packets of others, who are awake but have not come to poll: once more it
  // leaves the next to them, for kAttention.
  void leave_to_others(Instant now) {
    attended_until_ns_.store((now + kAttention).to_ns(), std::memory_order_relaxed);
  }

  // The right to sleep on the device, until release(). False: another waiter has it; `sleeper` is
  // then woken when that one leaves. A waiter takes the claim from the softirq thread. To be said
  // again before each sleep.
  bool claim(Sleeper& sleeper, Claim kind);
  // Gives back a claim, or the place among those who would succeed.
  void release(Sleeper& sleeper);
  Claim claimed_by() const { return kind_.load(std::memory_order_relaxed); }

  // Any thread. The first suspension and a resumption wake whoever has the claim, so that it sleeps
  // on as it should then. Linux: napi_suspend_irqs(), napi_resume_irqs().
  void suspend_irqs();
  void resume_irqs();
  bool is_suspended(Instant now) const { return now < suspended_until(); }
  // Whether the claim's holder is to have interrupts now; if not, until when it sleeps without
  // (which counts as one of the polls that interrupts are put off for).
  bool may_arm(Instant now) const {
    return !is_suspended(now) && deferrals_left_.load(std::memory_order_relaxed) == 0;
  }
  Instant next_arming(Instant now);

  Stack& stack() { return stack_; }
  // Hears when a waiter leaves; null: there is none. Before threads, or with none waiting.
  void set_softirq(Softirq* softirq) { softirq_.store(softirq); }
  // How long to pause before the next poll of devices without interrupts: grows while they are
  // idle.
  Duration next_pause(Duration ceiling);

 private:
  Instant poll_inside(unsigned budget, Claim who);
  Instant poll_entered(unsigned budget, Claim who);
  void give_way();
  void wake_softirq();
  void wake_holder();
  void note_attention(Instant now, Claim who);
  void end_attention();
  Instant suspended_until() const {
    return Instant::from_ns(suspended_until_ns_.load(std::memory_order_relaxed));
  }
  Claim leave(Sleeper& sleeper);  // the one that it had

  Stack& stack_;
  Clock& clock_;
  const IrqParams irqs_;
  std::atomic<std::int64_t> suspended_until_ns_{0};
  std::atomic<std::uint32_t> deferrals_left_{0};
  std::atomic<std::int64_t> last_attended_ns_{0};
  std::atomic<std::int64_t> attended_until_ns_{0};
  std::atomic<std::int64_t> others_polled_ns_{0};  // than the claim's holder
  std::atomic<unsigned> busy_polls_{0};
  std::atomic<bool> was_busy_{false};
  Duration pause_;  // touched by the claim's holder
  std::atomic<Softirq*> softirq_{nullptr};
  std::mutex mutex_;
  Sleeper* holder_ = nullptr;
  std::atomic<Claim> kind_{Claim::none};
  std::vector<Sleeper*> successors_;
};

}  // namespace pollux
