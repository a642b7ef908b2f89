// softirq.cc - waits until nobody attends to the device, then does.
#include "stack/core/softirq.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace pollux {
namespace {
constexpr Duration kDeepAfter = Duration::seconds(1);
}

Softirq::Softirq(StackPollContext& context, std::vector<Napi*> napis, Duration takeover)
    : context_(context),
      napis_(std::move(napis)),
      takeover_(takeover),
      claimed_since_(context.now()) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "plx-softirq");
  for (Napi* napi : napis_) napi->set_softirq(this);
}

Softirq::~Softirq() {
  for (Napi* napi : napis_) napi->set_softirq(nullptr);
  is_stopping_.store(true);
  doorbell_.signal();
  thread_.join();
}

void Softirq::run() {
  while (!is_stopping_.load()) {
    const Look found = look();
    if (!found.all_others_are_claimed || door_rang_) claimed_since_ = found.now;
    door_rang_ = false;
    // Where waiters have slept on all that is not ours for long, those ring when they leave.
    const bool deep = found.now - claimed_since_ >= kDeepAfter;
    is_deep_.store(deep);
    // One that left between the look and the store did not.
    if (!deep || look().all_others_are_claimed) found.unattended ? serve(found, deep) : pause(deep);
    is_deep_.store(false);
  }
}

Softirq::Look Softirq::look() const {
  Look found{.now = context_.now()};
  bool is_claimed = false, is_neither = false;
  for (std::size_t i = 0; i < napis_.size(); ++i) {
    const Napi& napi = *napis_[i];
    if (napi.claimed_by() == Napi::Claim::waiter) {
      is_claimed = true;
    } else if (found.now - napi.last_attended() >= takeover_ && !napi.is_suspended(found.now)) {
      found.unattended |= NapiSet{1} << i;
    } else {
      is_neither = true;
    }
  }
  found.all_others_are_claimed = is_claimed && !is_neither;
  return found;
}

// On the door, until some may be unattended.
void Softirq::pause(bool deep) {
  Sleeper& sleeper = Sleeper::of_this_thread();
  pollfd door{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
  const auto pause_ms = static_cast<int>((takeover_ + Duration::us(999)).to_ms());
  sleeper.reset();
  if (sleeper.prepare_to_sleep()) {  // it counts as asleep
    ::poll(&door, 1, deep ? -1 : pause_ms);
    sleeper.finish_sleep();
  }
  note_door(door);
}

// Sleeps on the devices in turn with processing them, until a thread of the application does, or
// there may be more that nobody attends to.
void Softirq::serve(const Look& found, bool deep) {
  Sleeper& sleeper = Sleeper::of_this_thread();
  sleeper.reset();
  pollfd door{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
  const bool has_all = found.unattended == (NapiSet{2} << (napis_.size() - 1)) - 1;
  while (!is_stopping_.load()) {
    SleepRequest request{.napis = found.unattended, .kernel = {&door, 1}};
    if (!has_all && !deep) request.deadline = context_.now() + takeover_;
    const SleepEnd end = context_.sleep_as_softirq(sleeper, request);
    note_door(door);
    // Woken: a waiter has, or took, a claim.
    if (end == SleepEnd::woken || end == SleepEnd::timed_out || door_rang_) return;
    if (look().unattended != found.unattended) return;
  }
}

void Softirq::note_door(const pollfd& door) {
  if (door.revents == 0) return;
  doorbell_.drain();
  door_rang_ = true;
}

}  // namespace pollux
