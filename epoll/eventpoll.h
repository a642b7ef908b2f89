// eventpoll.h - EventPoll: a set of watched files; ctl, ready list, overflow list, wait, nesting.
// Read first: README.md beside this file, then transfer() in transfer.cc.
//
// Entering, locks, lifetimes. Order, outer first:
//   nesting mutex (process-wide; ADD of a set to a set)
//   EventPoll::mtx_ (ctl and transfer), outer set before inner
//   one stack entry, never two
//   a wait queue's lock (the stack entry itself for files of one stack); it also guards watchers;
//     the inner set's before the outer's: a wake-up walks upwards with both held
//   EventPoll::lock_ (rdllist_, ovflist_, waiters_), then the lock of the pools
// A set wakes its own watchers after releasing lock_. File::poll() is called with mtx_ held and the
// file's stack entered (once per run of items of one stack). A call holds a reference to every file
// it uses; the last reference is dropped with nothing held.
//
// Who ends an item, and why nobody ends it twice:
//   DEL        holds a reference to the file, so the file is not closing; mtx_ excludes the others.
//   last close The count is 0 first, then release_file() takes the front of watchers() under the
//              wait queue's lock, lets go of that, locks the set's mtx_ and removes the item. The
//              item, and so its set, lives until then because:
//   the set's  end skips each item whose file it finds closing, under that file's wait-queue lock:
//              the closer owns those. A set without items and closed is freed by whoever removed
//              the last item, after leaving mtx_.
// A file's slot is given out again only after release_file() found no watcher, so a key (file,
// number) never means two files. A wake-up runs under the wait queue's lock, a removal takes that
// lock, so no wake-up runs on an item that is gone, nor upwards into a set that is gone.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <optional>
#include <span>

#include "epoll/busy_poll.h"
#include "epoll/epitem.h"
#include "epoll/file.h"
#include "stack/base/result.h"
#include "stack/base/slab_pool.h"

namespace pollux {

struct EpollConfig {
  ThreadMode threads = ThreadMode::shared;
  std::uint32_t max_sets = 1024;
  std::uint32_t max_kernel_files = 1024;
  std::uint32_t max_user_watches = 1u << 20;
  // Whether a new set prefers busy polling; and what counts where a set's own number is 0: how long
  // (Linux: net.core.busy_poll), how many packets.
  BusyPollParams busy_poll{.busy_poll_budget = kBusyPollBudget};
};

// At most so many sets in a chain (8.7). Linux: EP_MAX_NESTS + 1.
inline constexpr int kMaxChain = 5;
// How many wake-up paths lead from one file to roots, by the number of sets on the path. [0]: one.
using PathCounts = std::array<std::uint32_t, kMaxChain>;

// Linux: struct eventpoll. A File that watches Files. Owned by its references; afterwards by the
// items whose files are closing just then. Invariant between calls: an item that may be ready is on
// rdllist_; available_ is false only if rdllist_ is empty and no transfer runs.
class EventPoll final : public File {
 public:
  // Once at start: reserves the process-wide pools of sets, items and kernel files.
  static void configure(const EpollConfig& config);
  // With one reference. ENFILE: the pool of sets is exhausted.
  static Result<EventPoll*> create();

  // epoll_ctl(2) once both descriptors are resolved; the caller holds references to both.
  Result<void> ctl(int op, Watched target, const epoll_event* event);
  // epoll_wait(2) and its variants. Deadline in the past: poll once. `out`: at least one; its
  // pointer may be null as long as nothing is ready (EFAULT). EINVAL: another thread's set.
  Result<int> wait(std::span<epoll_event> out, Instant deadline, const sigset_t* sigmask,
                   PollContext& context);

  void set_busy_poll(const BusyPollParams& params) { busy_poll_.store(params); }
  BusyPollParams busy_poll() const override { return busy_poll_.load(std::memory_order_relaxed); }

  // IN | RDNORM if an item is really ready; forgets items that are not (8.1, 8.2).
  PollEvents poll() override;
  void on_last_close() override;
  // Linux: eventpoll_release_file(). `file` has no reference left: it leaves every set.
  static void release_file(File& file);

  // Takes over `kernel_epoll`, an epoll descriptor of the kernel's, as the other half of this set:
  // the kernel's descriptors are registered there by whoever made it, with the kernel's semantics,
  // and wait() delivers both halves' events, each first in turn. Once, before anybody waits.
  void adopt(int kernel_epoll);
  // So many registrations more, or fewer, are in the kernel's half. While there are none, waits ask
  // it only now and then, for those that nobody told of (another process's, of a set passed on).
  void count_kernel_files(int change) { kernel_files_ += change; }
  // The data of events of that half that are none of the program's: something changed, look again.
  static epoll_data_t hint();

  // What is stored for a registration, as in /proc's fdinfo (12.1); none: not registered.
  std::optional<epoll_event> registration(Watched target);
  // The kernel's epoll descriptor that stands in for the kernel files watched here or further down;
  // -1: there are none. Readable: ask_kernel() will find something.
  int companion_fd() const { return companion_.load(std::memory_order_acquire); }
  // Wakes the items of kernel files that have had an event. Nothing held.
  void ask_kernel();

  static std::uint32_t watches_used();
  static std::uint32_t sets_used();

