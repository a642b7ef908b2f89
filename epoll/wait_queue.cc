// wait_queue.cc - the order in which entries are called: ordinary ones newest first, then
// exclusive.
#include "epoll/wait_queue.h"

namespace pollux {

void WaitQueue::add(WaitEntry& entry) {
  DCHECK(lock_.is_entered());
  if (entry.is_exclusive()) {
    entries_.push_back(entry);
  } else {
    entries_.push_front(entry);
  }
  occupied_.store(true, std::memory_order_release);
}

void WaitQueue::remove(WaitEntry& entry) {
  DCHECK(lock_.is_entered());
  entries_.erase(entries_.iterator_to(entry));
  if (entries_.empty()) occupied_.store(false, std::memory_order_release);
}

void WaitQueue::wake_up(PollEvents key) {
  DCHECK(lock_.is_entered());
  for (WaitEntry& entry : entries_) {
    if (entry.wake(key) && entry.is_exclusive()) return;
  }
}

void WaitQueue::wake_up_all(PollEvents key) {
  DCHECK(lock_.is_entered());
  for (WaitEntry& entry : entries_) entry.wake(key);
}

}  // namespace pollux
