// transfer_waiters_test.cc - who is woken: several sets, exclusive items, waiters (7, 7b).
#include <algorithm>
#include <thread>

#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;
using testing_support::kEdgeIn;

constexpr std::uint32_t kExclusiveIn = EPOLLIN | EPOLLEXCLUSIVE;
constexpr std::uint32_t kExclusiveOut = EPOLLOUT | EPOLLEXCLUSIVE;

// One thread can block in one set only; so the waits of several are nested: while the first sleeps,
// the script runs the second's wait, and so on, until the innermost runs the event.
class WaitersTest : public EpollTest {
 protected:
  // Waits on all of `sets` at once, runs `event`, tells which returned with an event, by position.
  std::string woken(std::vector<EventPoll*> sets, std::function<void()> event) {
    std::string result;
    nest(sets, 0, event, result);
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  void nest(const std::vector<EventPoll*>& sets, std::size_t i, const std::function<void()>& event,
            std::string& result) {
    if (i == sets.size()) return event();
    // Each level is a thread of its own while it waits: sleepers belong to threads.
    std::thread([&] {
      testing_support::FakePollContext own;
      own.at(Duration::ms(1), [&] { nest(sets, i + 1, event, result); });
      epoll_event out[8];
      const Result<int> n = sets[i]->wait(out, own.now() + Duration::ms(10), nullptr, own);
      if (n.ok() && *n > 0) result += static_cast<char>('0' + i);
    }).join();
  }
};

TEST_F(WaitersTest, epoll_7_6_every_set_wakes_without_exclusive) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set();
  FakeFile file;
  for (EventPoll* set : {a, b, c}) ASSERT_EQ(add(*set, file, 'F', kEdgeIn), 0);
  EXPECT_EQ(woken({a, b}, [&] { file.data_arrives(); }), "01");
  EXPECT_EQ(letters(*c), "F");
}

TEST_F(WaitersTest, epoll_7_1_one_edge_wakes_one_waiter_of_a_set) {
  EventPoll* a = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kEdgeIn), 0);
  EXPECT_EQ(woken({a, a, a}, [&] { file.data_arrives(); }).size(), 1u);
}

TEST_F(WaitersTest, epoll_7_2_level_undrained_wakes_all_one_after_another) {
  EventPoll* a = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', EPOLLIN), 0);
  EXPECT_EQ(woken({a, a, a}, [&] { file.data_arrives(); }), "012");
}

TEST_F(WaitersTest, epoll_7_4_the_newest_waiter_is_chosen) {
  EventPoll* a = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kEdgeIn), 0);
  EXPECT_EQ(woken({a, a, a}, [&] { file.data_arrives(); }), "2");
}

TEST_F(WaitersTest, epoll_7_8_a_wake_up_at_the_moment_of_the_timeout_is_not_lost) {
  EventPoll& set = new_set();
  FakeFile file;
  ASSERT_EQ(add(set, file, 'F', kEdgeIn), 0);
  // Timed out and woken both: the context reports the timeout although the wake-up came first.
  class LateContext final : public PollContext {
   public:
    explicit LateContext(FakeFile& f) : file_(f) {}
    Instant now() override { return now_; }
    Instant poll(NapiSet, unsigned) override { return now_; }
    SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override {
      file_.data_arrives();
      EXPECT_TRUE(sleeper.is_woken());
      now_ = request.deadline;
      return SleepEnd::timed_out;
    }

   private:
    FakeFile& file_;
    Instant now_ = Instant::from_ns(1000);
  } late(file);
  epoll_event out[2];
  EXPECT_EQ(*set.wait(out, Instant::from_ns(2000), nullptr, late), 1);
}

TEST_F(WaitersTest, epoll_7_20_7_21_exclusive_wakes_the_first_registered_each_time) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set(), *d = &new_set();
  for (const std::uint32_t edge : {0u, std::uint32_t{EPOLLET}}) {
    FakeFile file;
    for (EventPoll* set : {a, b, c, d}) ASSERT_EQ(add(*set, file, 'F', kExclusiveIn | edge), 0);
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(woken({a, b, c, d}, [&] { file.data_arrives(); }), "0");
      file.is_drained();
    }
  }
}