 private:
  friend class EpItem;
  friend class SetWait;
  friend class SlabPool<EventPoll>;

  struct KeyOfItem {
    using type = Watched;
    Watched operator()(const EpItem& item) const { return {&item.file(), item.number()}; }
  };
  struct KeyLess {
    bool operator()(const Watched& a, const Watched& b) const {
      return a.file != b.file ? a.file < b.file : a.number < b.number;
    }
  };
  using ItemTree = boost::intrusive::set<EpItem, boost::intrusive::key_of_value<KeyOfItem>,
                                         boost::intrusive::compare<KeyLess>,
                                         boost::intrusive::constant_time_size<false>>;
  // A thread asleep in wait(). On waiters_ until it is woken, newest first (7.4).
  struct Waiter : boost::intrusive::list_base_hook<> {
    Sleeper* sleeper = nullptr;
  };
  using Waiters = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;

  EventPoll(ThreadMode mode, const BusyPollParams& params);
  ~EventPoll() override;

  // ctl (eventpoll.cc). mtx_ is held where nothing else is said.
  Result<void> check_target(int op, const Watched& target, const epoll_event* event) const;
  Result<void> add(Watched target, const epoll_event& event);  // mtx_ not held
  Result<void> add_nested(Watched target, const epoll_event& event);
  Result<void> insert(Watched target, const epoll_event& event);
  Result<void> modify(EpItem& item, const epoll_event& event);
  Result<PollEvents> attach(EpItem& item);
  bool detach(EpItem& item, bool even_if_closing);
  void remove(EpItem& item);
  void forget(EpItem& item);
  void remove_closed(EpItem& item);  // mtx_ not held; may end the set
  EpItem* find(Watched target);

  // The ready list (transfer.cc).
  bool queue(EpItem& item);  // no lock needed; true: a waiter was woken for it
  void queue_unless_queued(EpItem& item);
  bool wake_waiter();  // lock_ is held
  void wake_watchers();
  void widen(NapiSet napis);  // wait_queue().lock() not held, the file's is
  void wake_sleepers();       // wait_queue().lock() held: there is more to sleep on
  void begin_transfer(ReadyList& txlist);
  void end_transfer(ReadyList& txlist);
  Result<int> send_events(std::span<epoll_event> out);  // mtx_ not held
  Result<int> transfer(ReadyList& txlist, std::span<epoll_event> out);
  void add_to_overflow(EpItem& item);
  void merge_overflow();

  // Chains and paths (nesting.cc). The nesting mutex is held.
  static void begin_check();
  Result<void> check_loop(EventPoll& inner);
  Result<void> check_paths(File& file);
  int depth_below(const EventPoll& forbidden);
  int height();
  const PathCounts& paths_up();
  void spread_napis(NapiSet more);  // needs no mutex; wait_queue().lock() held

  // Busy polling (eventpoll.cc).
  // Linux: ep_set_busy_poll_napi_id(). Any thread.
  void note_traffic(NapiSet napis) {
    if (napis & ~traffic_.load(std::memory_order_relaxed)) {
      traffic_.fetch_or(napis, std::memory_order_relaxed);
    }
  }
  bool is_worth_spinning() const { return traffic_.load(std::memory_order_relaxed) != 0; }
  BusyPollParams spin_params() const;
  void note_fruitless_spin();
  void suspend_irqs(PollContext& context);
  void resume_irqs();

  // The companion (companion.cc).
  Result<void> open_companion();               // wait_queue().lock() held
  Result<void> join_companions(EpItem& item);  // the file's wait-queue lock is held
  Result<void> watch_in_kernel(File& file, int fd);
  void forget_in_kernel(File& file);
  PollEvents interest_in(File& file);
  void ask_kernel_locked();
  void kernel_event(File* file, PollEvents key);

  // The kernel's half (kernel_half.cc).
  bool is_kernel_half_ready() const;
  bool is_kernel_half_due();
  int take_kernel_events(std::span<epoll_event> out);
  void wake_inner_sets();

  Entry mtx_;
  ItemTree rbr_;
  std::uint32_t nested_ = 0;  // items of rbr_ whose files are sets
  bool closed_ = false;       // with mtx_

  Entry lock_;
  ReadyList rdllist_;  // during a transfer touched by that alone
  EpItem* ovflist_ = nullptr;
  EpItem* ovflist_tail_ = nullptr;
  bool transferring_ = false;
  Waiters waiters_;
  std::atomic<bool> available_{false};  // written under lock_

  Entry wait_queue_lock_;
  std::atomic<BusyPollParams> busy_poll_;
  // The queues that something came from since a spin found nothing, or since ADD (13.8).
  std::atomic<NapiSet> traffic_{0};
  std::atomic<PollContext*> suspended_in_{nullptr};  // where its interrupts were suspended last
  std::atomic<int> companion_{-1};
  bool is_adopted_ = false;  // the companion is the program's own: its events are to be delivered
  std::atomic<bool> is_kernels_turn_{false};
  std::atomic<int> kernel_files_{0};  // registered in the adopted half, as far as is known
  std::atomic<unsigned> waits_unasked_{0};

  // What the running check has found out, with the nesting mutex.
  std::uint64_t below_check_ = 0, leaves_check_ = 0, paths_check_ = 0;
  int below_ = 0;
  PathCounts paths_{};
};

}  // namespace pollux
