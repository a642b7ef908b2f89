// poll_context.cc - spin, arm, look once more, block (design: "How a wait sleeps").
#include "stack/core/poll_context.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

namespace pollux {
namespace {

constexpr unsigned kBusySleepsPerLook = 16;  // 0.1 us of each then

timespec to_timespec(Duration d) {
  const std::int64_t ns = d.to_ns() < 0 ? 0 : d.to_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

bool is_any_ready(std::span<const pollfd> fds) {
  return std::any_of(fds.begin(), fds.end(), [](const pollfd& fd) { return fd.revents != 0; });
}

// The kernel's answers to a request's descriptors. True: one is ready.
bool copy_answers(std::span<const pollfd> from, std::span<pollfd> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i].revents = from[i].revents;
  return is_any_ready(from);
}

}  // namespace

// The instances this thread may sleep on, for the length of one sleep. It keeps the claims (see
// end_sleeps()), but not those of an earlier sleep on what the wait is no longer for: nobody would
// poll there.
class StackPollContext::Claims {
 public:
  Claims(const std::vector<Napi*>& napis, NapiSet wanted, Sleeper& sleeper, Napi::Claim kind)
      : napis_(napis), sleeper_(sleeper), kind_(kind) {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if ((wanted >> i & 1) == 0) {
        napis_[i]->release(sleeper_);
      } else if (napis_[i]->claim(sleeper_, kind)) {
        held_ |= NapiSet{1} << i;
      }
    }
  }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;
  ~Claims() { disarm(); }

  bool holds_any() const { return held_ != 0; }
  // Until when others poll all that it holds; the past: not all.
  Instant attended_until() const {
    Instant until = held_ != 0 ? Instant::never() : Instant();
    for_each_held([&](const Napi& napi) { until = earlier(until, napi.attended_until()); });
    return until;
  }
  void leave_to_others(Instant now) {
    for_each_held([&](Napi& napi) { napi.leave_to_others(now); });
  }
  // With the receive interrupts of those where they are neither put off nor suspended; their
  // descriptors are added to `fds`.
  void arm(Instant now, std::vector<pollfd>& fds) {
    for_each_held([&](Napi& napi) {
      const bool with_interrupts = napi.may_arm(now);
      Entered entered(napi.stack().entry());
      napi.stack().arm(sleeper_, with_interrupts);
      if (with_interrupts) napi.stack().add_rx_interrupt_fds(fds);
    });
  }
  void disarm() {
    for_each_held([&](Napi& napi) {
      Entered entered(napi.stack().entry());
      napi.stack().disarm(sleeper_);
    });
  }
  // True: packets or timers have been processed.
  bool poll() {
    bool busy = false;
    for_each_held([&](Napi& napi) {
      napi.poll(kFirstPollBudget, kind_);
      busy = busy || napi.was_busy();
    });
    return busy;
  }
  // From now on whoever makes an earlier poll necessary wakes the sleeper. Returns when the next
  // poll is due without that and without an interrupt.
  Instant announce_sleep(Instant now, Duration ceiling) {
    Instant next = Instant::never();
    for_each_held([&](Napi& napi) {
      next = earlier(next, napi.next_arming(now));
      Entered entered(napi.stack().entry());
      next = earlier(next, napi.stack().announce_sleep(sleeper_, napi.next_pause(ceiling)));
    });
    return next;
  }

 private:
  template <typename Act>
  void for_each_held(Act&& act) const {
    for (std::size_t i = 0; i < napis_.size(); ++i) {
      if ((held_ >> i & 1) != 0) act(*napis_[i]);
    }
  }

  const std::vector<Napi*>& napis_;
  Sleeper& sleeper_;
  const Napi::Claim kind_;
  NapiSet held_ = 0;
};

// The first poll of a wait, not those of its spin, takes along what the thread has left elsewhere.
Instant StackPollContext::poll(NapiSet napis, unsigned budget) {
  if (budget == kFirstPollBudget) napis |= std::exchange(Stack::left_by_this_thread(), 0);
  if (napis == 0) return clock_.now();
  Instant now;
  for (std::size_t i = 0; i < napis_.size(); ++i) {
    if (napis >> i & 1) now = napis_[i]->poll(budget, Napi::Claim::none);
  }
  return now;
}

