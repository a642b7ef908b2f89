// poll_calls_test.cc - poll and select: pointers that no program has.
#include <poll.h>

#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
namespace {

template <typename T>
T* kernel_address() {
  return reinterpret_cast<T*>(~std::uintptr_t{4095});
}

TEST(PollCalls, epoll_14_8_bad_arrays_are_efault) {
  EXPECT_ERRNO(plx_poll(nullptr, 1, 0), EFAULT);
  EXPECT_ERRNO(plx_poll(kernel_address<pollfd>(), 1, 0), EFAULT);
  EXPECT_EQ(plx_poll(kernel_address<pollfd>(), 0, 0), 0);
}

TEST(PollCalls, bad_masks_and_times_are_efault) {
  const timespec none{0, 0}, negative{-1, 0};
  const auto* const mask = kernel_address<const sigset_t>();
  EXPECT_ERRNO(plx_ppoll(nullptr, 0, &none, mask), EFAULT);
  EXPECT_ERRNO(plx_ppoll(nullptr, 0, &negative, mask), EINVAL);
  EXPECT_ERRNO(plx_ppoll(nullptr, 0, kernel_address<const timespec>(), nullptr), EFAULT);
  EXPECT_ERRNO(plx_pselect(0, nullptr, nullptr, nullptr, &none, mask), EFAULT);
  EXPECT_ERRNO(plx_pselect(-1, nullptr, nullptr, nullptr, &negative, mask), EINVAL);
  EXPECT_ERRNO(plx_select(0, nullptr, nullptr, nullptr, kernel_address<timeval>()), EFAULT);
}

}  // namespace
}  // namespace pollux::testing_support
