// tap_test.cc - the interface in the arguments of net_tap.
#include "drivers/dpdk/tap.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

TEST(Tap, the_interface_is_found_among_the_arguments) {
  EXPECT_EQ(tap_interface("iface=plx0"), "plx0");
  EXPECT_EQ(tap_interface("mac=fixed,iface=plx1,persist"), "plx1");
  EXPECT_EQ(tap_interface("remote_iface=x"), "");
  EXPECT_EQ(tap_interface(""), "");
}

TEST(Tap, a_name_is_added_only_where_none_is) {
  EXPECT_EQ(with_tap_interface("iface=plx0,mac=fixed"), "iface=plx0,mac=fixed");
  EXPECT_TRUE(with_tap_interface("").starts_with("iface=dtap"));
  EXPECT_TRUE(with_tap_interface("mac=fixed").ends_with(",mac=fixed"));
}

TEST(Tap, what_is_not_there_is_not_taken) {
  EXPECT_FALSE(is_tap_taken(""));
  EXPECT_FALSE(is_tap_taken("no-such-device"));
  EXPECT_FALSE(is_tap_taken("a-name-longer-than-the-kernel-allows"));
}

}  // namespace
}  // namespace pollux
