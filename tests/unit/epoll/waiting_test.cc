// waiting_test.cc - the order of a wait: poll, look, spin, sleep; time and signals (3, 10, 13).
#include "epoll/waiting.h"

#include <pthread.h>

#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;
using testing_support::RealPollContext;

class WaitingTest : public EpollTest {
 protected:
  EventPoll& set = new_set();
  epoll_event out[4];
};

TEST_F(WaitingTest, polls_once_even_with_timeout_0_and_something_ready) {
  FakeFile a(kIn, 2);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(context.budgets, std::vector<unsigned>{kFirstPollBudget});
  EXPECT_EQ(context.polled, 2u);
}

TEST_F(WaitingTest, what_the_first_poll_brings_is_returned_at_once) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  context.on_next_poll([&] { a.data_arrives(); });
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(context.sleeps, 0u);
}

TEST_F(WaitingTest, epoll_3_7_timeout_0_never_sleeps) {
  EXPECT_EQ(letters(set), "");
  EXPECT_EQ(context.sleeps, 0u);
}

TEST_F(WaitingTest, epoll_3_7_sleeps_until_the_deadline_and_not_less) {
  const Instant deadline = context.now() + Duration::ms(20);
  EXPECT_EQ(wait(set, out, deadline), 0);
  EXPECT_EQ(context.now(), deadline);
}

TEST_F(WaitingTest, epoll_3_7_never_is_for_ever) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  context.at(Duration::seconds(1'000'000), [&] { a.data_arrives(); });
  EXPECT_EQ(wait(set, out, Instant::never()), 1);
}

TEST_F(WaitingTest, epoll_3_11_a_stale_wake_up_resumes_for_the_rest_of_the_time) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  context.at(Duration::ms(3), [&] {
    a.data_arrives();
    a.is_drained();
  });
  const Instant deadline = context.now() + Duration::ms(20);
  EXPECT_EQ(wait(set, out, deadline), 0);
  EXPECT_EQ(context.now(), deadline);
  EXPECT_EQ(context.sleeps, 2u);
}

