// rtt_test.cc - the retransmission timeout against a model in floating point; back-off; Karn.
#include "stack/tcp/rtt.h"

#include <gtest/gtest.h>

#include <cmath>

#include "stack/base/rng.h"
#include "stack/tcp/shared.h"

namespace pollux::tcp {
namespace {

const TcpConfig kLimits;

TEST(Rtt, before_the_first_sample_one_second) {  // RFC 6298 2.1 (MUST-18); 2525 2.7
  Rtt rtt;
  rtt.set_initial_rto(kLimits.initial_rto);
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.rto(kLimits), Duration::seconds(1));
}

TEST(Rtt, first_sample_sets_srtt_and_half_of_it_as_variation) {  // 2.2
  Rtt rtt;
  rtt.sample(Duration::ms(100), kLimits);
  EXPECT_EQ(rtt.srtt(), Duration::ms(100));
  EXPECT_EQ(rtt.rttvar(), Duration::ms(50));
  EXPECT_EQ(rtt.rto(kLimits), Duration::ms(300));
}

TEST(Rtt, follows_the_formulas_of_rfc_6298) {  // 2.3, 6298-2.2/2.3
  Rng rng(42);
  for (int series = 0; series < 200; ++series) {
    Rtt rtt;
    double srtt = 0, rttvar = 0;
    for (int i = 0; i < 500; ++i) {
      const auto r = static_cast<double>(1'000 + rng.below(2'000'000));  // us
      rtt.sample(Duration::us(static_cast<std::int64_t>(r)), kLimits);
      if (i == 0) {
        srtt = r, rttvar = r / 2;
      } else {
        rttvar = 0.75 * rttvar + 0.25 * std::fabs(srtt - r);
        srtt = 0.875 * srtt + 0.125 * r;
      }
      ASSERT_NEAR(static_cast<double>(rtt.srtt().to_us()), srtt, 10);
      ASSERT_NEAR(static_cast<double>(rtt.rttvar().to_us()), rttvar, 10);
      const double rto = std::max(srtt + 4 * rttvar, 200'000.0);
      ASSERT_NEAR(static_cast<double>(rtt.rto(kLimits).to_us()), rto, 60);
    }
  }
}

TEST(Rtt, floor_and_ceiling) {  // 6298-2.4: 200 ms, a listed deviation; 2.5
  Rtt rtt;
  rtt.sample(Duration::us(3), kLimits);
  EXPECT_EQ(rtt.rto(kLimits), Duration::ms(200));
  for (int i = 0; i < 40; ++i) rtt.back_off();
  EXPECT_EQ(rtt.rto(kLimits), kLimits.max_rto);
}

TEST(Rtt, back_off_doubles_until_a_sample) {  // 6298-5.5, 5.7
  Rtt rtt;
  rtt.sample(Duration::ms(100), kLimits);
  rtt.back_off();
  EXPECT_EQ(rtt.rto(kLimits), Duration::ms(600));
  rtt.back_off();
  EXPECT_EQ(rtt.rto(kLimits), Duration::ms(1200));
  rtt.sample(Duration::ms(100), kLimits);
  EXPECT_EQ(rtt.backoff(), 0);
}

TEST(Rtt, times_one_segment_and_none_that_was_stopped) {  // 6298-3: Karn
  Rtt rtt;
  const Instant t = Instant::from_ns(5'000'000'000);
  rtt.start_timing(SeqNum(100), t);
  rtt.start_timing(SeqNum(200), t + Duration::ms(1));  // one at a time
  EXPECT_FALSE(rtt.acknowledged(SeqNum(99), t + Duration::ms(5)).has_value());
  EXPECT_EQ(rtt.acknowledged(SeqNum(100), t + Duration::ms(7)), Duration::ms(7));
  EXPECT_FALSE(rtt.acknowledged(SeqNum(200), t + Duration::ms(9)).has_value());
  rtt.start_timing(SeqNum(300), t);
  rtt.stop_timing();
  EXPECT_FALSE(rtt.acknowledged(SeqNum(300), t).has_value());
}

}  // namespace
}  // namespace pollux::tcp