SleepEnd StackPollContext::sleep(Sleeper& sleeper, const SleepRequest& request) {
  Claims claims(napis_, request.napis, sleeper, Napi::Claim::waiter);
  return sleep_with(claims, sleeper, request);
}

SleepEnd StackPollContext::sleep_as_softirq(Sleeper& sleeper, const SleepRequest& request) {
  SleepEnd end = SleepEnd::woken;
  {
    Claims claims(napis_, request.napis, sleeper, Napi::Claim::softirq);
    if (claims.holds_any()) end = sleep_with(claims, sleeper, request);
  }
  end_sleeps(sleeper);
  return end;
}

void StackPollContext::end_sleeps(Sleeper& sleeper) {
  for (Napi* napi : napis_) napi->release(sleeper);
}

void StackPollContext::suspend_irqs(NapiSet napis) {
  for (std::size_t i = 0; i < napis_.size(); ++i) {
    if (napis >> i & 1) napis_[i]->suspend_irqs();
  }
}

void StackPollContext::resume_irqs(NapiSet napis) {
  for (std::size_t i = 0; i < napis_.size(); ++i) {
    if (napis >> i & 1) napis_[i]->resume_irqs();
  }
}

SleepEnd StackPollContext::sleep_with(Claims& claims, Sleeper& sleeper,
                                      const SleepRequest& request) {
  std::vector<pollfd>& fds = sleeper.asked();
  if (request.leaves_packets) claims.leave_to_others(clock_.now());
  for (;;) {
    fds.assign(1, pollfd{.fd = sleeper.fd(), .events = POLLIN, .revents = 0});
    const Instant now = clock_.now();
    Instant end = claims.attended_until();
    const bool is_attended = now < end;
    if (!is_attended) {
      claims.arm(now, fds);
      // What came before arming raised no interrupt.
      if (claims.poll()) return end_of_busy_sleep(request, SleepEnd::polled);
      end = claims.announce_sleep(now, poll_ceiling_);
    }
    end = earlier(request.deadline, end);
    const std::size_t first_kernel = fds.size();
    fds.insert(fds.end(), request.kernel.begin(), request.kernel.end());
    const timespec timeout = to_timespec(end - clock_.now());
    if (!sleeper.prepare_to_sleep()) return SleepEnd::woken;
    const int ready =
        ::ppoll(fds.data(), fds.size(), end.is_never() ? nullptr : &timeout, request.sigmask);
    const int error = errno;
    sleeper.finish_sleep();
    if (sleeper.is_woken()) return SleepEnd::woken;
    if (ready < 0 && error == EINTR) return SleepEnd::interrupted;
    const std::span<const pollfd> asked(fds);
    const bool kernel_is_ready = copy_answers(asked.subspan(first_kernel), request.kernel);
    if (!is_attended && claims.poll()) {
      const bool was_told = is_any_ready(asked.subspan(1, first_kernel - 1));
      return end_of_busy_sleep(request, was_told ? SleepEnd::rx_interrupt : SleepEnd::polled);
    }
    if (kernel_is_ready) return SleepEnd::kernel;
    if (clock_.now() >= request.deadline) return SleepEnd::timed_out;
    // An interrupt that found nothing to do is taken back, or it would end every sleep at once.
    if (!is_attended) claims.disarm();
  }
}

// Traffic of other sockets must keep nobody from its deadline, nor from its signals: those are held
// while a wait spins, and looked for here once in a while.
SleepEnd StackPollContext::end_of_busy_sleep(const SleepRequest& request, SleepEnd how) {
  static thread_local unsigned busy_sleeps = 0;
  if (clock_.now() >= request.deadline) return SleepEnd::timed_out;
  if (++busy_sleeps % kBusySleepsPerLook != 0) return how;
  const timespec at_once{};
  const bool interrupted = ::ppoll(nullptr, 0, &at_once, request.sigmask) < 0 && errno == EINTR;
  return interrupted ? SleepEnd::interrupted : how;
}

}  // namespace pollux
