// addresses_test.cc - which addresses can be a program's.
#include "stack/api/addresses.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

const void* at(std::uintptr_t address) { return reinterpret_cast<const void*>(address); }

TEST(Addresses, the_upper_half_is_the_kernels) {
  constexpr auto kEnd = static_cast<std::uintptr_t>(INTPTR_MAX);
  EXPECT_TRUE(may_be_users(at(0), 0));
  EXPECT_TRUE(may_be_users(at(kEnd - 8), 8));
  EXPECT_FALSE(may_be_users(at(kEnd - 8), 9));
  EXPECT_FALSE(may_be_users(at(kEnd + 1), 0));
  EXPECT_FALSE(may_be_users(at(UINTPTR_MAX), 2));
  EXPECT_FALSE(may_be_users(at(16), SIZE_MAX));
}

TEST(Addresses, null_is_bad_where_something_must_be) {
  int here = 0;
  EXPECT_FALSE(is_bad(&here));
  EXPECT_TRUE(is_bad(static_cast<int*>(nullptr)));
  EXPECT_TRUE(is_bad(static_cast<const int*>(at(~std::uintptr_t{4095}))));
}

}  // namespace
}  // namespace pollux
