// eventpoll.cc - EventPoll: epoll_ctl, the pools, and how items and sets end.
#include "epoll/eventpoll.h"

#include <new>

#include "epoll/asking.h"
#include "epoll/kernel_files.h"

namespace pollux {
namespace {

// Process-wide and never destroyed: a thread may still wait while the process exits.
struct Pools {
  explicit Pools(const EpollConfig& c) : config(c), sets(c.max_sets), items(c.max_user_watches) {}
  EpollConfig config;
  Entry lock{ThreadMode::shared};  // also with threads = "single": every thread has its sets here
  SlabPool<EventPoll> sets;
  SlabPool<EpItem> items;  // its capacity is max_user_watches (11.1)
};
alignas(Pools) std::byte pools_memory[sizeof(Pools)];
Pools* pools = nullptr;

// Linux: epnested_mutex.
Entry nesting_mutex(ThreadMode::shared);

constexpr PollEvents kAllowedWithExclusive =
    kIn | kOut | kErr | kHup | kEdge | kWakeup | kExclusive;

bool is_set(const File& file) { return file.type() == FileType::eventpoll; }

EpItem* new_item(EventPoll& set, const Watched& target, const epoll_event& event) {
  Entered entered(pools->lock);
  return pools->items.create(set, target, event);
}

void free_item(EpItem& item) {
  Entered entered(pools->lock);
  pools->items.destroy(&item);
}

void free_set(EventPoll& set) {
  Entered entered(pools->lock);
  pools->sets.destroy(&set);
}

EpItem* first_watcher(File& file) {
  Entered entered(file.wait_queue().lock());
  return file.watchers().empty() ? nullptr : static_cast<EpItem*>(&file.watchers().front());
}

}  // namespace

void EventPoll::configure(const EpollConfig& config) {
  if (pools) {  // again, in a test program: with other limits
    CHECK(pools->sets.used() == 0 && pools->items.used() == 0);
    pools->~Pools();
  }
  pools = new (pools_memory) Pools(config);
  KernelFile::configure(config.max_kernel_files, config.threads);
}

Result<EventPoll*> EventPoll::create() {
  CHECK(pools);
  Entered entered(pools->lock);
  EventPoll* set = pools->sets.create(pools->config.threads, pools->config.busy_poll);
  if (!set) return Errno::system_files;
  return set;
}

EventPoll::EventPoll(ThreadMode mode, const BusyPollParams& params)
    : File(FileType::eventpoll, wait_queue_lock_, nullptr, 0),
      mtx_(mode),
      lock_(mode),
      wait_queue_lock_(mode),
      busy_poll_({.prefer_busy_poll = params.prefer_busy_poll}) {}

std::uint32_t EventPoll::watches_used() {
  Entered entered(pools->lock);
  return pools->items.used();
}

std::uint32_t EventPoll::sets_used() {
  Entered entered(pools->lock);
  return pools->sets.used();
}

// Linux: do_epoll_ctl(). The order of the checks is Linux's (epoll-behaviours 2); do not reorder.
Result<void> EventPoll::ctl(int op, Watched target, const epoll_event* event) {
  RETURN_IF_ERROR(check_target(op, target, event));
  if (op == EPOLL_CTL_ADD) return add(target, *event);
  Entered entered(mtx_);
  EpItem* const item = find(target);
  if (op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD) return Errno::invalid;
  if (!item) return Errno::no_entry;
  if (op == EPOLL_CTL_MOD) return modify(*item, *event);
  remove(*item);
  return {};
}

Result<void> EventPoll::check_target(int op, const Watched& target,
                                     const epoll_event* event) const {
  if (op != EPOLL_CTL_DEL && !event) return Errno::fault;
  if (!target.file->is_pollable()) return Errno::not_permitted;
  if (target.file == this) return Errno::invalid;
  if (!mtx_.may_enter() || !target.file->wait_queue().lock().may_enter()) return Errno::invalid;
  if (op == EPOLL_CTL_DEL) return {};
  const PollEvents wanted(event->events);
  if (!wanted.has(kExclusive)) return {};
  if (op == EPOLL_CTL_MOD) return Errno::invalid;
  if (op != EPOLL_CTL_ADD) return {};
  if (is_set(*target.file) || wanted.has(~kAllowedWithExclusive)) return Errno::invalid;
  return {};
}

// A set that is watched itself, or is to watch a set, may make chains or paths too long.
Result<void> EventPoll::add(Watched target, const epoll_event& event) {
  if (is_set(*target.file) || wait_queue().may_have_entries()) return add_nested(target, event);
  Entered entered(mtx_);
  if (find(target)) return Errno::exists;
  return insert(target, event);
}

Result<void> EventPoll::add_nested(Watched target, const epoll_event& event) {
  Entered alone(nesting_mutex);
  begin_check();
  if (is_set(*target.file)) RETURN_IF_ERROR(check_loop(static_cast<EventPoll&>(*target.file)));
  Entered entered(mtx_);
  if (find(target)) return Errno::exists;
  RETURN_IF_ERROR(insert(target, event));
  Result<void> checked = check_paths(*target.file);
  if (!checked.ok()) remove(*find(target));
  return checked;
}

// Linux: ep_insert(). Readiness is asked once the item hears wake-ups: nothing falls in between.
Result<void> EventPoll::insert(Watched target, const epoll_event& event) {
  EpItem* const item = new_item(*this, target, event);
  if (!item) return Errno::no_space;
  rbr_.insert(*item);
  if (is_set(*target.file)) ++nested_;
  if (const int fd = target.file->kernel_fd(); fd >= 0) {
    Result<void> watched = watch_in_kernel(*target.file, fd);
    if (!watched.ok()) {
      forget(*item);
      return watched;
    }
  }
  const Result<PollEvents> ready = attach(*item);
  if (!ready.ok()) {
    remove(*item);
    return ready.error();
  }
  if ((*ready).has(item->events())) queue_unless_queued(*item);
  return {};
}

// Linux: ep_modify(). Also the only way back for an item whose ONESHOT has fired.
Result<void> EventPoll::modify(EpItem& item, const epoll_event& event) {
  if (item.is_exclusive()) return Errno::invalid;
  item.set_interest(event);
  if (const int fd = item.file().kernel_fd(); fd >= 0) {
    RETURN_IF_ERROR(watch_in_kernel(item.file(), fd));
  }
  if (ask(item.file()).has(item.events())) queue_unless_queued(item);
  return {};
}

// Makes the item hear its file, and tells what the file is ready for from then on.
Result<PollEvents> EventPoll::attach(EpItem& item) {
  File& file = item.file();
  Entry& lock = file.wait_queue().lock();
  {
    Entered entered(lock);
    file.watchers().push_back(item);
    file.wait_queue().add(item);
    note_traffic(file.napis());
    if (is_set(file)) RETURN_IF_ERROR(join_companions(item));
    if (file.napis() & ~napis()) widen(file.napis());
    if (file.stack_entry() == &lock) return file.poll();
  }
  return ask(file);
}

// False: the file is closing and its closer, who will find the item, is to end it.
bool EventPoll::detach(EpItem& item, bool even_if_closing) {
  File& file = item.file();
  Entered entered(file.wait_queue().lock());
  if (!even_if_closing && file.is_closing()) return false;
  file.watchers().erase(file.watchers().iterator_to(item));
  file.wait_queue().remove(item);
  return true;
}

// Linux: ep_remove().
void EventPoll::remove(EpItem& item) {
  detach(item, true);
  forget(item);
}

// The second half: the item hears nothing any more. No transfer runs, so it is not on ovflist_.
void EventPoll::forget(EpItem& item) {
  File& file = item.file();
  rbr_.erase(rbr_.iterator_to(item));
  if (is_set(file)) --nested_;
  if (rbr_.empty()) {
    set_napis(0);
    traffic_.store(0, std::memory_order_relaxed);
  }
  forget_in_kernel(file);
  {
    Entered entered(lock_);
    DCHECK(!item.ovflist_next_);
    if (item.is_queued()) rdllist_.erase(rdllist_.iterator_to(item));
  }
  free_item(item);
}

EpItem* EventPoll::find(Watched target) {
  const auto found = rbr_.find(target);
  return found == rbr_.end() ? nullptr : &*found;
}

std::optional<epoll_event> EventPoll::registration(Watched target) {
  Entered entered(mtx_);
  const EpItem* item = find(target);
  if (!item) return std::nullopt;
  epoll_event event{};
  event.events = item->events().bits();
  event.data.u64 = item->data();
  return event;
}

void EventPoll::release_file(File& file) {
  while (EpItem* item = first_watcher(file)) item->set().remove_closed(*item);
}

void EventPoll::remove_closed(EpItem& item) {
  bool is_last;
  {
    Entered entered(mtx_);
    remove(item);
    is_last = closed_ && rbr_.empty();
  }
  if (is_last) free_set(*this);
}

// Linux: ep_clear_and_put().
void EventPoll::on_last_close() {
  resume_irqs();
  bool is_last;
  {
    Entered entered(mtx_);
    for (auto next = rbr_.begin(); next != rbr_.end();) {
      EpItem& item = *next++;
      if (detach(item, false)) forget(item);
    }
    closed_ = true;
    is_last = rbr_.empty();
  }
  if (is_last) free_set(*this);
}

// Linux: busy_loop_ep_timeout(), BUSY_POLL_BUDGET.
BusyPollParams EventPoll::spin_params() const {
  BusyPollParams params = busy_poll();
  const BusyPollParams& defaults = pools->config.busy_poll;
  if (params.busy_poll_usecs == 0) params.busy_poll_usecs = defaults.busy_poll_usecs;
  if (params.busy_poll_budget == 0) params.busy_poll_budget = defaults.busy_poll_budget;
  return params;
}

// Nothing comes: the next wait sleeps at once, unless something has come until then (13.8).
void EventPoll::note_fruitless_spin() {
  traffic_.store(0, std::memory_order_relaxed);
  if (busy_poll().prefer_busy_poll) resume_irqs();
}

// Linux: ep_suspend_napi_irqs().
void EventPoll::suspend_irqs(PollContext& context) {
  suspended_in_.store(&context, std::memory_order_relaxed);
  context.suspend_irqs(napis());
}

// Linux: ep_resume_napi_irqs().
void EventPoll::resume_irqs() {
  PollContext* const context = suspended_in_.exchange(nullptr, std::memory_order_relaxed);
  if (context) context->resume_irqs(napis());
}

}  // namespace pollux
