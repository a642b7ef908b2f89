// epitem.h - EpItem: one registration of one descriptor of one file in one set.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <cstdint>

#include "epoll/file.h"
#include "epoll/wait_queue.h"

namespace pollux {

class EventPoll;

// What epoll_ctl's second descriptor resolved to: the key of an item is (file, number).
struct Watched {
  File* file;
  int number;
};

// Bits of an interest that say how, not what: an item with no others is silent (0.6).
inline constexpr PollEvents kPrivateBits = kWakeup | kOneShot | kEdge | kExclusive;

// The link in rdllist_ or txlist.
using ReadyLink = boost::intrusive::list_base_hook<boost::intrusive::tag<struct ReadyTag>>;

// Linux: struct epitem. All links are members; it is on at most four structures at once:
//
//   EventPoll::rbr_        by (file, number)         guarded by the set's mtx_
//   File::watchers()       who watches this file     guarded by the file's wait-queue lock
//   WaitQueue (WaitEntry)  hears wake-ups            guarded by the file's wait-queue lock
//   rdllist_ or txlist     may be ready              guarded by the set's lock_; txlist by mtx_
//   ovflist_               woken during a transfer   guarded by the set's lock_
//
// (ovflist_ is a fifth only while a transfer runs.) Owned by its set; ends with DEL, with the last
// close of the file, or with the set. Its memory is the process-wide, type-stable pool's.
class EpItem final : public WaitEntry,
                     public WatcherLink,
                     public ReadyLink,
                     public boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
 public:
  EpItem(EventPoll& set, Watched target, const epoll_event& event)
      : set_(set), file_(*target.file), data_(event.data.u64), number_(target.number) {
    set_interest(event);
    exclusive_ = (event.events & EPOLLEXCLUSIVE) != 0;
  }

  // Linux: ep_poll_callback(). Any thread; the file's wait-queue lock is held.
  bool wake(PollEvents key) override;

  EventPoll& set() const { return set_; }
  File& file() const { return file_; }
  int number() const { return number_; }
  std::uint64_t data() const { return data_; }  // guarded by the set's mtx_
  // Changed under the set's mtx_, read anywhere. A waker that reads the bits before a MOD ran
  // before the MOD asked the file, which therefore sees what the waker announced.
  PollEvents events() const { return PollEvents(events_.load(std::memory_order_relaxed)); }
  bool is_one_shot() const { return events().has(kOneShot); }
  bool is_edge_triggered() const { return events().has(kEdge); }

 private:
  friend class EventPoll;

  // ERR and HUP are always of interest (2.14); WAKEUP asks for a suspend blocker that we lack
  // (2.12).
  void set_interest(const epoll_event& event) {
    events_.store((event.events & ~static_cast<std::uint32_t>(EPOLLWAKEUP)) | EPOLLERR | EPOLLHUP,
                  std::memory_order_relaxed);
    data_ = event.data.u64;
  }
  void disarm() {  // ONESHOT has fired
    events_.store((events() & kPrivateBits).bits(), std::memory_order_relaxed);
  }

  bool is_queued() const { return ReadyLink::is_linked(); }

  EpItem* ovflist_next_ = nullptr;  // null: not on it; the last points at itself
  EventPoll& set_;
  File& file_;
  std::uint64_t data_;
  int number_;
  std::atomic<std::uint32_t> events_;
};

using ReadyList = boost::intrusive::list<EpItem, boost::intrusive::base_hook<ReadyLink>,
                                         boost::intrusive::constant_time_size<false>>;

static_assert(sizeof(EpItem) <= 128, "two cache lines");

}  // namespace pollux
