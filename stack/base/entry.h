// entry.h - who is inside: the guard of a Stack's world, and the lock of whatever threads share.
#pragma once

#include <atomic>
#include <cstdint>

#include "stack/base/check.h"

namespace pollux {

// single: everything belongs to one thread and the guard is a check of that.
// shared: any thread may enter; the guard is one futex lock (try, spin under 1 us, sleep).
enum class ThreadMode : std::uint8_t { single, shared };

// Not recursive: a thread that enters what it is inside already (from a signal handler, say) is
// stopped by a CHECK. In single mode the first thread that enters becomes the owner for good.
class Entry {
 public:
  explicit Entry(ThreadMode mode) : mode_(mode) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  void enter() {
    if (mode_ == ThreadMode::shared && !try_lock()) lock_slowly();
    note_entered();
  }
  bool try_enter() {
    if (mode_ == ThreadMode::shared && !try_lock()) return false;
    note_entered();
    return true;
  }
  void leave() {
    DCHECK(is_entered());
    inside_.store(nullptr, std::memory_order_relaxed);
    if (mode_ == ThreadMode::shared && word_.exchange(kFree, std::memory_order_release) == kWaited)
      wake_one();
  }
  // By the calling thread.
  bool is_entered() const { return inside_.load(std::memory_order_relaxed) == this_thread(); }
  // Somebody sleeps at the door, or has been woken and is not in yet: a poller gives way before it
  // polls again.
  bool is_contended() const {
    return word_.load(std::memory_order_relaxed) == kWaited ||
           handing_over_.load(std::memory_order_relaxed);
  }
  // False if, in single mode, another thread owns it. ADD across threads is EINVAL.
  bool may_enter() const {
    const void* owner = owner_.load(std::memory_order_relaxed);
    return mode_ == ThreadMode::shared || !owner || owner == this_thread();
  }
  ThreadMode mode() const { return mode_; }
  // A thread's name: its control block's address, 0.3 ns, where gettid(2) is 84. A thread-local's
  // would cost a call of the loader's in a library that is opened late, or room of its static TLS.
  static const void* this_thread() { return __builtin_thread_pointer(); }

 private:
  enum : std::uint32_t { kFree, kEntered, kWaited };
  bool try_lock() {
    std::uint32_t expected = kFree;
    return word_.compare_exchange_strong(expected, kEntered, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void note_entered() {
    if (mode_ == ThreadMode::single) check_owner();
    inside_.store(this_thread(), std::memory_order_relaxed);
  }
  // Shared mode pays nothing for it: the lock is taken, so lock_slowly() asks.
  void check_outside() const {
    CHECK(!is_entered());  // entered again by the thread that is inside: from a signal handler?
  }
  void check_owner() {
    check_outside();
    const void* owner = owner_.load(std::memory_order_relaxed);
    if (owner == this_thread()) return;
    CHECK(owner == nullptr);  // threads = "single": another thread owns this
    owner_.store(this_thread(), std::memory_order_relaxed);
  }
  void lock_slowly();
  bool lock_or_announce();
  void wake_one();

  std::atomic<std::uint32_t> word_{kFree};
  std::atomic<bool> handing_over_{false};
  std::atomic<std::uint32_t> sleepers_{0};  // at the door
  const ThreadMode mode_;
  std::atomic<const void*> inside_{nullptr};
  std::atomic<const void*> owner_{nullptr};
};

class Entered {
 public:
  explicit Entered(Entry& entry) : entry_(entry) { entry_.enter(); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() { entry_.leave(); }

 private:
  Entry& entry_;
};

}  // namespace pollux
