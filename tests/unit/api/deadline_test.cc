// deadline_test.cc - timeouts of all sizes and shapes.
#include "stack/api/deadline.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

constexpr Instant kNow = Instant::from_ns(5'000'000'000);

TEST(Deadline, milliseconds) {
  EXPECT_EQ(deadline_of_ms(-1, kNow), Instant::never());
  EXPECT_EQ(deadline_of_ms(INT32_MIN, kNow), Instant::never());
  EXPECT_EQ(deadline_of_ms(0, kNow), Instant());
  EXPECT_EQ(deadline_of_ms(7, kNow), kNow + Duration::ms(7));
}

TEST(Deadline, timespec_3_8) {
  EXPECT_EQ(*deadline_of(static_cast<const timespec*>(nullptr), kNow), Instant::never());
  const auto of = [](std::int64_t s, std::int64_t ns) {
    const timespec t{s, ns};
    return deadline_of(&t, kNow);
  };
  EXPECT_EQ(*of(0, 0), Instant());
  EXPECT_EQ(*of(1, 1), kNow + Duration::ns(1'000'000'001));
  EXPECT_EQ(*of(std::int64_t{1} << 62, 0), Instant::never());
  EXPECT_EQ(of(-1, 0).error(), Errno::invalid);
  EXPECT_EQ(of(0, -1).error(), Errno::invalid);
  EXPECT_EQ(of(0, 1'000'000'000).error(), Errno::invalid);
}

TEST(Deadline, addresses_of_the_kernel_are_efault) {
  const auto* const address = reinterpret_cast<const std::byte*>(~std::uintptr_t{4095});
  EXPECT_EQ(deadline_of(reinterpret_cast<const timespec*>(address), kNow).error(), Errno::fault);
  EXPECT_EQ(deadline_of(reinterpret_cast<const timeval*>(address), kNow).error(), Errno::fault);
}

TEST(Deadline, timeval_15_6) {
  const auto of = [](std::int64_t s, std::int64_t us) {
    const timeval t{s, us};
    return deadline_of(&t, kNow);
  };
  EXPECT_EQ(*of(0, 0), Instant());
  EXPECT_EQ(*of(1, 2'500'000), kNow + Duration::ms(3500));
  EXPECT_EQ(*of(INT64_MAX, 999'999), Instant::never());
  EXPECT_EQ(of(-1, 0).error(), Errno::invalid);
  EXPECT_EQ(of(0, -1).error(), Errno::invalid);
}

TEST(Deadline, what_remains_15_7) {
  const timeval left = remaining(kNow + Duration::ms(1500), kNow);
  EXPECT_EQ(left.tv_sec, 1);
  EXPECT_EQ(left.tv_usec, 500'000);
  const timeval none = remaining(kNow, kNow + Duration::ms(1));
  EXPECT_EQ(none.tv_sec, 0);
  EXPECT_EQ(none.tv_usec, 0);
}

}  // namespace
}  // namespace pollux
