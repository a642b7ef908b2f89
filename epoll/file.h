// file.h - File: what a descriptor refers to; reference count, status flags, wait queue, poll().
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "epoll/poll_events.h"
#include "epoll/wait_queue.h"

namespace pollux {

// The NAPI instances (device queues) whose packets can make a file ready, one bit each.
using NapiSet = std::uint64_t;

struct BusyPollParams;

// The link of a registration in its file's list of watchers. Implemented by EpItem alone.
struct WatchersTag;
class WatcherLink : public boost::intrusive::list_base_hook<boost::intrusive::tag<WatchersTag>> {};

enum class FileType : std::uint8_t { socket, eventpoll, kernel };

// Linux: struct file. Lives in a process-wide, type-stable pool: a stale pointer still points at
// some File's reference count, so that a lookup may load, increment if not zero, and load again.
// The wait queue's lock also guards the list of watchers.
class File {
 public:
  // The queue's lock: `stack_entry` for the files of one Stack, else a lock of the file's own.
  File(FileType type, Entry& lock, Entry* stack_entry, NapiSet napis)
      : wait_queue_(lock), stack_entry_(stack_entry), napis_(napis), type_(type) {
    count().store(1, std::memory_order_release);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  // What is ready now, computed now (D4). Called with stack_entry() entered where there is one.
  // Wakes nobody; may note that a writer found no space (epoll-behaviours 16.55).
  virtual PollEvents poll() = 0;
  // The last reference is gone; the file has left every set. Nothing is held. Ends the object.
  virtual void on_last_close() = 0;
  // The kernel's descriptor behind a FileType::kernel file; -1 otherwise.
  virtual int kernel_fd() const { return -1; }
  // How a wait for this file spins: SO_BUSY_POLL and its sisters of a socket, a set's own
  // parameters. Called as poll() is.
  virtual BusyPollParams busy_poll() const;
  // False: epoll_ctl answers EPERM (a regular file of the kernel's).
  virtual bool is_pollable() const { return true; }

  FileType type() const { return type_; }
  WaitQueue& wait_queue() { return wait_queue_; }
  Entry* stack_entry() const { return stack_entry_; }
  NapiSet napis() const { return napis_.load(std::memory_order_relaxed); }

  // O_NONBLOCK and the rest of F_GETFL; relaxed: Linux does not order it either.
  int status_flags() const { return status_flags_.load(std::memory_order_relaxed); }
  void set_status_flags(int flags) { status_flags_.store(flags, std::memory_order_relaxed); }

  // Descriptors and running calls hold references; EpItems do not.
  void get() { count().fetch_add(1, std::memory_order_relaxed); }
  // Also of a file that is gone, whose slot is free or being given out: the count is all it
  // touches.
  __attribute__((no_sanitize("vptr"))) bool get_unless_zero();
  // The last one makes the file leave every set, then calls on_last_close(): call it with nothing
  // entered or locked.
  void put();
  // No reference is left: the thread that dropped the last one is taking the file out of its sets.
  bool is_closing() const { return count().load(std::memory_order_acquire) == 0; }

  using Watchers =
      boost::intrusive::list<WatcherLink,
                             boost::intrusive::base_hook<boost::intrusive::list_base_hook<
                                 boost::intrusive::tag<WatchersTag>>>,
                             boost::intrusive::constant_time_size<false>>;
  Watchers& watchers() { return watchers_; }  // Linux: f_ep. Guarded by wait_queue().lock().

 protected:
  // What it can be made ready by changes for a set, to the union of what it watches, and for a
  // socket that listens at several queues.
  void set_napis(NapiSet napis) { napis_.store(napis, std::memory_order_relaxed); }
  void add_napis(NapiSet napis) { napis_.fetch_or(napis, std::memory_order_relaxed); }

 private:
  __attribute__((no_sanitize("vptr"))) std::atomic_ref<std::uint32_t> count() const {
    return std::atomic_ref(references_);
  }

  WaitQueue wait_queue_;
  Watchers watchers_;
  Entry* const stack_entry_;
  std::atomic<NapiSet> napis_;
  // No initialiser: a late lookup may read it while the slot of the pool is being given out anew,
  // so it is only ever touched atomically.
  mutable std::uint32_t references_;
  std::atomic<int> status_flags_{2};  // O_RDWR
  const FileType type_;
};

}  // namespace pollux
