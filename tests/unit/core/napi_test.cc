// napi_test.cc - who has the claim to sleep on a device, and who makes the softirq thread let go;
// when a sleeper may have interrupts (13.11, 13.12), and who polled (13.13).
#include "stack/core/napi.h"

#include "tests/unit/core/napi_world.h"

namespace pollux {
namespace {

constexpr Duration kSuspension = Duration::ms(20);

class NapiTest : public testing_support::NapiWorld {
 protected:
  NapiTest()
      : NapiWorld({.napi_defer_hard_irqs = 2,
                   .gro_flush_timeout = 5000,
                   .irq_suspend_timeout = kSuspension.to_ns()}) {}
  // Whether the claim's holder was woken since the last question.
  bool is_woken() {
    const bool woken = sleeper_.is_woken();
    sleeper_.reset();
    return woken;
  }
  Sleeper sleeper_;
};

TEST_F(NapiTest, epoll_13_11_interrupts_are_put_off_for_empty_polls_after_traffic) {
  EXPECT_TRUE(napi().may_arm(clock.now()));
  device.arrive();
  napi().poll(64, Napi::Claim::waiter);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(napi().may_arm(clock.now()));
    EXPECT_EQ(napi().next_arming(clock.now()), clock.now() + Duration::us(5));
    napi().poll(64, Napi::Claim::waiter);
  }
  EXPECT_TRUE(napi().may_arm(clock.now()));
  EXPECT_TRUE(napi().next_arming(clock.now()).is_never());
}

TEST_F(NapiTest, epoll_13_11_traffic_begins_the_count_again) {
  device.arrive();
  napi().poll(64, Napi::Claim::waiter);
  napi().next_arming(clock.now());
  device.arrive();
  napi().poll(64, Napi::Claim::waiter);
  napi().next_arming(clock.now());
  EXPECT_FALSE(napi().may_arm(clock.now()));
}

TEST_F(NapiTest, epoll_13_12_a_suspension_ends_by_itself) {
  napi().suspend_irqs();
  EXPECT_FALSE(napi().may_arm(clock.now()));
  EXPECT_EQ(napi().next_arming(clock.now()), clock.now() + kSuspension);
  clock.advance(kSuspension);
  EXPECT_TRUE(napi().may_arm(clock.now()));
}

TEST_F(NapiTest, epoll_13_12_each_delivery_begins_it_again) {
  napi().suspend_irqs();
  clock.advance(Duration::ms(15));
  napi().suspend_irqs();
  clock.advance(Duration::ms(15));
  EXPECT_TRUE(napi().is_suspended(clock.now()));
  napi().resume_irqs();
  EXPECT_FALSE(napi().is_suspended(clock.now()));
}

TEST_F(NapiTest, epoll_13_12_whoever_sleeps_hears_of_its_begin_and_end_alone) {
  ASSERT_TRUE(napi().claim(sleeper_, Napi::Claim::waiter));
  napi().suspend_irqs();
  EXPECT_TRUE(is_woken());
  napi().suspend_irqs();
  EXPECT_FALSE(is_woken());
  napi().resume_irqs();
  EXPECT_TRUE(is_woken());
  napi().resume_irqs();
  EXPECT_FALSE(is_woken());
  napi().release(sleeper_);
}

TEST_F(NapiTest, epoll_13_13_polls_of_the_softirq_thread_are_counted_apart) {
  napi().poll(64, Napi::Claim::waiter);
  napi().poll(64, Napi::Claim::softirq);
  napi().poll(64, Napi::Claim::waiter);
  EXPECT_EQ(polls(), 3u);
  EXPECT_EQ(softirq_polls(), 1u);
}

class PlainNapi : public testing_support::NapiWorld {
 protected:
  PlainNapi() : NapiWorld({}) {}
  Sleeper softirq_, first_, second_;
};

TEST_F(PlainNapi, a_waiter_takes_the_claim_from_the_softirq_thread) {
  EXPECT_TRUE(napi().claim(softirq_, Napi::Claim::softirq));
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  EXPECT_TRUE(softirq_.is_woken());
  EXPECT_EQ(napi().claimed_by(), Napi::Claim::waiter);
}

TEST_F(PlainNapi, a_second_waiter_is_woken_when_the_first_leaves) {
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  EXPECT_FALSE(napi().claim(second_, Napi::Claim::waiter));
  EXPECT_FALSE(second_.is_woken());
  napi().release(first_);
  EXPECT_TRUE(second_.is_woken());
}

TEST_F(PlainNapi, a_poll_of_the_application_makes_the_softirq_thread_let_go) {
  EXPECT_TRUE(napi().claim(softirq_, Napi::Claim::softirq));
  napi().poll(64, Napi::Claim::softirq);  // its own
  EXPECT_FALSE(softirq_.is_woken());
  napi().poll(64, Napi::Claim::waiter);
  EXPECT_TRUE(softirq_.is_woken());
}

TEST_F(PlainNapi, a_poll_of_the_application_leaves_a_waiter_asleep) {
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  napi().poll(64, Napi::Claim::waiter);
  EXPECT_FALSE(first_.is_woken());
}

TEST_F(PlainNapi, epoll_13_12_without_a_timeout_nothing_is_suspended) {
  napi().suspend_irqs();
  EXPECT_TRUE(napi().may_arm(clock.now()));
}

}  // namespace
}  // namespace pollux
