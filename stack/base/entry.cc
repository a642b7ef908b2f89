// entry.cc - the slow side of the guard: spin briefly, then sleep in the kernel (futex(2)).
#include "stack/base/entry.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pollux {
namespace {
// 64 pauses of 11 ns, 0.7 us: a holder usually leaves within that; spinning longer starves the
// other side when both share a core (0.4 to 287 ms measured with a pure spin lock).
constexpr int kSpins = 64;

long futex(std::atomic<std::uint32_t>& word, int op, std::uint32_t value) {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), op, value, nullptr, nullptr,
                   0);
}
}  // namespace

void Entry::lock_slowly() {
  check_outside();
  for (int i = 0; i < kSpins; ++i) {
    if (word_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
    _mm_pause();
  }
  ++sleepers_;
  while (!lock_or_announce()) futex(word_, FUTEX_WAIT_PRIVATE, kWaited);
  --sleepers_;
  handing_over_.store(false, std::memory_order_relaxed);
}

// Who finds it free and is the only one at the door leaves without a call of the kernel's: whoever
// comes to the door later announces itself. False: it is entered, and known to be waited for.
bool Entry::lock_or_announce() {
  for (;;) {
    const bool alone = sleepers_ == 1;
    std::uint32_t expected = kFree;
    if (word_.compare_exchange_strong(expected, alone ? kEntered : kWaited,
                                      std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
    if (expected == kWaited) return false;
    if (word_.compare_exchange_strong(expected, kWaited)) return false;
  }
}

void Entry::wake_one() {
  handing_over_.store(true, std::memory_order_relaxed);
  if (futex(word_, FUTEX_WAKE_PRIVATE, 1) == 0)
    handing_over_.store(false, std::memory_order_relaxed);
}

}  // namespace pollux
