// timer_wheel_test.cc - never early, never lost, compared with a sorted list.
#include "stack/base/timer_wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "stack/base/rng.h"

namespace pollux {
namespace {

struct Recorded : Timer {
  bool fired = false;
};

TEST(TimerWheel, fires_at_the_first_advance_at_or_after_its_deadline) {
  TimerWheel wheel(Instant::from_ns(5));
  Recorded timer;
  const Instant deadline = Instant::from_ns(0) + Duration::ms(200);
  wheel.arm(timer, deadline);
  const auto fire = [](Timer& t) { static_cast<Recorded&>(t).fired = true; };
  wheel.advance(deadline - Duration::ns(1), 100, fire);
  EXPECT_FALSE(timer.fired);
  EXPECT_EQ(wheel.next_deadline(), deadline);
  wheel.advance(deadline, 100, fire);
  EXPECT_TRUE(timer.fired);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheel, a_deadline_in_the_past_fires_at_the_next_advance) {
  TimerWheel wheel(Instant::from_ns(0) + Duration::seconds(10));
  Recorded timer;
  wheel.arm(timer, Instant::from_ns(1));
  wheel.advance(Instant::from_ns(0) + Duration::seconds(10), 100,
                [](Timer& t) { static_cast<Recorded&>(t).fired = true; });
  EXPECT_TRUE(timer.fired);
}

TEST(TimerWheel, next_deadline_follows_what_is_armed_moved_and_disarmed) {
  TimerWheel wheel(Instant{});
  Recorded first, second;
  EXPECT_TRUE(wheel.next_deadline().is_never());
  wheel.arm(first, Instant::from_ns(300'000'000));
  EXPECT_EQ(wheel.next_deadline(), Instant::from_ns(300'000'000));
  wheel.arm(second, Instant::from_ns(5'000'000));
  EXPECT_EQ(wheel.next_deadline(), Instant::from_ns(5'000'000));
  wheel.arm(second, Instant::from_ns(6'000'000));
  EXPECT_EQ(wheel.next_deadline(), Instant::from_ns(6'000'000));
  second.disarm();
  EXPECT_EQ(wheel.next_deadline(), Instant::from_ns(300'000'000));
  first.disarm();
  EXPECT_TRUE(wheel.next_deadline().is_never());
  wheel.arm(first, Instant::from_ns(70'000));
  EXPECT_EQ(wheel.next_deadline(), Instant::from_ns(70'000));
}

TEST(TimerWheel, limit_leaves_the_rest_due) {
  TimerWheel wheel(Instant{});
  std::vector<std::unique_ptr<Recorded>> timers;
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<Recorded>());
    wheel.arm(*timers.back(), Instant::from_ns(1000));
  }
  unsigned fired = 0;
  EXPECT_EQ(wheel.advance(Instant::from_ns(2000), 4, [&](Timer&) { ++fired; }), 4u);
  EXPECT_EQ(fired, 4u);
  EXPECT_LE(wheel.next_deadline(), Instant::from_ns(2000));
  EXPECT_EQ(wheel.advance(Instant::from_ns(2000), 100, [&](Timer&) { ++fired; }), 6u);
}

// fault-timers. In one slot, in one tick or all overdue: an advance
// looks at a bounded number of them, says that it is behind, and every one fires once, in time.
TEST(TimerWheel, a_million_due_timers_are_taken_a_bounded_number_at_a_time) {
  constexpr unsigned kTimers = 1'000'000, kLimit = 1024, kMostLookedAt = 8192 + kLimit;
  struct Counted : Timer {
    unsigned fired = 0;
  };
  for (const std::int64_t spread_ns : {std::int64_t{1}, std::int64_t{200'000'000}}) {
    for (const std::int64_t late_ns : {std::int64_t{0}, std::int64_t{3'600'000'000'000}}) {
      TimerWheel wheel(Instant{});
      std::vector<Counted> timers(kTimers);
      const std::int64_t base = 5'000'000'000;
      for (unsigned i = 0; i < kTimers; ++i) {
        wheel.arm(timers[i], Instant::from_ns(base + i * spread_ns / kTimers));
      }
      const Instant now = Instant::from_ns(base + spread_ns + late_ns);
      unsigned fired = 0, advances = 0;
      for (; wheel.next_deadline() <= now; ++advances) {
        const unsigned some = wheel.advance(now, kLimit, [&](Timer& timer) {
          auto& one = static_cast<Counted&>(timer);
          EXPECT_LE(one.deadline(), now);
          ++one.fired;
        });
        EXPECT_LE(some, kLimit);
        fired += some;
      }
      EXPECT_EQ(fired, kTimers);
      EXPECT_GE(advances, kTimers / kMostLookedAt);
      EXPECT_TRUE(wheel.empty());
      for (const Counted& one : timers) ASSERT_EQ(one.fired, 1u);
    }
  }
}

// A slot of the upper levels that is reached long before its timers are due: the wheel says that it
// is behind until all stand where they belong, a bounded number at a time.
TEST(TimerWheel, a_full_slot_is_spread_in_steps_and_nothing_fires_early) {
  constexpr unsigned kTimers = 100'000;
  TimerWheel wheel(Instant{});
  std::vector<Recorded> timers(kTimers);
  const Instant deadline = Instant::from_ns((std::int64_t{64 * 64 * 3 + 64 * 40} << 16) + 7);
  for (Recorded& timer : timers) wheel.arm(timer, deadline);
  const Instant reached = Instant::from_ns(std::int64_t{64 * 64 * 3} << 16);
  unsigned steps = 0;
  const auto none = [](Timer&) { ADD_FAILURE() << "fired early"; };
  do {
    wheel.advance(reached, 1024, none);
    ++steps;
  } while (wheel.next_deadline() <= reached);
  EXPECT_GE(steps, kTimers / 8192);
  EXPECT_LE(wheel.next_deadline(), deadline);
  unsigned fired = 0;
  while (wheel.next_deadline() <= deadline) {
    fired +=
        wheel.advance(deadline, 1024, [](Timer& t) { static_cast<Recorded&>(t).fired = true; });
  }
  EXPECT_EQ(fired, kTimers);
}

// fault-clock. An hour at once fires every timer once, and none that is later.
TEST(TimerWheel, a_jump_of_an_hour_fires_each_timer_once) {
  TimerWheel wheel(Instant{});
  std::vector<Recorded> timers(7200);
  for (unsigned i = 0; i < timers.size(); ++i)
    wheel.arm(timers[i], Instant{} + Duration::seconds(i));
  unsigned fired = 0;
  const Instant now = Instant{} + Duration::seconds(3600);
  const auto once = [&](Timer& t) {
    EXPECT_FALSE(std::exchange(static_cast<Recorded&>(t).fired, true));
    EXPECT_LE(t.deadline(), now);
    ++fired;
  };
  wheel.advance(now, 10'000, once);
  EXPECT_EQ(fired, 3601u);
  wheel.advance(now, 10'000, once);
  EXPECT_EQ(fired, 3601u);
  EXPECT_EQ(wheel.next_deadline(), Instant{} + Duration::seconds(3601));
}

TEST(TimerWheel, fire_may_rearm_and_destroy) {
  TimerWheel wheel(Instant{});
  auto first = std::make_unique<Recorded>();
  auto second = std::make_unique<Recorded>();
  wheel.arm(*first, Instant::from_ns(10));
  wheel.arm(*second, Instant::from_ns(20));
  unsigned fired = 0;
  wheel.advance(Instant::from_ns(1'000'000), 100, [&](Timer& t) {
    ++fired;
    second.reset();
    if (fired == 1) wheel.arm(t, Instant::from_ns(2'000'000));
  });
  EXPECT_EQ(fired, 1u);
  wheel.advance(Instant::from_ns(2'000'000), 100, [&](Timer&) { ++fired; });
  EXPECT_EQ(fired, 2u);
}

// Random arms, moves, disarms and jumps of the clock from nanoseconds to days.
TEST(TimerWheel, agrees_with_a_sorted_list) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Instant now = Instant::from_ns(static_cast<std::int64_t>(rng.below(1'000'000'000'000)));
    TimerWheel wheel(now);
    std::vector<std::unique_ptr<Recorded>> timers;
    for (int i = 0; i < 50; ++i) timers.push_back(std::make_unique<Recorded>());
    for (int step = 0; step < 4000; ++step) {
      Recorded& timer = *timers[rng.below(timers.size())];
      const auto span = std::int64_t{1} << rng.below(55);
      if (rng.chance(0.5)) {
        timer.fired = false;
        wheel.arm(timer, now + Duration::ns(static_cast<std::int64_t>(
                                   rng.below(static_cast<std::uint64_t>(span)))));
      } else if (rng.chance(0.1)) {
        timer.disarm();
      }
      Instant first = Instant::never();
      for (const auto& t : timers) {
        if (t->is_armed()) first = earlier(first, t->deadline());
      }
      ASSERT_LE(wheel.next_deadline(), first) << "seed " << seed;
      // As a Stack does, which asks again before it arms, moves or disarms the next one.
      if (first > now && wheel.next_deadline() > now && rng.chance(0.7)) continue;
      if (rng.chance(0.3)) now = now + Duration::ns(static_cast<std::int64_t>(rng.below(1u << 24)));
      if (rng.chance(0.05) && !first.is_never()) now = first < now ? now : first;
      wheel.advance(now, 1000, [&](Timer& t) {
        ASSERT_LE(t.deadline(), now);
        static_cast<Recorded&>(t).fired = true;
      });
      for (const auto& t : timers) {
        ASSERT_FALSE(t->is_armed() && t->deadline() <= now) << "seed " << seed << " step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace pollux
