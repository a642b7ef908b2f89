// wait_queue_test.cc - in which order entries are called, and where a walk stops.
#include "epoll/wait_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace pollux {
namespace {

class Noting final : public WaitEntry {
 public:
  Noting(std::string& log, char name, bool exclusive = false, bool consumes = true)
      : log_(log), name_(name), consumes_(consumes) {
    exclusive_ = exclusive;
  }
  bool wake(PollEvents) override {
    log_ += name_;
    return consumes_;
  }

 private:
  std::string& log_;
  const char name_;
  const bool consumes_;
};

class WaitQueueTest : public testing::Test {
 protected:
  Entry lock{ThreadMode::shared};
  Entered entered{lock};
  WaitQueue queue{lock};
  std::string log;
};

TEST_F(WaitQueueTest, epoll_0_3_ordinary_entries_newest_first) {
  Noting a(log, 'a'), b(log, 'b');
  queue.add(a);
  queue.add(b);
  queue.wake_up(kReadableKey);
  EXPECT_EQ(log, "ba");
  queue.remove(a);
  queue.remove(b);
}

TEST_F(WaitQueueTest, epoll_0_3_exclusive_entries_first_added_first_and_one_only) {
  Noting x(log, 'x', true), y(log, 'y', true), a(log, 'a');
  queue.add(x);
  queue.add(y);
  queue.add(a);
  queue.wake_up(kReadableKey);
  EXPECT_EQ(log, "ax");
  queue.remove(x);
  queue.remove(y);
  queue.remove(a);
}

TEST_F(WaitQueueTest, epoll_0_3_an_exclusive_entry_that_declines_passes_it_on) {
  Noting x(log, 'x', true, false), y(log, 'y', true), z(log, 'z', true);
  queue.add(x);
  queue.add(y);
  queue.add(z);
  queue.wake_up(kReadableKey);
  EXPECT_EQ(log, "xy");
  queue.remove(x);
  queue.remove(y);
  queue.remove(z);
}

TEST_F(WaitQueueTest, epoll_0_3_wake_up_all_calls_everyone) {
  Noting x(log, 'x', true), y(log, 'y', true), a(log, 'a');
  queue.add(x);
  queue.add(y);
  queue.add(a);
  queue.wake_up_all();
  EXPECT_EQ(log, "axy");
  queue.remove(x);
  queue.remove(y);
  queue.remove(a);
}

TEST_F(WaitQueueTest, emptiness_is_seen_without_the_lock) {
  Noting a(log, 'a');
  EXPECT_FALSE(queue.may_have_entries());
  queue.add(a);
  EXPECT_TRUE(queue.may_have_entries());
  queue.remove(a);
  EXPECT_FALSE(queue.may_have_entries());
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace pollux
