// waiting.cc - poll first, then look; then spin for busy_poll_usecs; then sleep until woken.
#include "epoll/waiting.h"

#include <pthread.h>

namespace pollux {
namespace {

// The kernel is asked once per so many polls of a spin: 88 ns against some 50 of an empty poll.
constexpr unsigned kPollsPerQuestion = 8;

// Keeps signals out from after the first empty look until the sleep, which lets them in: a handler
// that ran just before the sleep would not end it. Faults of the thread's own stay deliverable.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigfillset(&held);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      sigdelset(&held, fault);
    }
    pthread_sigmask(SIG_BLOCK, &held, &original_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &original_, nullptr); }
  const sigset_t* original() const { return &original_; }

 private:
  sigset_t original_;
};

bool is_over(const Result<int>& found) { return !found.ok() || *found > 0; }

// Linux: ep_busy_loop(). Ends when something is there, or the time is over.
Result<int> spin(Waitable& waitable, const WaitRequest& request, PollContext& context) {
  const BusyPollParams& params = request.busy_poll;
  Instant now = context.now();
  const Instant end = earlier(now + Duration::us(params.busy_poll_usecs), request.deadline);
  for (unsigned polls = 1; now < end; ++polls) {
    if (polls % kPollsPerQuestion == 0) waitable.ask_kernel();
    now = context.poll(waitable.napis(), params.busy_poll_budget);
    Result<int> found = waitable.look();
    if (is_over(found)) return found;
  }
  return 0;
}

SleepEnd sleep_once(Waitable& waitable, const SleepRequest& request, PollContext& context) {
  Sleeper& sleeper = Sleeper::of_this_thread();
  sleeper.reset();
  SleepEnd end = SleepEnd::woken;
  if (waitable.arm(sleeper)) {
    SleepRequest full = request;
    full.napis = waitable.napis();
    full.kernel = waitable.kernel();
    end = context.sleep(sleeper, full);
  }
  waitable.disarm();
  return end;
}

}  // namespace

// A wait with a timeout sleeps at least once, be it for no time: that is where a pending signal
// shows.
Result<int> wait_until(Waitable& waitable, const WaitRequest& request, PollContext& context) {
  waitable.ask_kernel();
  const Instant now = context.poll(waitable.napis(), kFirstPollBudget);
  Result<int> found = waitable.look();
  if (is_over(found) || request.deadline <= now) return found;
  const HeldSignals held;
  SleepRequest sleep;
  sleep.deadline = request.deadline;
  sleep.sigmask = request.sigmask ? request.sigmask : held.original();
  for (;;) {
    if (request.busy_poll.busy_poll_usecs > 0) {
      found = spin(waitable, request, context);
      if (is_over(found)) return found;
    }
    const SleepEnd end = sleep_once(waitable, sleep, context);
    waitable.ask_kernel();
    found = waitable.look();
    if (is_over(found)) return found;
    if (end == SleepEnd::interrupted) return Errno::interrupted;
    if (end == SleepEnd::timed_out) return 0;
  }
}

}  // namespace pollux
