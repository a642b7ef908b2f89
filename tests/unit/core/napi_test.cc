// napi_test.cc - who has the claim to sleep on a device, and who makes the softirq thread let go;
// when a sleeper may have interrupts (13.11, 13.12), and who polled (13.13).
#include "stack/core/napi.h"

#include <poll.h>
#include <unistd.h>

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

TEST_F(PlainNapi, a_claim_said_again_is_the_same_claim) {
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  EXPECT_FALSE(napi().claim(second_, Napi::Claim::waiter));
  EXPECT_FALSE(napi().claim(second_, Napi::Claim::waiter));
  napi().release(second_);
  napi().release(first_);
  EXPECT_FALSE(second_.is_woken());
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

class AttendedNapi : public PlainNapi {
 protected:
  AttendedNapi() {
    EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
    Sleeper::of_this_thread();
    for (Sleeper* sleeper : {&softirq_, &first_, &second_}) {
      EXPECT_TRUE(sleeper->prepare_to_sleep());
    }
  }
  ~AttendedNapi() override {
    for (Sleeper* sleeper : {&softirq_, &first_, &second_}) sleeper->finish_sleep();
  }
  void poll_busily(unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
      device.arrive();
      napi().poll(64, Napi::Claim::none);
      clock.advance(Duration::us(1));
    }
  }
  // Whether the holder has been told to look at how it sleeps.
  bool is_nudged() {
    pollfd fd{first_.fd(), POLLIN, 0};
    if (::poll(&fd, 1, 0) != 1) return false;
    EXPECT_FALSE(first_.is_woken());
    std::uint64_t count;
    EXPECT_EQ(::read(first_.fd(), &count, sizeof count), ssize_t{8});
    return true;
  }
};

TEST_F(AttendedNapi, begins_when_others_find_packets_poll_after_poll) {
  poll_busily(Napi::kBusyPolls - 1);
  EXPECT_FALSE(napi().is_attended(clock.now()));
  EXPECT_FALSE(is_nudged());
  poll_busily(1);
  EXPECT_TRUE(napi().is_attended(clock.now()));
  EXPECT_TRUE(is_nudged());
}

// On a crowded core it is long until the holder runs.
TEST_F(AttendedNapi, who_makes_it_attended_takes_the_interrupts_back) {
  {
    const Entered entered(napi().stack().entry());
    napi().stack().arm(first_);
  }
  poll_busily(Napi::kBusyPolls - 1);
  EXPECT_EQ(device.log, "A");
  poll_busily(1);
  EXPECT_EQ(device.log, "AD");
}

TEST_F(AttendedNapi, polls_far_apart_or_in_vain_do_not_begin_it) {
  poll_busily(Napi::kBusyPolls - 1);
  clock.advance(Napi::kAttention);
  poll_busily(Napi::kBusyPolls - 1);
  for (unsigned i = 0; i < 100; ++i) napi().poll(64, Napi::Claim::none);
  EXPECT_FALSE(napi().is_attended(clock.now()));
}

TEST_F(AttendedNapi, ends_when_nobody_polls_any_more) {
  poll_busily(Napi::kBusyPolls);
  clock.advance(Napi::kAttention - Duration::us(2));
  EXPECT_TRUE(napi().is_attended(clock.now()));
  napi().poll(64, Napi::Claim::none);  // any poll lengthens it
  clock.advance(Napi::kAttention - Duration::us(1));
  EXPECT_TRUE(napi().is_attended(clock.now()));
  clock.advance(Duration::us(1));
  EXPECT_FALSE(napi().is_attended(clock.now()));
}

TEST_F(AttendedNapi, ends_when_the_last_thread_that_is_awake_sleeps) {
  poll_busily(Napi::kBusyPolls);
  EXPECT_TRUE(is_nudged());
  EXPECT_FALSE(napi().claim(second_, Napi::Claim::waiter));
  EXPECT_FALSE(napi().is_attended(clock.now()));
  EXPECT_TRUE(is_nudged());
  poll_busily(1);  // the count begins again
  EXPECT_FALSE(napi().is_attended(clock.now()));
}

TEST_F(AttendedNapi, goes_on_when_one_sleeps_of_several_that_are_awake) {
  poll_busily(Napi::kBusyPolls);
  const Sleeper another;
  EXPECT_FALSE(napi().claim(second_, Napi::Claim::waiter));
  EXPECT_TRUE(napi().is_attended(clock.now()));
}

// It was faster than the others.
TEST_F(AttendedNapi, begins_when_the_holder_finds_what_others_were_about_to) {
  for (unsigned i = 0; i < Napi::kBusyPolls; ++i) {
    EXPECT_FALSE(napi().is_attended(clock.now()));
    napi().poll(64, Napi::Claim::none);
    device.arrive();
    napi().poll(64, Napi::Claim::waiter);
    clock.advance(Duration::us(90));
  }
  EXPECT_TRUE(napi().is_attended(clock.now()));
  EXPECT_FALSE(is_nudged());
}

TEST_F(PlainNapi, the_holders_own_polls_are_no_attention) {
  EXPECT_TRUE(napi().claim(first_, Napi::Claim::waiter));
  for (unsigned i = 0; i < 100; ++i) {
    device.arrive();
    napi().poll(64, Napi::Claim::waiter);
  }
  EXPECT_FALSE(napi().is_attended(clock.now()));
}

TEST_F(PlainNapi, epoll_13_12_without_a_timeout_nothing_is_suspended) {
  napi().suspend_irqs();
  EXPECT_TRUE(napi().may_arm(clock.now()));
}

}  // namespace
}  // namespace pollux
