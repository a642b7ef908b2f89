// fast_open_server_test.cc - cookies: whose they are; and how many requests count, and how long.
#include "stack/tcp/fast_open_server.h"

#include <gtest/gtest.h>

namespace pollux::tcp {
namespace {

constexpr HashKey kFirst = {1, 2, 3}, kSecond = {4, 5, 6};

FourTuple from(unsigned last, std::uint16_t port = 1000) {
  return {{IpAddress::v4(198, 18, 0, 2), 80}, {IpAddress::v4(198, 18, 0, last), port}};
}

// 7413-4.1
TEST(FastOpenCookies, row_7413_4_1_a_cookie_is_of_both_addresses_and_the_key) {
  const FastOpenCookie cookie = make_fast_open_cookie(from(1), kFirst);
  EXPECT_EQ(cookie.size, 8);
  EXPECT_EQ(make_fast_open_cookie(from(1, 2000), kFirst), cookie);  // any port
  EXPECT_FALSE(make_fast_open_cookie(from(3), kFirst) == cookie);
  EXPECT_FALSE(make_fast_open_cookie(from(1), kSecond) == cookie);
  FourTuple elsewhere = from(1);
  elsewhere.local.address = IpAddress::v4(198, 18, 0, 9);
  EXPECT_FALSE(make_fast_open_cookie(elsewhere, kFirst) == cookie);
}

// 7413-4.1
TEST(FastOpenCookies, row_7413_4_1_the_key_before_is_good_for_a_while) {
  const FastOpenKeys keys{.key = {kSecond, kFirst}, .count = 2};
  const FastOpenKeys later{.key = {kSecond}, .count = 1};
  FastOpenCookie cookie = make_fast_open_cookie(from(1), kFirst);
  EXPECT_EQ(check_fast_open_cookie(from(1), cookie, keys), CookieVerdict::old);
  EXPECT_EQ(check_fast_open_cookie(from(1), cookie, later), CookieVerdict::bad);
  EXPECT_EQ(check_fast_open_cookie(from(3), cookie, keys), CookieVerdict::bad);
  const FastOpenCookie fresh = make_fast_open_cookie(from(1), kSecond);
  EXPECT_EQ(check_fast_open_cookie(from(1), fresh, keys), CookieVerdict::good);
  cookie.octets[7] ^= 1;
  EXPECT_EQ(check_fast_open_cookie(from(1), cookie, keys), CookieVerdict::bad);
  FastOpenCookie shorter = fresh;
  shorter.size = 6;
  EXPECT_EQ(check_fast_open_cookie(from(1), shorter, keys), CookieVerdict::bad);
}

// 7413-4.2
TEST(FastOpenQueueTest, row_7413_4_2_requests_count_while_open) {
  FastOpenQueue queue;
  const Instant now = Instant::from_ns(1'000'000'000);
  EXPECT_FALSE(queue.has_room(0, now));
  EXPECT_TRUE(queue.has_room(2, now));
  queue.add();
  queue.add();
  EXPECT_FALSE(queue.has_room(2, now));
  queue.remove();
  EXPECT_TRUE(queue.has_room(2, now));
  EXPECT_EQ(queue.open(), 1u);
}

// RFC 7413 5.1. Whenever it comes, a RST counts for 60 to 68 s. (7413-4.2)
TEST(FastOpenQueueTest, row_7413_4_2_what_a_rst_ended_counts_for_a_minute) {
  for (int start = 0; start < 200; ++start) {
    FastOpenQueue queue;
    const Instant now = Instant() + Duration::seconds(start);
    queue.note_reset(now);
    EXPECT_FALSE(queue.has_room(1, now + Duration::seconds(60))) << start;
    EXPECT_TRUE(queue.has_room(1, now + Duration::seconds(69))) << start;
  }
}

// However many there were before: a place that is used again forgets them.
TEST(FastOpenQueueTest, resets_of_long_ago_are_forgotten) {
  FastOpenQueue queue;
  for (int s = 0; s < 1000; ++s) queue.note_reset(Instant() + Duration::seconds(s));
  const Instant now = Instant() + Duration::seconds(1000);
  EXPECT_FALSE(queue.has_room(59, now));
  EXPECT_TRUE(queue.has_room(72, now));
}

}  // namespace
}  // namespace pollux::tcp