TEST_F(WaitersTest, epoll_7_22_a_set_without_waiter_absorbs_nothing_but_is_queued) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set();
  FakeFile file;
  for (EventPoll* set : {a, b, c}) ASSERT_EQ(add(*set, file, 'F', kExclusiveIn | EPOLLET), 0);
  EXPECT_EQ(woken({b, c}, [&] { file.data_arrives(); }), "0");
  EXPECT_EQ(letters(*a), "F");
  file.data_arrives();  // nobody waits: all are queued
  for (EventPoll* set : {a, b, c}) EXPECT_EQ(letters(*set), "F");
}

TEST_F(WaitersTest, epoll_7_23_sets_after_the_absorbing_one_are_not_queued) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kExclusiveIn), 0);
  ASSERT_EQ(add(*b, file, 'F', kExclusiveIn | EPOLLET), 0);
  ASSERT_EQ(add(*c, file, 'F', kExclusiveIn), 0);
  EXPECT_EQ(woken({a}, [&] { file.data_arrives(); }), "0");
  EXPECT_EQ(letters(*b), "");
  EXPECT_EQ(letters(*c), "");
}

TEST_F(WaitersTest, epoll_7_24_all_ordinary_ones_and_one_exclusive) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set(), *d = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kExclusiveIn), 0);
  ASSERT_EQ(add(*b, file, 'F', kEdgeIn), 0);
  ASSERT_EQ(add(*c, file, 'F', kExclusiveIn), 0);
  ASSERT_EQ(add(*d, file, 'F', kEdgeIn), 0);
  EXPECT_EQ(woken({a, b, c, d}, [&] { file.data_arrives(); }), "013");
}

TEST_F(WaitersTest, epoll_7_25_the_key_comes_first) {
  EventPoll *a = &new_set(), *b = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kExclusiveOut), 0);
  ASSERT_EQ(add(*b, file, 'F', kExclusiveIn), 0);
  EXPECT_EQ(woken({a, b}, [&] { file.data_arrives(); }), "1");
}

TEST_F(WaitersTest, epoll_7_26_who_absorbs_which_key) {
  EventPoll *a = &new_set(), *b = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kExclusiveIn | EPOLLOUT), 0);
  ASSERT_EQ(add(*b, file, 'F', kExclusiveIn | EPOLLOUT), 0);
  EXPECT_EQ(woken({a, b}, [&] { file.becomes(kIn, kIn); }), "0");
  file.is_drained();
  EXPECT_EQ(woken({a, b}, [&] { file.becomes(kOut, kOut); }), "0");
  file.quietly_becomes({});
  EXPECT_EQ(woken({a, b}, [&] { file.becomes(kErr, kErr); }), "0");
  file.quietly_becomes({});
  EXPECT_EQ(woken({a, b}, [&] { file.becomes(kIn | kOut, kIn | kOut); }), "01");
}

TEST_F(WaitersTest, epoll_7_26_a_key_in_is_not_absorbed_by_an_interest_in_something_else) {
  EventPoll *a = &new_set(), *b = &new_set();
  FakeFile file;
  ASSERT_EQ(add(*a, file, 'F', kExclusiveOut), 0);
  ASSERT_EQ(add(*b, file, 'F', kExclusiveIn), 0);
  // IN | ERR passes the key filter of both; `a` has no IN to wait for, so `b` is tried too.
  EXPECT_EQ(woken({a, b}, [&] { file.becomes(kIn | kErr, kIn | kErr); }), "01");
}

TEST_F(WaitersTest, epoll_7_27_a_change_of_state_wakes_all_exclusive_ones) {
  EventPoll *a = &new_set(), *b = &new_set(), *c = &new_set();
  FakeFile file;
  for (EventPoll* set : {a, b, c}) ASSERT_EQ(add(*set, file, 'F', kExclusiveIn), 0);
  EXPECT_EQ(woken({a, b, c}, [&] { file.becomes_for_all(kIn | kErr | kHup); }), "012");
  EXPECT_EQ(events(*a).at(0).mask, std::uint32_t{EPOLLIN | EPOLLERR | EPOLLHUP});
}

}  // namespace
}  // namespace pollux
