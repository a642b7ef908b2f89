// event_fd.h - a wake from another thread: an eventfd that is written only to those who sleep.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace pollux {

// Owns an eventfd(2) of the kernel's (non-blocking, close-on-exec).
class EventFd {
 public:
  EventFd();
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;
  ~EventFd();
  int fd() const { return fd_; }
  void signal();  // makes it readable
  void drain();   // makes it unreadable

 private:
  int fd_;
};

// One per thread that ever blocks. A wake between reset() and the sleep is never lost; a wake of a
// thread that is awake costs no system call.
class Sleeper {
 public:
  Sleeper() { ++awake_; }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() { --awake_; }

  // The calling thread's own.
  static Sleeper& of_this_thread();
  // Threads that have one and do not sleep, whatever else they do. Approximate.
  static int awake() { return awake_.load(std::memory_order_relaxed); }

  void reset() { state_.store(kAwake, std::memory_order_relaxed); }
  bool is_woken() const { return state_.load(std::memory_order_acquire) == kWoken; }
  // Any thread, any lock held.
  void wake();
  // Ends a sleep, or the next one, at once, without being a wake: something about how it sleeps has
  // changed.
  void nudge() { event_fd_.signal(); }
  // True: go to sleep on fd() (wake() will write it). False: woken already, do not sleep.
  bool prepare_to_sleep();
  // After the sleep: drains fd().
  void finish_sleep();
  int fd() const { return event_fd_.fd(); }
  // Room for what a sleep asks the kernel about: it must not allocate each time.
  std::vector<pollfd>& asked() { return asked_; }

 private:
  enum : std::uint32_t { kAwake, kAsleep, kWoken };
  static inline std::atomic<int> awake_{0};
  std::atomic<std::uint32_t> state_{kAwake};
  EventFd event_fd_;
  std::vector<pollfd> asked_;
};

}  // namespace pollux
