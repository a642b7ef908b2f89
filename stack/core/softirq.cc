// softirq.cc - waits until nobody attends to the device, then does.
#include "stack/core/softirq.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

namespace pollux {
namespace {
constexpr Duration kDeepAfter = Duration::seconds(1);
}

Softirq::Softirq(StackPollContext& context, Napi& napi, NapiSet napis, Duration takeover)
    : context_(context), napi_(napi), napis_(napis), takeover_(takeover) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "plx-softirq");
  napi_.set_softirq(this);
}

Softirq::~Softirq() {
  napi_.set_softirq(nullptr);
  is_stopping_.store(true);
  doorbell_.signal();
  thread_.join();
}

void Softirq::run() {
  while (!is_stopping_.load()) {
    wait_until_unattended();
    if (!is_stopping_.load()) serve();
  }
}

// Returns when no thread has polled for takeover_ and none sleeps on the device.
void Softirq::wait_until_unattended() {
  Sleeper& sleeper = Sleeper::of_this_thread();
  Instant attended_since = context_.now();
  while (!is_stopping_.load()) {
    const bool is_attended = napi_.claimed_by() == Napi::Claim::waiter;
    const Instant now = context_.now();
    if (!is_attended) {
      attended_since = now;
      if (now - napi_.last_attended() >= takeover_ && !napi_.is_suspended(now)) return;
    }
    const bool deep = is_attended && now - attended_since >= kDeepAfter;
    is_deep_.store(deep);
    // A waiter that left between the look and the store did not ring: look again.
    const bool may_sleep_on = !deep || napi_.claimed_by() == Napi::Claim::waiter;
    pollfd door{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
    const auto pause_ms = static_cast<int>((takeover_ + Duration::us(999)).to_ms());
    sleeper.reset();
    if (may_sleep_on && sleeper.prepare_to_sleep()) {  // on the door, but it counts as asleep
      ::poll(&door, 1, deep ? -1 : pause_ms);
      sleeper.finish_sleep();
    }
    is_deep_.store(false);
    if (is_stopping_.load()) return;
    if (door.revents) {
      doorbell_.drain();
      attended_since = context_.now();
    }
  }
}

// Sleeps on the device in turn with processing it, until a thread of the application does.
void Softirq::serve() {
  Sleeper& sleeper = Sleeper::of_this_thread();
  sleeper.reset();
  pollfd door{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
  while (!is_stopping_.load()) {
    const SleepRequest request{.napis = napis_, .kernel = {&door, 1}, .deadline = Instant::never()};
    // Woken: a waiter has, or took, the claim.
    if (context_.sleep_as_softirq(sleeper, request) == SleepEnd::woken) return;
    if (door.revents != 0) doorbell_.drain();
    if (context_.now() - napi_.last_attended() < takeover_) return;
  }
}

}  // namespace pollux