TEST_F(WaitingTest, epoll_13_6_without_busy_polling_it_sleeps_at_once) {
  FakeFile a({}, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "");
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(WaitingTest, epoll_13_6_what_is_there_is_delivered_without_a_spin) {
  set.set_busy_poll({.busy_poll_usecs = 10});
  FakeFile a(kIn, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "A");
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(WaitingTest, epoll_13_6_timeout_0_does_not_spin) {
  set.set_busy_poll({.busy_poll_usecs = 10});
  FakeFile a({}, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set), "");
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(WaitingTest, epoll_13_7_spins_for_busy_poll_usecs_with_the_budget) {
  set.set_busy_poll({.busy_poll_usecs = 10, .busy_poll_budget = 16});
  EXPECT_EQ(set.busy_poll().busy_poll_budget, 16);
  FakeFile a({}, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "");
  ASSERT_EQ(context.budgets.size(), 11u);  // the first, and ten of 1 us each
  EXPECT_EQ(context.budgets[0], kFirstPollBudget);
  EXPECT_EQ(context.budgets[1], 16u);
  EXPECT_EQ(context.sleeps, 1u);
}

TEST_F(WaitingTest, epoll_13_7_the_spin_ends_with_an_event_or_the_timeout) {
  set.set_busy_poll({.busy_poll_usecs = 1000});
  FakeFile a({}, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  const Instant deadline = context.now() + Duration::us(5);
  EXPECT_EQ(wait(set, out, deadline), 0);
  EXPECT_LE(context.budgets.size(), 6u);
  context.on_next_poll([&] { context.on_next_poll([&] { a.data_arrives(); }); });
  EXPECT_EQ(letters(set, 4, Duration::ms(100)), "A");
  EXPECT_EQ(context.sleeps, 1u);  // of the first wait alone
}

// What Linux has in net.core.busy_poll, and its budget of 8.
class BusyPollDefaults : public EpollTest {
 protected:
  BusyPollDefaults() {
    EventPoll::configure({.busy_poll = {.busy_poll_usecs = 3, .busy_poll_budget = 8}});
  }
};

TEST_F(BusyPollDefaults, epoll_12_2_13_7_count_where_the_sets_own_are_0) {
  EventPoll& set = new_set();
  EXPECT_EQ(set.busy_poll().busy_poll_usecs, 0u);
  EXPECT_EQ(set.busy_poll().busy_poll_budget, 0u);
  FakeFile a({}, 1);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "");
  const std::vector<unsigned> wanted{kFirstPollBudget, 8, 8, 8};
  EXPECT_EQ(context.budgets, wanted);
}

class TrafficTest : public WaitingTest {
 protected:
  TrafficTest() {
    set.set_busy_poll({.busy_poll_usecs = 10});
    EXPECT_EQ(add(set, a, 'A', EPOLLIN), 0);
  }
  // How many polls a wait of 1 ms makes beyond the first.
  std::size_t spins(Duration timeout = Duration::ms(1)) {
    context.budgets.clear();
    letters(set, 4, timeout);
    return context.budgets.size() - 1;
  }

  FakeFile a{{}, 1};
};

TEST_F(TrafficTest, epoll_13_8_after_a_fruitless_spin_it_needs_new_traffic) {
  EXPECT_EQ(spins(), 10u);  // ADD counts as traffic
  EXPECT_EQ(spins(), 0u);
  a.data_arrives();
  a.is_drained();
  EXPECT_EQ(spins(), 10u);
  EXPECT_EQ(spins(), 0u);
}

TEST_F(TrafficTest, epoll_13_8_a_spin_that_found_something_is_followed_by_the_next) {
  context.on_next_poll([&] { context.on_next_poll([&] { a.data_arrives(); }); });
  EXPECT_EQ(spins(), 1u);
  a.is_drained();
  EXPECT_EQ(spins(), 10u);
}

TEST_F(TrafficTest, epoll_13_8_a_spin_that_the_timeout_ended_was_not_fruitless) {
  EXPECT_EQ(spins(Duration::us(5)), 4u);
  EXPECT_EQ(spins(Duration::us(5)), 4u);
}

TEST_F(TrafficTest, epoll_13_8_files_without_a_queue_are_not_spun_for) {
  FakeFile b;
  EventPoll& other = new_set();
  other.set_busy_poll({.busy_poll_usecs = 10});
  ASSERT_EQ(add(other, b, 'B', EPOLLIN), 0);
  b.data_arrives();
  b.is_drained();
  context.budgets.clear();
  EXPECT_EQ(letters(other, 4, Duration::ms(1)), "");
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(TrafficTest, epoll_13_8_a_set_that_was_emptied_has_forgotten) {
  ASSERT_EQ(del(set, a, 'A'), 0);
  EXPECT_EQ(spins(), 0u);
}

TEST_F(TrafficTest, epoll_13_12_events_suspend_the_interrupts_and_an_empty_spin_resumes_them) {
  set.set_busy_poll({.busy_poll_usecs = 10, .prefer_busy_poll = true});
  EXPECT_EQ(letters(set), "");
  EXPECT_EQ(context.suspended, 0u);
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(context.suspended, 1u);
  a.is_drained();
  EXPECT_EQ(letters(set), "");  // timeout 0: no spin, nothing changes
  EXPECT_EQ(context.suspended, 1u);
  context.at(Duration::us(100), [&] { EXPECT_EQ(context.suspended, 0u); });
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "");
}

TEST_F(TrafficTest, epoll_13_12_preferring_without_usecs_resumes_before_it_sleeps) {
  set.set_busy_poll({.prefer_busy_poll = true});
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(context.suspended, 1u);
  a.is_drained();
  EXPECT_EQ(spins(), 0u);
  EXPECT_EQ(context.suspended, 0u);
}

TEST_F(TrafficTest, epoll_13_12_the_end_of_the_set_resumes) {
  EventPoll& other = new_set();
  other.set_busy_poll({.prefer_busy_poll = true});
  ASSERT_EQ(add(other, a, 'B', EPOLLIN), 0);
  a.data_arrives();
  EXPECT_EQ(letters(other), "B");
  EXPECT_EQ(context.suspended, 1u);
  close(other);
  EXPECT_EQ(context.suspended, 0u);
}

TEST_F(TrafficTest, epoll_13_12_sets_that_do_not_prefer_suspend_nothing) {
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(context.suspended, 0u);
}

// What a counter has gained since the last question.
class Gained {
 public:
  explicit Gained(WaitCounter which) : which_(which) { gained(); }
  std::uint64_t gained() {
    const std::uint64_t before = std::exchange(before_, waits(which_));
    return before_ - before;
  }

 private:
  const WaitCounter which_;
  std::uint64_t before_ = 0;
};

TEST_F(TrafficTest, epoll_13_13_waits_are_counted_by_what_served_them) {
  Gained first(WaitCounter::waits_first_look), spun(WaitCounter::waits_spun);
  a.data_arrives();
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "A");
  EXPECT_EQ(first.gained(), 1u);
  a.is_drained();
  context.on_next_poll([&] { context.on_next_poll([&] { a.data_arrives(); }); });
  EXPECT_EQ(letters(set, 4, Duration::ms(1)), "A");
  EXPECT_EQ(spun.gained(), 1u);
  const std::pair<SleepEnd, WaitCounter> ends[] = {
      {SleepEnd::rx_interrupt, WaitCounter::waits_rx_interrupt},
      {SleepEnd::polled, WaitCounter::waits_paced},
      {SleepEnd::kernel, WaitCounter::waits_kernel},
      {SleepEnd::woken, WaitCounter::waits_woken},
  };
  for (const auto& [end, counter] : ends) {
    Gained served(counter);
    a.is_drained();
    context.at(Duration::us(100), [&, how = end] {
      context.end_sleep(how);
      a.data_arrives();
    });
    EXPECT_EQ(letters(set, 4, Duration::ms(1)), "A");
    EXPECT_EQ(served.gained(), 1u);
  }
  EXPECT_EQ(first.gained() + spun.gained(), 0u);
  a.is_drained();
  EXPECT_EQ(letters(set), "");  // served by nothing
  EXPECT_EQ(first.gained(), 0u);
}

TEST_F(WaitingTest, epoll_10_1_a_handler_while_asleep_is_eintr) {
  context.at(Duration::ms(1), [&] { context.signal_now(); });
  EXPECT_EQ(wait(set, out, context.now() + Duration::ms(10)), -EINTR);
}

TEST_F(WaitingTest, epoll_3_13_events_win_over_signals) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] {
    context.signal_now();
    a.data_arrives();
  });
  EXPECT_EQ(wait(set, out, context.now() + Duration::ms(10)), 1);
  // Also if the sleep says interrupted: the wake-up came while it ended.
  class Interrupted final : public PollContext {
   public:
    explicit Interrupted(FakeFile& f) : file_(f) {}
    Instant now() override { return Instant::from_ns(1); }
    Instant poll(NapiSet, unsigned) override { return now(); }
    SleepEnd sleep(Sleeper&, const SleepRequest&) override {
      file_.data_arrives();
      return SleepEnd::interrupted;
    }

   private:
    FakeFile& file_;
  } interrupted(a);
  a.is_drained();
  EXPECT_EQ(*set.wait(out, Instant::never(), nullptr, interrupted), 1);
}

