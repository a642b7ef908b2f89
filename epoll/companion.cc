// companion.cc - the kernel epoll behind a set: kernel files and inner sets that have some.
//
// A set that watches kernel files has one epoll descriptor of the kernel's, the companion, in which
// they are registered edge-triggered; an event there is a wake-up of their items, no more. Level,
// ONESHOT, order and nesting stay our own. An inner set's companion is registered in the outer
// set's, so whoever sleeps on the outermost companion is woken for all:
//
//   outer set ---- companion ----.          registered under the File's address; the address is
//     item ------> inner set      `--> companion --> fd 7      looked up in rbr_, never followed,
//                    item ---> KernelFile(7) ............'      so a stale registration is harmless
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "epoll/eventpoll.h"

namespace pollux {
namespace {

Result<void> register_at(int companion, int fd, epoll_event event) {
  if (::epoll_ctl(companion, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  if (errno == EEXIST && ::epoll_ctl(companion, EPOLL_CTL_MOD, fd, &event) == 0) return {};
  return static_cast<Errno>(errno);
}

epoll_event names(File& file, std::uint32_t events) {
  return {.events = events, .data = {.ptr = &file}};
}

int descriptor_of(File& file) {
  if (file.type() == FileType::kernel) return file.kernel_fd();
  if (file.type() == FileType::eventpoll) return static_cast<EventPoll&>(file).companion_fd();
  return -1;
}

}  // namespace

EventPoll::~EventPoll() {
  if (const int fd = companion_fd(); fd >= 0) ::close(fd);
}

// Every set above needs one too: they are reached through the watchers, inner lock before outer.
Result<void> EventPoll::open_companion() {
  DCHECK(wait_queue_lock_.is_entered());
  if (companion_fd() >= 0) return {};
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return Errno::no_memory;  // epoll_ctl has no EMFILE
  companion_.store(fd, std::memory_order_release);
  wake_sleepers();
  for (WatcherLink& link : watchers()) RETURN_IF_ERROR(join_companions(static_cast<EpItem&>(link)));
  return {};
}

// The item's file is a set: what is in its companion must wake the companion of the item's set.
Result<void> EventPoll::join_companions(EpItem& item) {
  EventPoll& outer = item.set();
  const int fd = descriptor_of(item.file());
  if (fd < 0) return {};
  {
    Entered upwards(outer.wait_queue_lock_);
    RETURN_IF_ERROR(outer.open_companion());
  }
  epoll_event event = names(item.file(), EPOLLIN);
  if (outer.is_adopted_) {
    event = {.events = EPOLLIN | std::uint32_t{EPOLLET}, .data = hint()};
    outer.count_kernel_files(1);
  }
  return register_at(outer.companion_fd(), fd, event);
}

Result<void> EventPoll::watch_in_kernel(File& file, int fd) {
  {
    Entered entered(wait_queue_lock_);
    RETURN_IF_ERROR(open_companion());
  }
  return register_at(companion_fd(), fd, names(file, interest_in(file).bits() | EPOLLET));
}

// One registration serves all items of a file: several numbers, one descriptor of the kernel's.
PollEvents EventPoll::interest_in(File& file) {
  PollEvents interest;
  for (auto item = rbr_.lower_bound(Watched{&file, 0});
       item != rbr_.end() && &item->file() == &file; ++item) {
    interest |= item->events();
  }
  return interest & ~kPrivateBits;
}

void EventPoll::forget_in_kernel(File& file) {
  const int fd = descriptor_of(file);
  if (fd < 0 || companion_fd() < 0) return;
  const auto other = rbr_.lower_bound(Watched{&file, 0});
  if (other != rbr_.end() && &other->file() == &file) return;
  epoll_event unused{};
  ::epoll_ctl(companion_fd(), EPOLL_CTL_DEL, fd, &unused);  // fails if the caller closed fd before
}

void EventPoll::ask_kernel() {
  if (companion_fd() < 0 || is_adopted_) return;
  Entered entered(mtx_);
  ask_kernel_locked();
}

// Bounded: what is not fetched now is there the next time.
void EventPoll::ask_kernel_locked() {
  constexpr int kBatch = 32, kRounds = 8;
  epoll_event events[kBatch];
  if (companion_fd() < 0 || is_adopted_) return;
  for (int round = 0; round < kRounds; ++round) {
    const int n = ::epoll_wait(companion_fd(), events, kBatch, 0);
    for (int i = 0; i < n; ++i) {
      kernel_event(static_cast<File*>(events[i].data.ptr), PollEvents(events[i].events));
    }
    if (n < kBatch) return;
  }
}

void EventPoll::kernel_event(File* file, PollEvents key) {
  for (auto item = rbr_.lower_bound(Watched{file, 0}); item != rbr_.end() && &item->file() == file;
       ++item) {
    if (file->type() == FileType::eventpoll) return static_cast<EventPoll*>(file)->ask_kernel();
    Entered entered(file->wait_queue().lock());
    item->wake(key);
  }
}

}  // namespace pollux
