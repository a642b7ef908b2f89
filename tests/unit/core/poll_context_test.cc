// poll_context_test.cc - how a wait sleeps: with interrupts, without, and what ended it.
#include "stack/core/poll_context.h"

#include <thread>

#include "tests/unit/core/napi_world.h"

namespace pollux {
namespace {

// Each poll takes a microsecond of the clock's. What is slept is real, but only microseconds.
class Sleeping : public testing_support::NapiWorld {
 protected:
  explicit Sleeping(const IrqParams& irqs = {}) : NapiWorld(irqs) {
    device.on_poll = [this] { clock.advance(Duration::us(1)); };
  }
  SleepEnd sleep(Duration limit, bool leaves_packets = false) {
    Sleeper& sleeper = Sleeper::of_this_thread();
    sleeper.reset();
    device.log.clear();
    return context.sleep(sleeper, {.napis = kOnly,
                                   .kernel = {},
                                   .deadline = clock.now() + limit,
                                   .leaves_packets = leaves_packets});
  }
  void on_poll_number(unsigned number, std::function<void()> step) {
    device.on_poll = [this, number, step, n = 0u]() mutable {
      clock.advance(Duration::us(1));
      if (++n == number) step();
    };
  }
};

TEST_F(Sleeping, is_armed_while_asleep_and_disarmed_afterwards) {
  EXPECT_EQ(sleep(Duration::us(2)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "AD");
}

TEST_F(Sleeping, a_packet_before_arming_is_found_by_the_poll_after_it) {
  device.arrive();
  EXPECT_EQ(sleep(Duration::us(100)), SleepEnd::polled);
  EXPECT_EQ(device.log, "AD");
}

TEST_F(Sleeping, epoll_13_13_an_interrupt_is_told_from_a_poll) {
  device.interrupt();
  on_poll_number(2, [this] { device.arrive(); });
  EXPECT_EQ(sleep(Duration::seconds(1000)), SleepEnd::rx_interrupt);
}

TEST_F(Sleeping, an_interrupt_for_nothing_is_armed_anew_and_polled_after) {
  device.interrupt();
  on_poll_number(3, [this] { device.arrive(); });
  EXPECT_EQ(sleep(Duration::seconds(1000)), SleepEnd::polled);
  EXPECT_EQ(device.log, "ADAD");
}

TEST_F(Sleeping, a_look_in_vain_between_two_sleeps_wakes_no_successor) {
  Sleeper successor;
  device.arrive();
  EXPECT_EQ(sleep(Duration::us(100)), SleepEnd::polled);
  EXPECT_FALSE(napi().claim(successor, Napi::Claim::waiter));
  EXPECT_EQ(sleep(Duration::us(2)), SleepEnd::timed_out);
  EXPECT_FALSE(successor.is_woken());
  context.end_sleeps(Sleeper::of_this_thread());
  EXPECT_TRUE(successor.is_woken());
  EXPECT_EQ(napi().claimed_by(), Napi::Claim::none);
}

class Deferring : public Sleeping {
 protected:
  Deferring() : Sleeping({.napi_defer_hard_irqs = 2, .gro_flush_timeout = 5000}) {
    device.arrive();
    context.poll(kOnly, 64);
  }
};

TEST_F(Deferring, epoll_13_11_polls_in_pauses_before_it_takes_interrupts) {
  device.interrupt();  // is not listened to
  EXPECT_EQ(sleep(Duration::us(5)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "DDDDAD");
}

TEST_F(Deferring, epoll_13_11_a_packet_meanwhile_needs_no_interrupt) {
  on_poll_number(4, [this] { device.arrive(); });
  EXPECT_EQ(sleep(Duration::seconds(1000)), SleepEnd::polled);
  EXPECT_EQ(device.log, "DDDD");
}

class Suspending : public Sleeping {
 protected:
  Suspending() : Sleeping({.irq_suspend_timeout = 5000}) {}
};

TEST_F(Suspending, epoll_13_12_sleeps_without_interrupts_until_they_resume) {
  context.suspend_irqs(kOnly);
  EXPECT_EQ(sleep(Duration::us(8)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "DDDDDDAD");
}

TEST_F(Suspending, epoll_13_12_resumed_it_is_armed_at_once) {
  context.suspend_irqs(kOnly);
  context.resume_irqs(kOnly);
  EXPECT_EQ(sleep(Duration::us(2)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "AD");
}

TEST_F(Suspending, epoll_13_12_other_queues_are_left_alone) {
  context.suspend_irqs(2);
  EXPECT_EQ(sleep(Duration::us(2)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "AD");
}

// Another thread finds packet after packet while this one sleeps.
class Attended : public Sleeping {
 protected:
  Attended() {
    Sleeper other;
    EXPECT_TRUE(napi().claim(other, Napi::Claim::waiter));
    std::thread([this] {
      for (unsigned i = 0; i < Napi::kBusyPolls; ++i) {
        device.arrive();
        context.poll(kOnly, 64);
      }
    }).join();
    napi().release(other);
    device.on_poll = nullptr;
    attended_until_ = napi().attended_until();
    clock.advance_at_each_look(Duration::us(5));
  }
  Instant attended_until_;
  const Sleeper another_;  // of a thread that is awake
};

TEST_F(Attended, a_sleeper_neither_arms_nor_polls_until_nobody_does) {
  device.on_poll = [] { ADD_FAILURE(); };
  EXPECT_EQ(sleep(Duration::us(50)), SleepEnd::timed_out);
  EXPECT_EQ(device.log, "");
}

TEST_F(Sleeping, who_leaves_packets_to_others_neither_arms_nor_polls_for_a_while) {
  clock.advance_at_each_look(Duration::us(5));
  const Instant start = clock.now();
  device.arrive();
  EXPECT_EQ(sleep(Duration::seconds(1000), true), SleepEnd::polled);
  EXPECT_GE(clock.now(), start + Napi::kAttention);
  EXPECT_EQ(device.log, "AD");
}

TEST_F(Attended, when_nobody_polls_any_more_it_arms) {
  device.arrive();
  EXPECT_EQ(sleep(Duration::seconds(1000)), SleepEnd::polled);
  EXPECT_GE(clock.now(), attended_until_);
  EXPECT_EQ(device.log, "AD");
}

}  // namespace
}  // namespace pollux
