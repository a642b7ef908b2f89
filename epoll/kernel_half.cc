// kernel_half.cc - a set whose kernel descriptors stay in an epoll of the kernel's: both deliver.
//
// Unmodified programs make their sets in the kernel, where their pipes, timers and files are
// registered with the kernel's own semantics (dup, EXCLUSIVE, closing behind everybody's back). The
// first socket of Pollux's gives such a set its other half, an EventPoll, which adopts it:
//
//   epoll_wait ---> EventPoll --- rdllist_ --------------> events of Pollux's files
//                      `--------- companion (adopted) ---> events of the kernel's, taken as they
//                      are
//
// Of an inner set the adopted half hears by an edge-triggered registration with hint() as its data:
// the event is dropped, the inner set asked.
#include <poll.h>
#include <sys/epoll.h>

#include "epoll/eventpoll.h"
#include "epoll/kernel_files.h"

namespace pollux {

epoll_data_t EventPoll::hint() {
  static const char unique{};
  return {.u64 = reinterpret_cast<std::uintptr_t>(&unique)};
}

void EventPoll::adopt(int kernel_epoll) {
  Entered entered(wait_queue_lock_);
  CHECK(companion_fd() < 0);
  is_adopted_ = true;
  companion_.store(kernel_epoll, std::memory_order_release);
}

bool EventPoll::is_kernel_half_ready() const {
  if (!is_adopted_) return false;
  pollfd half{companion_fd(), POLLIN, 0};
  ask_kernel_files(std::span(&half, 1));
  return half.revents != 0;
}

// Asking costs a wait 0.4 us: of a round trip of 3 us, or of 60 answers in one wait. Once in 32
// waits that is 12 ns of each.
bool EventPoll::is_kernel_half_due() {
  constexpr unsigned kWaitsPerQuestion = 32;
  if (!is_adopted_) return false;
  if (kernel_files_.load(std::memory_order_relaxed) > 0) return true;
  const unsigned waits = waits_unasked_.load(std::memory_order_relaxed) + 1;
  waits_unasked_.store(waits, std::memory_order_relaxed);
  return waits % kWaitsPerQuestion == 0;
}

// How many events of the program's; hints are used up. Called with nothing locked.
int EventPoll::take_kernel_events(std::span<epoll_event> out) {
  if (out.empty() || !out.data()) return 0;
  const int n = ::epoll_wait(companion_fd(), out.data(), static_cast<int>(out.size()), 0);
  int kept = 0;
  for (int i = 0; i < n; ++i) {
    const epoll_event event = out[static_cast<std::size_t>(i)];
    if (event.data.u64 == hint().u64) {
      wake_inner_sets();
    } else {
      out[static_cast<std::size_t>(kept++)] = event;
    }
  }
  if (kept > 0 && kernel_files_.load(std::memory_order_relaxed) <= 0) kernel_files_ = 1;
  return kept;
}

// Which one it was the event does not say; a wake-up is a hint too.
void EventPoll::wake_inner_sets() {
  Entered entered(mtx_);
  if (nested_ == 0) return;
  for (EpItem& item : rbr_) {
    if (item.file().type() != FileType::eventpoll) continue;
    Entered queue(item.file().wait_queue().lock());
    item.wake(kIn);
  }
}

}  // namespace pollux
