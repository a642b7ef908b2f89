// transfer.cc - EventPoll: from a wake-up to the ready list, and from there to the application.
//
//   wake-up --> rdllist_ --(begin_transfer)--> txlist --(asked, ready)--> application
//           \                                    | not reached   | level-triggered
//            `-> ovflist_ (during a transfer)    v               v
//   rdllist_ after end_transfer:             [ leftovers ][ ovflist_ ][ delivered level items ]
#include <algorithm>
#include <utility>

#include "epoll/asking.h"
#include "epoll/eventpoll.h"
#include "epoll/kernel_files.h"
#include "epoll/waiting.h"

namespace pollux {
namespace {

// An exclusive item absorbs a wake-up only if it waits for what the key says (7.26).
bool absorbs(PollEvents wanted, PollEvents key) {
  const bool in = key.has(kIn), out = key.has(kOut);
  if (in && out) return false;
  if (in) return wanted.has(kIn);
  if (out) return wanted.has(kOut);
  return true;
}

}  // namespace

bool EpItem::wake(PollEvents key) {
  const PollEvents wanted = events();
  const NapiSet napis = file_.napis();
  if (napis & ~set_.napis()) set_.widen(napis);
  if (!wanted.has(~kPrivateBits)) return !exclusive_;  // ONESHOT has fired
  if (key && !wanted.has(key)) return !exclusive_;
  set_.note_traffic(napis);
  const bool woke = set_.queue(*this);
  return !exclusive_ || (woke && absorbs(wanted, key));
}

// An item already queued wakes a waiter all the same: the first may have been given away (7.3).
bool EventPoll::queue(EpItem& item) {
  bool woke;
  {
    Entered entered(lock_);
    if (transferring_) {
      add_to_overflow(item);
    } else if (!item.is_queued()) {
      rdllist_.push_back(item);
      available_.store(true, std::memory_order_release);
    }
    woke = wake_waiter();
  }
  if (wait_queue().may_have_entries()) wake_watchers();
  return woke;
}

// By ctl, which wakes nobody for what is queued already. Linux: ep_insert(), ep_modify().
void EventPoll::queue_unless_queued(EpItem& item) {
  {
    Entered entered(lock_);
    if (item.is_queued()) return;
  }
  queue(item);
}

bool EventPoll::wake_waiter() {
  if (waiters_.empty()) return false;
  Waiter& waiter = waiters_.front();
  waiters_.pop_front();
  waiter.sleeper->wake();
  return true;
}

// Linux: ep_poll_safewake(). The key is IN alone, so an interest in RDNORM alone is not woken
// (8.6).
void EventPoll::wake_watchers() {
  Entered entered(wait_queue_lock_);
  wait_queue().wake_up(kIn);
}

// What a set watches can be made ready by more queues now: it has begun to listen, or watches more.
void EventPoll::widen(NapiSet napis) {
  Entered upwards(wait_queue_lock_);
  spread_napis(napis);
}

// They sleep without the new descriptor or queue. No item has kLookAgain among its wishes.
void EventPoll::wake_sleepers() {
  wait_queue().wake_up_all(kLookAgain);
  Entered entered(lock_);
  while (wake_waiter()) {
  }
}

// Linux: ep_start_scan(). While this thread waited for mtx_, another may have left nothing; what
// comes to ovflist_ is there for a wait that only looks all the same (Linux:
// ep_events_available()).
void EventPoll::begin_transfer(ReadyList& txlist) {
  DCHECK(mtx_.is_entered());
  Entered entered(lock_);
  txlist.splice(txlist.end(), rdllist_);
  transferring_ = true;
  available_.store(true, std::memory_order_release);
}

// Linux: ep_done_scan().
void EventPoll::end_transfer(ReadyList& txlist) {
  Entered entered(lock_);
  merge_overflow();
  rdllist_.splice(rdllist_.begin(), txlist);
  transferring_ = false;
  const bool available = !rdllist_.empty();
  available_.store(available, std::memory_order_release);
  if (available) wake_waiter();
}

void EventPoll::add_to_overflow(EpItem& item) {
  if (item.ovflist_next_) return;
  if (ovflist_) {
    ovflist_tail_->ovflist_next_ = &item;
  } else {
    ovflist_ = &item;
  }
  ovflist_tail_ = &item;
  item.ovflist_next_ = &item;
}

// In order of arrival, in front of what the transfer has put back (0.4).
void EventPoll::merge_overflow() {
  const auto delivered = rdllist_.begin();
  for (EpItem* item = ovflist_; item;) {
    EpItem* const next = item->ovflist_next_;
    item->ovflist_next_ = nullptr;
    if (!item->is_queued()) rdllist_.insert(delivered, *item);
    item = next == item ? nullptr : next;
  }
  ovflist_ = nullptr;
}

// Linux: ep_send_events().
Result<int> EventPoll::send_events(std::span<epoll_event> out) {
  Entered entered(mtx_);
  ReadyList txlist;
  begin_transfer(txlist);
  Result<int> sent = transfer(txlist, out);
  end_transfer(txlist);
  return sent;
}

// A wake-up was a hint: each file is asked again, and the answer is what is reported (0.1).
Result<int> EventPoll::transfer(ReadyList& txlist, std::span<epoll_event> out) {
  Asker asker(txlist, out.size());
  std::size_t n = 0;
  while (n < out.size() && !txlist.empty()) {
    EpItem& item = txlist.front();
    const PollEvents ready = asker.ask_front();
    if (ready && !out.data()) return Errno::fault;  // the item stays where it is (3.5)
    txlist.pop_front();
    if (!ready) continue;  // the hint was stale
    out[n].events = ready.bits();
    out[n].data.u64 = item.data();
    ++n;
    if (item.is_one_shot()) {
      item.disarm();
    } else if (!item.is_edge_triggered()) {
      rdllist_.push_back(item);  // level: ask again next time
    }
  }
  return static_cast<int>(n);
}

// Linux: __ep_eventpoll_poll(). For the sets that watch this one, poll and select.
PollEvents EventPoll::poll() {
  Entered entered(mtx_);
  ask_kernel_locked();
  if (is_kernel_half_ready()) return kIn | kRdNorm;
  if (!available_.load(std::memory_order_acquire)) return PollEvents();
  ReadyList txlist;
  begin_transfer(txlist);
  bool is_ready = false;
  {
    Asker asker(txlist);
    while (!is_ready && !txlist.empty()) {
      is_ready = bool(asker.ask_front());
      if (!is_ready) txlist.pop_front();
    }
  }
  end_transfer(txlist);
  return is_ready ? kIn | kRdNorm : PollEvents();
}

PollEvents Asker::next_kernel_answer() {
  if (used_ == answered_) {
    used_ = answered_ = 0;
    for (auto item = list_.begin(); item != list_.end() && answered_ < batch_; ++item) {
      if (const int fd = item->file().kernel_fd(); fd >= 0) {
        answers_[answered_++] = {fd, kAnyPollBit, 0};
      }
    }
    ask_kernel_files(std::span(answers_).first(answered_));
  }
  return PollEvents(static_cast<std::uint16_t>(answers_[used_++].revents)) & ~kNval;
}

// What a thread in epoll_wait waits for: the ready list of one set.
class SetWait final : public Waitable {
 public:
  SetWait(EventPoll& set, std::span<epoll_event> out) : set_(set), out_(out) {}

