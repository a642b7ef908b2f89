// path_mtu_test.cc - estimates fall, never rise by a message, and age.
#include "stack/ip/path_mtu.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

const IpAddress kDestination = IpAddress::v4(198, 18, 0, 2);

class PathMtuTest : public ::testing::Test {
 protected:
  Rng rng{1};
  PathMtu cache{64, rng};
  Instant now = Instant::from_ns(0) + Duration::seconds(1000);
};

TEST_F(PathMtuTest, unknown_is_the_routes) {
  EXPECT_EQ(cache.lookup(kDestination, 1500, now), 1500);
}

TEST_F(PathMtuTest, a_report_lowers_and_never_raises) {  // 1191-3a
  EXPECT_EQ(cache.report(kDestination, {1400, 1500}, now), 1400);
  EXPECT_EQ(cache.lookup(kDestination, 1500, now), 1400);
  EXPECT_EQ(cache.report(kDestination, {1450, 1500}, now), 1400);
  EXPECT_EQ(cache.report(kDestination, {1600, 1500}, now), 1400);
  EXPECT_EQ(cache.report(kDestination, {1300, 1500}, now), 1300);
  EXPECT_EQ(cache.lookup(kDestination, 1200, now), 1200) << "never more than the route's";
  EXPECT_EQ(cache.lookup(IpAddress::v4(198, 18, 0, 3), 1500, now), 1500);
}

TEST_F(PathMtuTest, the_floor_is_552) {
  constexpr std::uint16_t kTiny[] = {1, 68, 551};
  for (const std::uint16_t mtu : kTiny) {
    EXPECT_EQ(cache.report(kDestination, {mtu, 1500}, now), 552);
    cache.forget(kDestination);
  }
  EXPECT_EQ(cache.report(kDestination, {100, 400}, now), 400) << "of a link that is smaller itself";
}

TEST_F(PathMtuTest, plateaus) {  // 1191-3b
  EXPECT_EQ(plateau_below(65535), 32000);
  EXPECT_EQ(plateau_below(1500), 1492);
  EXPECT_EQ(plateau_below(1492), 1006);
  EXPECT_EQ(plateau_below(297), 296);
  EXPECT_EQ(plateau_below(296), 68);
  EXPECT_EQ(plateau_below(0), 68);
}

TEST_F(PathMtuTest, estimates_age_after_ten_minutes) {  // 1191-6.3
  cache.report(kDestination, {1400, 1500}, now);
  EXPECT_EQ(cache.lookup(kDestination, 1500, now + Duration::seconds(599)), 1400);
  EXPECT_EQ(cache.lookup(kDestination, 1500, now + Duration::seconds(600)), 1500);
  EXPECT_EQ(cache.report(kDestination, {1450, 1500}, now + Duration::seconds(601)), 1450);
}

TEST_F(PathMtuTest, bounded_and_the_oldest_gives_way) {
  for (unsigned i = 0; i < 1000; ++i) {
    const IpAddress peer = IpAddress::v4(198, 18, i >> 8, i & 0xff);
    cache.report(peer, {1400, 1500}, now + Duration::ms(i));
    EXPECT_EQ(cache.lookup(peer, 1500, now + Duration::ms(i)), 1400);
  }
  unsigned kept = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    kept += cache.lookup(IpAddress::v4(198, 18, i >> 8, i & 0xff), 1500, now) == 1400;
  }
  EXPECT_GT(kept, 48u);
  EXPECT_LE(kept, 64u);
}

}  // namespace
}  // namespace pollux