// A sleeper that only serves others is in the way of those who are awake.
class InVain : public WaitingTest {
 protected:
  // What the sleep asks that comes after so many that ended with packets, none of them for it.
  bool leaves_packets_after(unsigned sleeps) {
    Vain vain(sleeps);
    EXPECT_EQ(*set.wait(out, Instant::never(), nullptr, vain), 0);
    EXPECT_EQ(vain.ended, 1u);  // however often it slept
    return vain.last.leaves_packets;
  }

 private:
  class Vain final : public PollContext {
   public:
    explicit Vain(unsigned sleeps) : left_(sleeps) {}
    Instant now() override { return now_ = now_ + Duration::ms(1); }
    Instant poll(NapiSet, unsigned) override { return now(); }
    SleepEnd sleep(Sleeper&, const SleepRequest& request) override {
      last = request;
      return left_-- == 0 ? SleepEnd::timed_out : SleepEnd::rx_interrupt;
    }
    void end_sleeps(Sleeper&) override { ++ended; }
    SleepRequest last;
    unsigned ended = 0;

   private:
    Instant now_;
    unsigned left_;
  };
};

TEST_F(InVain, who_slept_twice_for_packets_of_others_leaves_them_the_next) {
  const Sleeper another;  // of a thread that is awake
  EXPECT_FALSE(leaves_packets_after(0));
  EXPECT_FALSE(leaves_packets_after(1));
  EXPECT_TRUE(leaves_packets_after(2));
}

