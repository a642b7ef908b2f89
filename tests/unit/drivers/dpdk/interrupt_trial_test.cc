// interrupt_trial_test.cc - who is believed, who is found out, and what proves nothing.
#include "drivers/dpdk/interrupt_trial.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

using Verdict = InterruptTrial::Verdict;

class Trial : public testing::Test {
 protected:
  void after(Duration pause, std::size_t packets, bool is_signalled) {
    now_ = now_ + pause;
    trial_.burst(packets, now_, [&] {
      ++asked_;
      return is_signalled;
    });
  }
  // A sleep of that length, with a packet at its end.
  void sleep(Duration length, bool is_signalled) {
    trial_.arm();
    after(Duration(), 0, false);
    after(length, 1, is_signalled);
    trial_.disarm();
  }
  InterruptTrial trial_;
  Instant now_ = Instant::from_ns(1'000'000);
  unsigned asked_ = 0;
};

TEST_F(Trial, a_packet_with_an_interrupt_proves_it) {
  sleep(Duration::us(50), true);
  EXPECT_EQ(trial_.verdict(), Verdict::works);
  for (int i = 0; i < 10; ++i) sleep(InterruptTrial::kLate, false);
  EXPECT_EQ(trial_.verdict(), Verdict::works);
  EXPECT_EQ(asked_, 1u);
}

TEST_F(Trial, late_packets_without_one_give_it_away) {
  for (unsigned i = 1; i < InterruptTrial::kMisses; ++i) sleep(InterruptTrial::kLate, false);
  EXPECT_EQ(trial_.verdict(), Verdict::open);
  sleep(InterruptTrial::kLate, false);
  EXPECT_EQ(trial_.verdict(), Verdict::fails);
}

TEST_F(Trial, a_packet_of_just_now_may_have_its_interrupt_on_the_way) {
  for (int i = 0; i < 100; ++i) sleep(InterruptTrial::kLate - Duration::us(1), false);
  EXPECT_EQ(trial_.verdict(), Verdict::open);
}

TEST_F(Trial, a_packet_from_before_arming_proves_nothing) {
  for (int i = 0; i < 100; ++i) {
    trial_.arm();
    after(Duration::seconds(1), 1, false);
    trial_.disarm();
  }
  EXPECT_EQ(trial_.verdict(), Verdict::open);
}

TEST_F(Trial, others_who_poll_meanwhile_shorten_the_time_it_could_have_waited) {
  for (int i = 0; i < 100; ++i) {
    trial_.arm();
    after(Duration(), 0, false);
    after(InterruptTrial::kLate * 5, 0, false);
    after(Duration::us(20), 1, false);
    trial_.disarm();
  }
  EXPECT_EQ(trial_.verdict(), Verdict::open);
}

TEST_F(Trial, only_the_first_packets_after_arming_are_asked_about) {
  trial_.arm();
  after(Duration(), 0, false);
  for (int i = 0; i < 10; ++i) after(InterruptTrial::kLate, 1, false);
  EXPECT_EQ(asked_, 1u);
  EXPECT_EQ(trial_.verdict(), Verdict::open);
}

TEST_F(Trial, awake_nothing_is_asked) {
  after(Duration(), 0, false);
  after(InterruptTrial::kLate, 1, true);
  EXPECT_EQ(asked_, 0u);
  EXPECT_EQ(trial_.verdict(), Verdict::open);
}

}  // namespace
}  // namespace pollux
