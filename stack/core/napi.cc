// napi.cc - one poll, and the claim to sleep on a device.
#include "stack/core/napi.h"

#include <sched.h>

#include <algorithm>

#include "drivers/dpdk/eal.h"
#include "stack/core/softirq.h"

namespace pollux {
namespace {
constexpr Duration kFirstPause = Duration::us(10);
// A woken thread needs 30 to 60 us on these machines until it runs.
constexpr Duration kGiveWay = Duration::us(100);
}  // namespace

Instant Napi::poll(unsigned budget, Claim who) {
  if (stack_.entry().is_contended()) give_way();
  if (who != Claim::softirq && claimed_by() == Claim::softirq) wake_softirq();
  const Instant now = poll_inside(budget, who);
  if (who != Claim::softirq) {
    if (claimed_by() == Claim::waiter) note_attention(now, who);
    last_attended_ns_.store(now.to_ns(), std::memory_order_relaxed);
  }
  return now;
}

Instant Napi::poll_inside(unsigned budget, Claim who) {
  Instant now;
  NapiSet posted = 0;
  {
    const Entered entered(stack_.entry());
    const LcoreScope lcore(stack_.index());
    now = poll_entered(budget, who);
    posted = stack_.take_posted();
  }
  stack_.deliver(posted);
  return now;
}

Instant Napi::poll_entered(unsigned budget, Claim who) {
  const Instant now = stack_.read_clock();
  const bool busy = stack_.poll(budget, now);
  was_busy_.store(busy, std::memory_order_relaxed);
  if (busy) deferrals_left_.store(irqs_.napi_defer_hard_irqs, std::memory_order_relaxed);
  if (who == Claim::softirq) ++stack_.counters().softirq_polls;
  return now;
}

// An interrupt then wakes a sleeper for packets that a thread in its way was about to fetch, and
// while interrupts are on, each burst is a system call at both ends. Four threads of a server on
// one core, 256 connections: 0.9 of one thread's rate, without 0.6 to 0.7.
void Napi::note_attention(Instant now, Claim who) {
  const bool is_other = who == Claim::none;
  const std::int64_t before = others_polled_ns_.load(std::memory_order_relaxed);
  const std::int64_t until = (now + kAttention).to_ns();
  if (is_other) others_polled_ns_.store(now.to_ns(), std::memory_order_relaxed);
  if (is_attended(now)) {
    if (is_other) attended_until_ns_.store(until, std::memory_order_relaxed);
    return;
  }
  if (now - Instant::from_ns(before) > kAttention) busy_polls_.store(0, std::memory_order_relaxed);
  if (!was_busy() || busy_polls_.fetch_add(1, std::memory_order_relaxed) + 1 < kBusyPolls) return;
  std::lock_guard lock(mutex_);
  attended_until_ns_.store(until, std::memory_order_relaxed);
  if (!is_other || !holder_) return;
  // At once: on a crowded core it is long until the holder runs and does it itself.
  Entered entered(stack_.entry());
  stack_.disarm(*holder_);
  holder_->nudge();
}

// The calling thread is about to sleep, the last that was awake. The mutex is held.
void Napi::end_attention() {
  if (Sleeper::awake() > 1) return;
  busy_polls_.store(0, std::memory_order_relaxed);
  if (attended_until_ns_.exchange(0) > clock_.now().to_ns() && holder_) holder_->nudge();
}

// Without it a thread that spins here keeps those out that sleep at the door.
void Napi::give_way() {
  const Instant end = clock_.now() + kGiveWay;
  while (stack_.entry().is_contended() && clock_.now() < end) sched_yield();
}

// With the interrupts armed each burst of some drivers' is a system call (memif: 1 us and more).
// The softirq thread lets go, and comes back only when nobody has polled for long.
void Napi::wake_softirq() {
  std::lock_guard lock(mutex_);
  if (kind_.load(std::memory_order_relaxed) == Claim::softirq) holder_->wake();
}

bool Napi::claim(Sleeper& sleeper, Claim kind) {
  std::lock_guard lock(mutex_);
  if (kind == Claim::waiter) end_attention();
  if (holder_ == &sleeper) return true;  // since its last sleep
  const bool is_free = holder_ == nullptr;
  const bool takes_over =
      kind == Claim::waiter && kind_.load(std::memory_order_relaxed) == Claim::softirq;
  if (!is_free && !takes_over) {
    const bool is_known =
        std::find(successors_.begin(), successors_.end(), &sleeper) != successors_.end();
    if (kind == Claim::waiter && !is_known) successors_.push_back(&sleeper);
    return false;
  }
  if (takes_over) holder_->wake();
  holder_ = &sleeper;
  kind_.store(kind, std::memory_order_relaxed);
  pause_ = kFirstPause;
  return true;
}

// Whoever leaves while nobody has the claim wakes one of those who would: the holder's successor,
// or, if that one had an event of its own and never claimed, the next.
void Napi::release(Sleeper& sleeper) {
  const Claim had = leave(sleeper);
  Softirq* softirq = softirq_.load();
  if (had == Claim::waiter && softirq) softirq->note_left();
}

Napi::Claim Napi::leave(Sleeper& sleeper) {
  std::lock_guard lock(mutex_);
  Claim had = Claim::none;
  if (holder_ == &sleeper) {
    had = claimed_by();
    holder_ = nullptr;
    kind_.store(Claim::none, std::memory_order_relaxed);
  } else {
    std::erase(successors_, &sleeper);
  }
  if (holder_ || successors_.empty()) return had;
  successors_.front()->wake();
  successors_.erase(successors_.begin());
  return had;
}

void Napi::suspend_irqs() {
  if (irqs_.irq_suspend_timeout == 0) return;
  const std::int64_t now = clock_.now().to_ns();
  const std::int64_t before = suspended_until_ns_.exchange(now + irqs_.irq_suspend_timeout);
  if (before <= now) wake_holder();
}

void Napi::resume_irqs() {
  if (suspended_until_ns_.exchange(0) > clock_.now().to_ns()) wake_holder();
}

void Napi::wake_holder() {
  std::lock_guard lock(mutex_);
  if (holder_) holder_->wake();
}

Instant Napi::next_arming(Instant now) {
  if (is_suspended(now)) return suspended_until();
  const std::uint32_t left = deferrals_left_.load(std::memory_order_relaxed);
  if (left == 0) return Instant::never();
  deferrals_left_.store(left - 1, std::memory_order_relaxed);
  return now + Duration::ns(irqs_.gro_flush_timeout);
}

Duration Napi::next_pause(Duration ceiling) {
  if (was_busy()) pause_ = kFirstPause;
  const Duration pause = std::min(pause_, ceiling);
  pause_ = std::min(pause_ * 2, ceiling);
  return pause;
}

}  // namespace pollux
