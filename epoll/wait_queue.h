// wait_queue.h - WaitQueue, WaitEntry: who wants to hear that a file may be ready.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>

#include "epoll/poll_events.h"
#include "stack/base/entry.h"

namespace pollux {

// A key for threads that block, not for sets: what there is to sleep on has changed.
inline constexpr PollEvents kLookAgain = kNval;

// One interest in one queue. Implemented by EpItem (a set watches) and by the entries of threads
// that block in poll, select, epoll_wait or a blocking call. Its owner removes it before it dies.
class WaitEntry : public boost::intrusive::list_base_hook<> {
 public:
  virtual ~WaitEntry() = default;
  // The queue's lock is held. True: the wake-up was of use; it ends the walk if this is exclusive.
  // Linux: wait_queue_func_t.
  virtual bool wake(PollEvents key) = 0;
  bool is_exclusive() const { return exclusive_; }

 protected:
  bool exclusive_ = false;  // fixed before add()
};

// Linux: wait_queue_head. Ordinary entries are called last added first, then exclusive ones first
// added first (epoll-behaviours 0.3).
// Invariant: touched only with lock() entered. For the files of one Stack that is the Stack's own
// entry, so inside the stack a wake-up costs no lock; sets and other files bring one of their own.
class WaitQueue {
 public:
  explicit WaitQueue(Entry& lock) : lock_(lock) {}
  Entry& lock() { return lock_; }
  bool empty() const { return entries_.empty(); }
  // Without the lock. False: no entry whose add() happened before; whoever adds one and then asks
  // the file misses nothing. Spares a lock at each wake-up that nobody hears.
  bool may_have_entries() const { return occupied_.load(std::memory_order_acquire); }

  void add(WaitEntry& entry);
  void remove(WaitEntry& entry);
  // All ordinary entries, and exclusive ones up to the first that consumed it. An empty key
  // concerns everybody. Entries may not add to or remove from this queue while they are called.
  void wake_up(PollEvents key);
  void wake_up_all(PollEvents key = PollEvents());

 private:
  using List = boost::intrusive::list<WaitEntry, boost::intrusive::constant_time_size<false>>;
  List entries_;
  Entry& lock_;
  std::atomic<bool> occupied_{false};
};

}  // namespace pollux
