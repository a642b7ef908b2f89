// entry_test.cc - one inside at a time; contention is seen; single mode knows its owner.
#include "stack/base/entry.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pollux {
namespace {

TEST(Entry, shared_mode_excludes) {
  Entry entry(ThreadMode::shared);
  std::uint64_t unguarded = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        Entered inside(entry);
        ++unguarded;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unguarded, 80000u);
}

TEST(Entry, try_enter_fails_while_another_is_inside) {
  Entry entry(ThreadMode::shared);
  Entered inside(entry);
  EXPECT_TRUE(entry.is_entered());
  std::thread other([&] {
    EXPECT_FALSE(entry.is_entered());
    EXPECT_FALSE(entry.try_enter());
  });
  other.join();
}

TEST(Entry, a_sleeper_at_the_door_is_seen) {
  Entry entry(ThreadMode::shared);
  entry.enter();
  std::thread other([&] { Entered inside(entry); });
  while (!entry.is_contended()) std::this_thread::yield();
  entry.leave();
  other.join();
  EXPECT_FALSE(entry.is_contended());
}

TEST(Entry, single_mode_belongs_to_its_first_thread) {
  Entry entry(ThreadMode::single);
  EXPECT_TRUE(entry.may_enter());
  { Entered inside(entry); }
  std::thread other([&] { EXPECT_FALSE(entry.may_enter()); });
  other.join();
  EXPECT_TRUE(entry.may_enter());
}

TEST(EntryDeathTest, single_mode_aborts_on_another_thread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Entry entry(ThreadMode::single);
        { Entered inside(entry); }
        std::thread([&] { entry.enter(); }).join();
      },
      "CHECK failed");
}

TEST(EntryDeathTest, who_is_inside_cannot_enter_again) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const ThreadMode mode : {ThreadMode::shared, ThreadMode::single}) {
    EXPECT_DEATH(
        {
          Entry entry(mode);
          Entered inside(entry);
          entry.enter();
        },
        "CHECK failed");
  }
}

}  // namespace
}  // namespace pollux
