// fast_open_test.cc - what clients remember of servers: cookies, refusals, and the oldest
// forgotten.
#include "stack/tcp/fast_open.h"

#include <gtest/gtest.h>

namespace pollux::tcp {
namespace {

const Instant kBeginning = Instant::from_ns(1'000'000'000);
const Endpoint kServer{IpAddress::v4(198, 18, 0, 2), 80};

Endpoint port_80(std::uint32_t address) { return {IpAddress::v4(address), 80}; }

FastOpenCookie cookie_of(std::uint8_t first) { return {.size = 8, .octets = {first, 2, 3}}; }

TEST(FastOpenCache, who_was_never_asked_may_be_asked) {
  const FastOpenCache cache;
  const FastOpenHint hint = cache.lookup(kServer, kBeginning);
  EXPECT_TRUE(hint.may_try);
  EXPECT_EQ(hint.cookie.size, 0);
  EXPECT_EQ(hint.mss, 0);
}

TEST(FastOpenCache, a_cookie_is_kept_with_the_mss) {  // RFC 7413 4.1.3
  FastOpenCache cache;
  cache.note_cookie(kServer, cookie_of(1), 1400, kBeginning);
  cache.note_cookie(port_80(0xc6120003), cookie_of(7), 536, kBeginning);
  cache.note_cookie(kServer, cookie_of(9), 1300, kBeginning);
  const FastOpenHint hint = cache.lookup(kServer, kBeginning);
  EXPECT_TRUE(hint.may_try);
  EXPECT_EQ(hint.cookie, cookie_of(9));
  EXPECT_EQ(hint.mss, 1300);
  EXPECT_EQ(cache.lookup(port_80(0xc6120003), kBeginning).cookie, cookie_of(7));
}

// 7413-4.1.3.1
TEST(FastOpenCache, row_7413_4_1_3_1_a_refusal_is_remembered_longer_each_time) {
  FastOpenCache cache;
  Instant now = kBeginning;
  for (const int minutes : {1, 2, 4, 8, 16, 32, 64, 64}) {
    cache.note_failure(kServer, now);
    now = now + Duration::seconds(60 * minutes) - Duration::ns(1);
    EXPECT_FALSE(cache.lookup(kServer, now).may_try) << minutes;
    now = now + Duration::ns(1);
    EXPECT_TRUE(cache.lookup(kServer, now).may_try) << minutes;
  }
  cache.note_success(kServer);
  cache.note_failure(kServer, now);
  EXPECT_TRUE(cache.lookup(kServer, now + Duration::seconds(60)).may_try);
  cache.note_cookie(kServer, cookie_of(1), 1400, now);
  EXPECT_TRUE(cache.lookup(kServer, now).may_try);
  cache.note_success(port_80(0xc6120009));  // nobody we know
  EXPECT_TRUE(cache.lookup(port_80(0xc6120009), now).may_try);
}

TEST(FastOpenCache, a_cookie_is_good_at_every_port_and_a_refusal_at_its_own) {
  FastOpenCache cache;
  const Endpoint other{kServer.address, 8080};
  cache.note_cookie(kServer, cookie_of(1), 1400, kBeginning);
  cache.note_failure(other, kBeginning);
  EXPECT_TRUE(cache.lookup(kServer, kBeginning).may_try);
  EXPECT_FALSE(cache.lookup(other, kBeginning).may_try);
  EXPECT_EQ(cache.lookup(other, kBeginning).cookie, cookie_of(1));
}

// Bounded: of very many, the last one is there and the earliest are not.
TEST(FastOpenCache, the_oldest_gives_way) {
  FastOpenCache cache;
  unsigned known = 0;
  for (std::uint32_t i = 0; i < 4096; ++i) {
    const Endpoint server = port_80(0xc6120000 + i);
    cache.note_cookie(server, cookie_of(1), 1400, kBeginning + Duration::ms(i));
    EXPECT_EQ(cache.lookup(server, kBeginning).cookie.size, 8);
  }
  for (std::uint32_t i = 0; i < 4096; ++i) {
    known += cache.lookup(port_80(0xc6120000 + i), kBeginning).cookie.size != 0 ? 1 : 0;
  }
  EXPECT_LE(known, 256u);
  EXPECT_GE(known, 128u);  // the hash spreads
  EXPECT_EQ(cache.lookup(port_80(0xc6120000), kBeginning).cookie.size, 0);
}

}  // namespace
}  // namespace pollux::tcp