TEST_F(InVain, with_nobody_else_awake_it_serves_them_all) {
  EXPECT_FALSE(leaves_packets_after(20));
}

volatile sig_atomic_t handled = 0;
void note(int) { handled = handled + 1; }

// Real signals, sent by the thread to itself, so that nothing depends on time.
class SignalTest : public WaitingTest {
 protected:
  SignalTest() {
    handled = 0;
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, &before_);
    sigemptyset(&usr1_);
    sigaddset(&usr1_, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, nullptr, &open_);
  }
  ~SignalTest() override {
    pthread_sigmask(SIG_SETMASK, &open_, nullptr);
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  int real_wait(Duration timeout, const sigset_t* mask) {
    const Result<int> n = set.wait(out, real.now() + timeout, mask, real);
    return n.ok() ? *n : -static_cast<int>(n.error());
  }
  bool is_blocked() {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return sigismember(&now, SIGUSR1) == 1;
  }
  void make_pending() {
    pthread_sigmask(SIG_BLOCK, &usr1_, nullptr);
    pthread_kill(pthread_self(), SIGUSR1);
    ASSERT_EQ(handled, 0);
  }

  RealPollContext real;
  sigset_t usr1_, open_;
  struct sigaction before_;
};

TEST_F(SignalTest, epoll_10_4_the_mask_lets_a_pending_signal_in) {
  make_pending();
  EXPECT_EQ(real_wait(Duration::seconds(10), &open_), -EINTR);
  EXPECT_EQ(handled, 1);
  EXPECT_TRUE(is_blocked());  // 10.6
}

TEST_F(SignalTest, epoll_10_4_3_13_with_something_ready_it_stays_pending) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  make_pending();
  EXPECT_EQ(real_wait(Duration::seconds(10), &open_), 1);
  EXPECT_EQ(handled, 0);
  EXPECT_TRUE(is_blocked());
}

TEST_F(SignalTest, epoll_3_12_timeout_0_is_never_interrupted) {
  make_pending();
  EXPECT_EQ(real_wait(Duration(), &open_), 0);
  EXPECT_EQ(handled, 0);
}

TEST_F(SignalTest, epoll_10_2_10_5_blocked_by_the_mask_it_runs_after_return) {
  class Sending final : public PollContext {
   public:
    Instant now() override { return real_.now(); }
    Instant poll(NapiSet, unsigned) override { return real_.now(); }
    SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override {
      const int before = handled;
      pthread_kill(pthread_self(), SIGUSR1);  // held since the first empty look
      EXPECT_EQ(handled, before);
      return real_.sleep(sleeper, request);
    }

   private:
    RealPollContext real_;
  } sending;
  EXPECT_EQ(*set.wait(out, sending.now() + Duration::ms(1), &usr1_, sending), 0);
  EXPECT_EQ(handled, 1);
  EXPECT_FALSE(is_blocked());
  // And without a mask of its own, the thread's is in force: the handler ends the sleep.
  EXPECT_EQ(set.wait(out, sending.now() + Duration::seconds(10), nullptr, sending).error(),
            Errno::interrupted);
  EXPECT_EQ(handled, 2);
}

}  // namespace
}  // namespace pollux
