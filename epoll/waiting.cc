// waiting.cc - poll first, then look; then spin for busy_poll_usecs; then sleep until woken.
// Read first: epoll-behaviours section 13.
#include "epoll/waiting.h"

#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <optional>

namespace pollux {
namespace {

// The kernel is asked once per so many polls of a spin: 88 ns against some 50 of an empty poll.
constexpr unsigned kPollsPerQuestion = 8;

// After so many sleeps of one wait that ended with packets for others. On a crowded core each keeps
// the thread they are for from its own poll, so that the next one comes to the sleeper too: four
// threads of a server, 256 connections, one of them with most: 22,000 switches a second and 0.5 to
// 0.8 of one thread's rate, with it 0.8 to 1.1.
constexpr unsigned kSleepsInVain = 2;

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

// Each thread counts in a row that few others use: no line of memory travels for it.
constexpr std::size_t kWaitCounters = static_cast<std::size_t>(WaitCounter::count);
struct alignas(64) WaitCounterRow {
  std::array<std::atomic<std::uint64_t>, kWaitCounters> counters;
};
std::array<WaitCounterRow, 16> wait_counters;

// Multiplied, because threads' memory lies at like offsets in large, aligned areas.
WaitCounterRow& row_of_this_thread() {
  const auto name = reinterpret_cast<std::uintptr_t>(Entry::this_thread());
  return wait_counters[name * 0x9e3779b97f4a7c15u >> 60];
}

Result<int> served(const Result<int>& found, WaitCounter by) {
  if (found.ok()) {
    row_of_this_thread().counters[static_cast<std::size_t>(by)].fetch_add(
        1, std::memory_order_relaxed);
  }
  return found;
}

WaitCounter served_by(SleepEnd end) {
  switch (end) {
    case SleepEnd::polled:
      return WaitCounter::waits_paced;
    case SleepEnd::rx_interrupt:
      return WaitCounter::waits_rx_interrupt;
    case SleepEnd::kernel:
      return WaitCounter::waits_kernel;
    default:
      return WaitCounter::waits_woken;
  }
}

// Linux: ep_busy_loop(). Ends when something is there, or the time is over. Cut short by the
// deadline it says nothing about whether the next one is worth it.
Result<int> spin(Waitable& waitable, Instant deadline, PollContext& context) {
  const BusyPollParams params = waitable.busy_poll();
  const unsigned budget = params.busy_poll_budget ? params.busy_poll_budget : kBusyPollBudget;
  Instant now = context.now();
  const Instant end = now + Duration::us(params.busy_poll_usecs);
  // Linux's spin ends when another task wants the core; a process cannot see that, only let it have
  // it. Four threads of a server on one core, 256 connections: 0.91 of one thread's rate, without
  // 0.67.
  if (params.busy_poll_usecs != 0 && Sleeper::awake() > 1) sched_yield();
  for (unsigned polls = 1; now < earlier(end, deadline); ++polls) {
    if (polls % kPollsPerQuestion == 0) waitable.ask_kernel();
    now = context.poll(waitable.napis(), budget);
    const Result<int> found = waitable.look();
    if (is_over(found)) return served(found, WaitCounter::waits_spun);
  }
  if (now >= end) waitable.note_fruitless_spin();
  return 0;
}

// The sleeps of one wait.
class Sleeps {
 public:
  explicit Sleeps(PollContext& context) : context_(context) {}
  Sleeps(const Sleeps&) = delete;
  Sleeps& operator=(const Sleeps&) = delete;
  ~Sleeps() { context_.end_sleeps(sleeper); }

  Sleeper& sleeper = Sleeper::of_this_thread();

 private:
  PollContext& context_;
};

SleepEnd sleep_once(Waitable& waitable, const SleepRequest& request, Sleeper& sleeper,
                    PollContext& context) {
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

std::uint64_t waits(WaitCounter which) {
  std::uint64_t sum = 0;
  for (const WaitCounterRow& row : wait_counters) {
    sum += row.counters[static_cast<std::size_t>(which)].load(std::memory_order_relaxed);
  }
  return sum;
}

// A wait with a timeout sleeps at least once, be it for no time: that is where a pending signal
// shows.
Result<int> wait_until(Waitable& waitable, const WaitRequest& request, PollContext& context) {
  waitable.ask_kernel();
  const Instant now = context.poll(waitable.napis(), kFirstPollBudget);
  Result<int> found = waitable.look();
  if (is_over(found)) return served(found, WaitCounter::waits_first_look);
  if (request.deadline <= now) return found;
  const HeldSignals held;
  SleepRequest sleep;
  sleep.deadline = request.deadline;
  sleep.sigmask = request.sigmask ? request.sigmask : held.original();
  std::optional<Sleeps> sleeps;
  for (unsigned in_vain = 0;;) {
    if (waitable.is_worth_spinning()) {
      found = spin(waitable, request.deadline, context);
      if (is_over(found)) return found;
    }
    sleep.leaves_packets = in_vain >= kSleepsInVain && Sleeper::awake() > 1;
    if (!sleeps) sleeps.emplace(context);
    const SleepEnd end = sleep_once(waitable, sleep, sleeps->sleeper, context);
    if (end == SleepEnd::rx_interrupt || end == SleepEnd::polled) ++in_vain;
    waitable.ask_kernel();
    found = waitable.look();
    if (is_over(found)) return served(found, served_by(end));
    if (end == SleepEnd::interrupted) return Errno::interrupted;
    if (end == SleepEnd::timed_out) return 0;
  }
}

}  // namespace pollux
