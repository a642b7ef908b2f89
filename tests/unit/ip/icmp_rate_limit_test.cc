// icmp_rate_limit_test.cc - bursts, pace, and budgets that do not tell of each other.
#include "stack/ip/icmp_rate_limit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace pollux {
namespace {

const IpAddress kOnePeer = IpAddress::v4(198, 18, 0, 2);

class IcmpRateLimitTest : public ::testing::Test {
 protected:
  unsigned burst(IcmpRateLimit& limit, const IpAddress& peer) {
    unsigned allowed = 0;
    while (allowed < 1000 && limit.allow(peer, now)) ++allowed;
    return allowed;
  }
  Rng rng{1};
  Instant now = Instant::from_ns(0) + Duration::seconds(1000);
};

// icmp-rate.
TEST_F(IcmpRateLimitTest, burst_is_random_between_once_and_twice) {
  std::set<unsigned> seen;
  for (int i = 0; i < 100; ++i) {
    IcmpRateLimit limit({}, rng);
    const unsigned allowed = burst(limit, kOnePeer);
    EXPECT_GE(allowed, 6u);
    EXPECT_LE(allowed, 12u);
    seen.insert(allowed);
  }
  EXPECT_GE(seen.size(), 5u);
}

TEST_F(IcmpRateLimitTest, pace_is_one_a_second_on_average) {
  IcmpRateLimit limit({}, rng);
  burst(limit, kOnePeer);
  unsigned allowed = 0;
  for (int i = 0; i < 100000; ++i) {
    now = now + Duration::ms(10);
    allowed += limit.allow(kOnePeer, now);
  }
  EXPECT_GT(allowed, 600u);  // 1,000 s, at 0.5 to 1.5 s each
  EXPECT_LT(allowed, 2100u);
}

TEST_F(IcmpRateLimitTest, quiet_time_fills_it_to_its_size_only) {
  IcmpRateLimit limit({}, rng);
  for (int i = 0; i < 20; ++i) {
    burst(limit, kOnePeer);
    now = now + Duration::seconds(3600);
    const unsigned allowed = burst(limit, kOnePeer);
    EXPECT_GE(allowed, 6u);
    EXPECT_LE(allowed, 12u);
  }
}

TEST_F(IcmpRateLimitTest, destinations_do_not_share) {  // icmp-rate: CVE-2020-25705
  IcmpRateLimit limit({}, rng);
  unsigned untouched = 0;
  for (unsigned i = 0; i < 50; ++i) burst(limit, IpAddress::v4(198, 18, 1, i));
  for (unsigned i = 0; i < 50; ++i) untouched += burst(limit, IpAddress::v4(198, 18, 2, i)) >= 6;
  EXPECT_GE(untouched, 40u);  // 50 of 1,024 buckets are empty: about 2.5 share one
}

// icmp-rate, V12 (SAD DNS): in another's name an attacker has `kProbes` ports probed, one of which
// may be open, then probes a closed one in its own: how much oftener it is answered if one was
// open.
double advantage(const IcmpRateLimit::Limits& limits, Rng& rng) {
  constexpr int kRounds = 20'000, kProbes = 9;
  Instant at = Instant::from_ns(0) + Duration::seconds(1000);
  IcmpRateLimit limit(limits, rng);
  double heard[2] = {0, 0}, rounds[2] = {0, 0};
  for (int round = 0; round < kRounds; ++round) {
    const bool is_open = rng.chance(0.5);
    for (int i = is_open ? 1 : 0; i < kProbes; ++i) {
      limit.allow(IpAddress::v4(198, 18, 0, 9), at);  // what is open sends no error
    }
    heard[is_open] += limit.allow(kOnePeer, at);
    rounds[is_open] += 1;
    at = at + Duration::seconds(60);
  }
  return heard[1] / rounds[1] - heard[0] / rounds[0];
}

// With one bucket for all the experiment sees the open port, random budget or not: one in seven.
TEST_F(IcmpRateLimitTest, anothers_probes_tell_nothing_of_open_ports) {
  EXPECT_GT(advantage({.buckets = 1}, rng), 0.1);
  EXPECT_LT(std::abs(advantage({}, rng)), 0.005);
}

TEST_F(IcmpRateLimitTest, who_shares_a_bucket_depends_on_the_key) {
  unsigned shared = 0;
  const IpAddress other = IpAddress::v4(198, 18, 0, 3);
  for (int i = 0; i < 3000; ++i) {
    IcmpRateLimit limit({.buckets = 64}, rng);
    burst(limit, kOnePeer);
    shared += !limit.allow(other, now);
  }
  EXPECT_GT(shared, 10u);
  EXPECT_LT(shared, 120u);  // 1 in 64: 47
}

}  // namespace
}  // namespace pollux
