// cancel.cc - who sleeps where, and pthread_cancel, interposed.
#include "apps/preload/cancel.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"

namespace pollux::preload {
namespace {

struct Enrolled {
  pthread_t thread;
  std::atomic<bool>* is_cancelled;
  void* sleeper;
};
struct Sleepers {
  std::mutex mutex;
  std::vector<Enrolled> all;
};
Sleepers& sleepers() {
  static Sleepers& instance = *std::make_unique<Sleepers>().release();
  return instance;
}

// On the list for as long as its thread. What is older ends later: the sleeper, which closes its
// descriptor, and then the state of being inside that lets it.
class Enrolment {
 public:
  explicit Enrolment(std::optional<Inside>& until_it_is_closed)
      : until_it_is_closed_(until_it_is_closed) {}
  Enrolment(const Enrolment&) = delete;
  Enrolment& operator=(const Enrolment&) = delete;
  ~Enrolment() {
    const std::lock_guard lock(sleepers().mutex);
    std::erase_if(sleepers().all,
                  [](const Enrolled& one) { return one.is_cancelled == &is_cancelled; });
    until_it_is_closed_.emplace();
  }
  void begin(void* sleeper) const {
    const std::lock_guard lock(sleepers().mutex);
    sleepers().all.push_back({pthread_self(), &is_cancelled, sleeper});
  }

 private:
  std::optional<Inside>& until_it_is_closed_;
};

// The thread may be gone, and its name another's: that one's call is made again.
void wake_for_cancel(pthread_t thread) {
  const std::lock_guard lock(sleepers().mutex);
  for (const Enrolled& one : sleepers().all) {
    if (pthread_equal(one.thread, thread) == 0) continue;
    one.is_cancelled->store(true);
    engine().wake(one.sleeper);
  }
}

}  // namespace

void enroll() {
  static thread_local std::optional<Inside> until_the_sleeper_is_closed;
  const Inside inside;
  void* const sleeper = engine().sleeper();
  static thread_local const Enrolment enrolment(until_the_sleeper_is_closed);
  enrolment.begin(sleeper);
  is_enrolled = true;
}

void lock_sleepers() { sleepers().mutex.lock(); }
void unlock_sleepers() { sleepers().mutex.unlock(); }
void forget_sleepers() {
  sleepers().all.clear();
  is_enrolled = false;  // its next stack is another
}

}  // namespace pollux::preload

using namespace pollux::preload;

// libc's first: a thread that wakes up must find itself cancelled.
INTERPOSED int pthread_cancel(pthread_t thread) {
  const int error = libc().pthread_cancel(thread);
  const Inside inside;
  if (error == 0) wake_for_cancel(thread);
  return error;
}
