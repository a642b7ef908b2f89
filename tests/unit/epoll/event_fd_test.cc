// event_fd_test.cc - EventFd and Sleeper: no wake-up is lost, none costs a call while awake.
#include "epoll/event_fd.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace pollux {
namespace {

bool is_readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

TEST(EventFd, signal_and_drain) {
  EventFd fd;
  EXPECT_FALSE(is_readable(fd.fd()));
  fd.signal();
  fd.signal();
  EXPECT_TRUE(is_readable(fd.fd()));
  fd.drain();
  EXPECT_FALSE(is_readable(fd.fd()));
}

TEST(Sleeper, wake_of_an_awake_thread_writes_nothing) {
  Sleeper sleeper;
  sleeper.reset();
  sleeper.wake();
  EXPECT_TRUE(sleeper.is_woken());
  EXPECT_FALSE(is_readable(sleeper.fd()));
  EXPECT_FALSE(sleeper.prepare_to_sleep());
}

TEST(Sleeper, wake_of_a_sleeper_makes_it_readable_and_stays_known) {
  Sleeper sleeper;
  sleeper.reset();
  ASSERT_TRUE(sleeper.prepare_to_sleep());
  sleeper.wake();
  EXPECT_TRUE(is_readable(sleeper.fd()));
  sleeper.finish_sleep();
  EXPECT_TRUE(sleeper.is_woken());
  EXPECT_FALSE(is_readable(sleeper.fd()));
}

TEST(Sleeper, unwoken_sleep_leaves_it_awake) {
  Sleeper sleeper;
  sleeper.reset();
  ASSERT_TRUE(sleeper.prepare_to_sleep());
  sleeper.finish_sleep();
  EXPECT_FALSE(sleeper.is_woken());
  sleeper.wake();
  EXPECT_FALSE(is_readable(sleeper.fd()));
}

TEST(Sleeper, reset_forgets_a_wake) {
  Sleeper sleeper;
  sleeper.wake();
  sleeper.reset();
  EXPECT_FALSE(sleeper.is_woken());
  EXPECT_TRUE(sleeper.prepare_to_sleep());
  sleeper.finish_sleep();
}

TEST(Sleeper, a_nudge_ends_a_sleep_and_is_no_wake) {
  Sleeper sleeper;
  ASSERT_TRUE(sleeper.prepare_to_sleep());
  sleeper.nudge();
  EXPECT_TRUE(is_readable(sleeper.fd()));
  sleeper.finish_sleep();
  EXPECT_FALSE(sleeper.is_woken());
  EXPECT_FALSE(is_readable(sleeper.fd()));
}

TEST(Sleeper, awake_counts_those_that_do_not_sleep) {
  const int before = Sleeper::awake();
  {
    Sleeper first, second;
    EXPECT_EQ(Sleeper::awake(), before + 2);
    ASSERT_TRUE(first.prepare_to_sleep());
    EXPECT_EQ(Sleeper::awake(), before + 1);
    second.wake();
    EXPECT_FALSE(second.prepare_to_sleep());
    EXPECT_EQ(Sleeper::awake(), before + 1);
    first.finish_sleep();
    EXPECT_EQ(Sleeper::awake(), before + 2);
  }
  EXPECT_EQ(Sleeper::awake(), before);
}

}  // namespace
}  // namespace pollux
