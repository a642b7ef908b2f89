// poll_context.cc - spin, arm, look once more, block (design: "How a wait sleeps").
#include "stack/core/poll_context.h"

#include <cerrno>
#include <ctime>

namespace pollux {
namespace {

timespec to_timespec(Duration d) {
  const std::int64_t ns = d.to_ns() < 0 ? 0 : d.to_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

}  // namespace

// The instances this thread may sleep on, for the length of one sleep.
class StackPollContext::Claims {
 public:
  Claims(const std::vector<Napi*>& napis, NapiSet wanted, Sleeper& sleeper, Napi::Claim kind)
      : napis_(napis), wanted_(wanted), sleeper_(sleeper), kind_(kind) {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if ((wanted_ >> i & 1) == 0 || !napis_[i]->claim(sleeper_, kind)) continue;
      held_ |= NapiSet{1} << i;
      Entered entered(napis_[i]->stack().entry());
      napis_[i]->stack().arm_rx_interrupts();
    }
  }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;
  ~Claims() {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if (held_ >> i & 1) disarm(napis_[i]->stack());
      if (wanted_ >> i & 1) napis_[i]->release(sleeper_);
    }
  }

  // True: packets or timers have been processed.
  bool poll() {
    bool busy = false;
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if ((held_ >> i & 1) == 0) continue;
      napis_[i]->poll(kFirstPollBudget, kind_);
      busy = busy || napis_[i]->was_busy();
    }
    return busy;
  }
  // When the next poll is due without any interrupt.
  Instant next_poll(Instant now, Duration ceiling) {
    Instant next = Instant::never();
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if ((held_ >> i & 1) == 0) continue;
      Stack& stack = napis_[i]->stack();
      next = earlier(next, stack.next_timeout());
      if (stack.must_be_polled()) next = earlier(next, now + napis_[i]->next_pause(ceiling));
    }
    return next;
  }
  // From now until disarm, whoever sets an earlier timer wakes the sleeper.
  void announce_sleep(Instant until) {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if (held_ >> i & 1) napis_[i]->stack().set_asleep_until(until, &sleeper_);
    }
  }
  void add_descriptors(std::vector<pollfd>& fds) const {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if (held_ >> i & 1) napis_[i]->stack().add_rx_interrupt_fds(fds);
    }
  }

 private:
  void disarm(Stack& stack) {
    Entered entered(stack.entry());
    stack.set_asleep_until(Instant::never(), nullptr);
    stack.disarm_rx_interrupts();
  }

  const std::vector<Napi*>& napis_;
  const NapiSet wanted_;
  Sleeper& sleeper_;
  const Napi::Claim kind_;
  NapiSet held_ = 0;
};

Instant StackPollContext::poll(NapiSet napis, unsigned budget) {
  if (napis == 0) return clock_.now();
  Instant now;
  for (std::size_t i = 0; i < napis_.size(); ++i) {
    if (napis >> i & 1) now = napis_[i]->poll(budget, Napi::Claim::waiter);
  }
  return now;
}

SleepEnd StackPollContext::sleep(Sleeper& sleeper, const SleepRequest& request) {
  Claims claims(napis_, request.napis, sleeper, Napi::Claim::waiter);
  return sleep_with(claims, sleeper, request);
}

SleepEnd StackPollContext::sleep_as_softirq(Sleeper& sleeper, const SleepRequest& request) {
  Claims claims(napis_, request.napis, sleeper, Napi::Claim::softirq);
  return sleep_with(claims, sleeper, request);
}

SleepEnd StackPollContext::sleep_with(Claims& claims, Sleeper& sleeper,
                                      const SleepRequest& request) {
  if (claims.poll()) return SleepEnd::polled;  // what came before arming raised no interrupt
  // Of this thread for good: a sleep must not allocate each time.
  static thread_local std::vector<pollfd> fds;
  fds.assign(1, pollfd{.fd = sleeper.fd(), .events = POLLIN, .revents = 0});
  claims.add_descriptors(fds);
  const std::size_t first_kernel = fds.size();
  fds.insert(fds.end(), request.kernel.begin(), request.kernel.end());
  for (;;) {
    const Instant now = clock_.now();
    const Instant end = earlier(request.deadline, claims.next_poll(now, poll_ceiling_));
    const timespec timeout = to_timespec(end - now);
    claims.announce_sleep(end);
    if (!sleeper.prepare_to_sleep()) return SleepEnd::woken;
    const int ready =
        ::ppoll(fds.data(), fds.size(), end.is_never() ? nullptr : &timeout, request.sigmask);
    const int error = errno;
    sleeper.finish_sleep();
    if (sleeper.is_woken()) return SleepEnd::woken;
    if (ready < 0 && error == EINTR) return SleepEnd::interrupted;
    bool kernel_is_ready = false;
    for (std::size_t i = 0; i < request.kernel.size(); ++i) {
      request.kernel[i].revents = fds[first_kernel + i].revents;
      kernel_is_ready = kernel_is_ready || request.kernel[i].revents != 0;
    }
    if (claims.poll()) return SleepEnd::polled;
    if (kernel_is_ready) return SleepEnd::kernel;
    if (clock_.now() >= request.deadline) return SleepEnd::timed_out;
  }
}

}  // namespace pollux
