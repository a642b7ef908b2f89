// new_reno_test.cc - the congestion window: initial, growing, halved, restarted.
#include "stack/tcp/new_reno.h"

#include <gtest/gtest.h>

namespace pollux::tcp {
namespace {

constexpr std::uint32_t kMss = 1000;

TEST(Congestion, initial_window_is_ten_segments_within_14600_octets) {  // RFC 6928 2
  EXPECT_EQ(Congestion::initial_window(1000), 10'000u);
  EXPECT_EQ(Congestion::initial_window(1460), 14'600u);
  EXPECT_EQ(Congestion::initial_window(8960), 17'920u);
  EXPECT_EQ(Congestion::initial_window(536), 5360u);
}

TEST(Congestion, slow_start_counts_octets_up_to_two_segments_an_ack) {  // MUST-19, RFC 3465 2.2
  Congestion c{.cwnd = 10 * kMss};
  c.grow(kMss, kMss);
  EXPECT_EQ(c.cwnd, 11 * kMss);
  c.grow(8 * kMss, kMss);
  EXPECT_EQ(c.cwnd, 13 * kMss);
  c.phase = Phase::loss;
  c.grow(8 * kMss, kMss);
  EXPECT_EQ(c.cwnd, 14 * kMss);
}

TEST(Congestion, splitting_acks_gains_nothing) {  // 5681-3.1c, faults V18
  Congestion slow{.cwnd = 10 * kMss};
  for (unsigned i = 0; i < kMss; ++i) slow.grow(1, kMss);
  EXPECT_EQ(slow.cwnd, 11 * kMss);
  Congestion avoiding{.cwnd = 10 * kMss, .ssthresh = 5 * kMss};
  for (unsigned i = 0; i < kMss; ++i) avoiding.grow(1, kMss);
  EXPECT_EQ(avoiding.cwnd, 10 * kMss);
}

TEST(Congestion, avoidance_adds_one_segment_a_window) {  // RFC 5681 3.1; 2525 2.6
  Congestion c{.cwnd = 10 * kMss, .ssthresh = 10 * kMss};
  for (int i = 0; i < 10; ++i) c.grow(kMss, kMss);
  EXPECT_EQ(c.cwnd, 11 * kMss);
  for (int i = 0; i < 11; ++i) c.grow(kMss, kMss);
  EXPECT_EQ(c.cwnd, 12 * kMss);
}

TEST(Congestion, loss_halves_the_flight_but_not_below_two_segments) {  // equation 4
  Congestion c{.cwnd = 100 * kMss};
  c.halve(20 * kMss, kMss);  // what was in flight, not cwnd
  EXPECT_EQ(c.ssthresh, 10 * kMss);
  c.halve(kMss, kMss);
  EXPECT_EQ(c.ssthresh, 2 * kMss);
}

TEST(Congestion, restart_goes_back_to_the_initial_window) {  // 5681-4.1
  Congestion c{.cwnd = 100 * kMss};
  c.restart(kMss);
  EXPECT_EQ(c.cwnd, 10 * kMss);
  c.cwnd = 3 * kMss;
  c.restart(kMss);
  EXPECT_EQ(c.cwnd, 3 * kMss);
}

}  // namespace
}  // namespace pollux::tcp
