// cancel.h - pthread_cancel of a thread that is inside Pollux.
//
// Inside, cancellation is off: unwound there, a thread would leave the world half changed. But a
// call that sleeps is a cancellation point. So pthread_cancel wakes the sleep as well, which ends
// with EINTR (wait_calls.cc: ppoll), and out of Pollux the thread acts on the cancellation, as at
// the start of each such call. A call that has an answer by then delivers it; the next one acts.
#pragma once

#include <atomic>
#include <cerrno>

#include "apps/preload/preload.h"

namespace pollux::preload {

// Somebody has called pthread_cancel for this thread; may be stale, so libc has the last word.
[[gnu::tls_model("initial-exec")]] inline thread_local std::atomic<bool> is_cancelled{false};
// This thread is inside a call that a cancellation ends.
[[gnu::tls_model("initial-exec")]] inline thread_local bool ends_on_cancel = false;
[[gnu::tls_model("initial-exec")]] inline thread_local bool is_enrolled = false;

// Before the thread's first sleep in Pollux, which can be woken from then on. The engine runs.
void enroll();

inline bool is_cancel_due() { return ends_on_cancel && is_cancelled.load(); }

// True: the call was ended for a cancellation that is none, and is to be made again.
inline bool is_ended_in_vain(long result) {
  if (result != -1 || errno != EINTR || !is_cancelled.exchange(false)) return false;
  pthread_testcancel();
  return true;
}

class InsideUntilCancelled {
 public:
  InsideUntilCancelled() { ends_on_cancel = inside_.was_cancellable(); }
  InsideUntilCancelled(const InsideUntilCancelled&) = delete;
  InsideUntilCancelled& operator=(const InsideUntilCancelled&) = delete;
  ~InsideUntilCancelled() { ends_on_cancel = false; }

 private:
  const Inside inside_;
};

// A cancellation point: act() inside Pollux. Not for a thread that is inside already.
template <typename Act>
auto cancellable(Act&& act) -> decltype(act()) {
  if (!is_enrolled) enroll();
  pthread_testcancel();
  for (;;) {
    bool may_end = false;
    const auto result = [&] {
      const InsideUntilCancelled inside;
      may_end = ends_on_cancel;
      return act();
    }();
    if (!may_end || !is_ended_in_vain(static_cast<long>(result))) return result;
  }
}

// Around fork.
void lock_sleepers();
void unlock_sleepers();
void forget_sleepers();  // in the child

}  // namespace pollux::preload
