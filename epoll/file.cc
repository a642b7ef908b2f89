// file.cc - the reference count of a File and what its end means for the sets that watch it.
#include "epoll/file.h"

#include "epoll/busy_poll.h"
#include "epoll/eventpoll.h"

namespace pollux {

BusyPollParams File::busy_poll() const { return {}; }

bool File::get_unless_zero() {
  std::uint32_t references = count().load(std::memory_order_relaxed);
  while (references != 0) {
    if (count().compare_exchange_weak(references, references + 1, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void File::put() {
  const std::uint32_t before = count().fetch_sub(1, std::memory_order_acq_rel);
  DCHECK(before != 0);
  if (before != 1) return;
  EventPoll::release_file(*this);
  on_last_close();
}

}  // namespace pollux
