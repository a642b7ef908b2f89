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
  while (word_.exchange(kWaited, std::memory_order_acquire) != kFree) {
    futex(word_, FUTEX_WAIT_PRIVATE, kWaited);
  }
  handing_over_.store(false, std::memory_order_relaxed);
}

void Entry::wake_one() {
  handing_over_.store(true, std::memory_order_relaxed);
  if (futex(word_, FUTEX_WAKE_PRIVATE, 1) == 0)
    handing_over_.store(false, std::memory_order_relaxed);
}

}  // namespace pollux