  NapiSet napis() const override { return set_.napis(); }
  void ask_kernel() override {
    set_.ask_kernel();
    const bool was_ready = std::exchange(companion_.revents, short{0}) != 0;
    may_ask_kernel_half_ = set_.is_kernel_half_due() || (was_ready && set_.is_adopted_);
  }
  Result<int> look() override {
    if (std::exchange(may_ask_kernel_half_, false)) return look_at_both();
    return look_here(out_);
  }
  bool arm(Sleeper& sleeper) override {
    waiter_.sleeper = &sleeper;
    Entered entered(set_.lock_);
    if (set_.available_.load(std::memory_order_relaxed)) return false;
    set_.waiters_.push_front(waiter_);
    return true;
  }
  void disarm() override {
    Entered entered(set_.lock_);
    if (waiter_.is_linked()) set_.waiters_.erase(set_.waiters_.iterator_to(waiter_));
  }
  std::span<pollfd> kernel() override {
    companion_ = {set_.companion_fd(), POLLIN, 0};
    return {&companion_, companion_.fd >= 0 ? 1u : 0u};
  }
  bool is_worth_spinning() const override { return set_.is_worth_spinning(); }
  BusyPollParams busy_poll() override { return set_.spin_params(); }
  void note_fruitless_spin() override { set_.note_fruitless_spin(); }

 private:
  Result<int> look_here(std::span<epoll_event> out) {
    if (out.empty() || !set_.available_.load(std::memory_order_acquire)) return 0;
    return set_.send_events(out);
  }
  // Whoever comes first may fill the program's array: the other does the next time.
  Result<int> look_at_both() {
    if (set_.is_kernels_turn_.exchange(!set_.is_kernels_turn_)) {
      const int n = set_.take_kernel_events(out_);
      ASSIGN_OR_RETURN(const int more, look_here(out_.subspan(static_cast<std::size_t>(n))));
      return n + more;
    }
    ASSIGN_OR_RETURN(const int n, look_here(out_));
    const int more = set_.take_kernel_events(out_.subspan(static_cast<std::size_t>(n)));
    if (n + more > 0) return n + more;
    return look_here(out_);  // the kernel may have had a hint
  }

  EventPoll& set_;
  const std::span<epoll_event> out_;
  EventPoll::Waiter waiter_;
  pollfd companion_{};
  bool may_ask_kernel_half_ = false;
};

// Linux: ep_poll().
Result<int> EventPoll::wait(std::span<epoll_event> out, Instant deadline, const sigset_t* sigmask,
                            PollContext& context) {
  if (!mtx_.may_enter()) return Errno::invalid;
  SetWait wait(*this, out);
  const Result<int> found = wait_until(wait, {deadline, sigmask}, context);
  if (found.ok() && *found > 0 && busy_poll().prefer_busy_poll) suspend_irqs(context);
  return found;
}

}  // namespace pollux
