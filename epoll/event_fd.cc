// event_fd.cc - EventFd and Sleeper: system calls only where somebody sleeps.
#include "epoll/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <new>

#include "stack/base/check.h"

namespace pollux {

EventFd::EventFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(fd_ >= 0); }

EventFd::~EventFd() { ::close(fd_); }

void EventFd::signal() {
  const std::uint64_t one = 1;
  while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void EventFd::drain() {
  std::uint64_t count;
  while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

namespace {

// A thread that ends may still wait, in a destructor that runs after this one: it gets a sleeper
// once more, whose descriptor then stays open.
thread_local bool has_sleeper = false;
alignas(Sleeper) thread_local std::byte sleeper_memory[sizeof(Sleeper)];
Sleeper& own_sleeper() { return *std::launder(reinterpret_cast<Sleeper*>(sleeper_memory)); }

struct SleeperEnd {
  ~SleeperEnd() {
    own_sleeper().~Sleeper();
    has_sleeper = false;
  }
};

}  // namespace

Sleeper& Sleeper::of_this_thread() {
  if (has_sleeper) return own_sleeper();
  new (sleeper_memory) Sleeper;
  has_sleeper = true;
  static thread_local const SleeperEnd end;
  return own_sleeper();
}

void Sleeper::wake() {
  if (state_.exchange(kWoken, std::memory_order_acq_rel) == kAsleep) event_fd_.signal();
}

bool Sleeper::prepare_to_sleep() {
  std::uint32_t expected = kAwake;
  const bool sleeps = state_.compare_exchange_strong(expected, kAsleep, std::memory_order_acq_rel,
                                                     std::memory_order_acquire);
  if (sleeps) awake_.fetch_sub(1, std::memory_order_relaxed);
  return sleeps;
}

// A waker may still be between its exchange and its write: then the next sleep ends at once, once.
void Sleeper::finish_sleep() {
  awake_.fetch_add(1, std::memory_order_relaxed);
  std::uint32_t expected = kAsleep;
  state_.compare_exchange_strong(expected, kAwake, std::memory_order_acq_rel,
                                 std::memory_order_acquire);
  event_fd_.drain();
}

}  // namespace pollux
