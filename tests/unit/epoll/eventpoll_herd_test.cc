// eventpoll_herd_test.cc - who is woken: one waiter for one edge, one EXCLUSIVE set of several (7).
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "stack/base/rng.h"
#include "tests/support/epoll_fake.h"
#include "tests/unit/epoll/watched_context.h"

namespace pollux {
namespace {

using namespace testing_support;

constexpr std::uint64_t kStop = 1000;

// Several sets that watch one file, several threads in each: they serve and wait again.
class Herd {
 public:
  Herd(std::vector<EventPoll*> sets, std::size_t waiters_each) : sets_(std::move(sets)) {
    returned_ = std::vector<std::atomic<unsigned>>(sets_.size());
    for (std::size_t set = 0; set < sets_.size(); ++set) {
      add(*sets_[set], stop_, EPOLLIN, kStop);
      for (std::size_t i = 0; i < waiters_each; ++i) {
        contexts_.push_back(std::make_unique<WatchedContext>());
        threads_.emplace_back([this, set, context = contexts_.back().get()] {
          while (serve(*context, set)) continue;
          over_.wait();
        });
      }
    }
  }
  ~Herd() {
    EXPECT_TRUE(all_rest_after(contexts_, [&] { stop_.data_arrives(); })) << "lost wake-up";
    over_.count_down();
    for (std::thread& thread : threads_) thread.join();
  }

  static void add(EventPoll& set, File& file, std::uint32_t events, std::uint64_t data) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    EXPECT_TRUE(set.ctl(EPOLL_CTL_ADD, {&file, 0}, &event).ok());
  }
  void settle() { testing_support::settle(contexts_); }
  // Since the last call; settled.
  unsigned wakes() {
    unsigned all = 0;
    for (const auto& context : contexts_) all += context->wakes();
    return all - std::exchange(wakes_before_, all);
  }
  // How many events each set's waiters returned with, since the last call; settled.
  std::vector<unsigned> returned() {
    std::vector<unsigned> each;
    for (auto& one : returned_) each.push_back(one.exchange(0));
    return each;
  }

  FakeFile file;

 private:
  bool serve(WatchedContext& context, std::size_t set) {
    epoll_event out;
    const Result<int> n =
        sets_[set]->wait(std::span(&out, 1), context.now() + kLong, nullptr, context);
    EXPECT_TRUE(n.ok() && *n == 1) << "lost wake-up";
    if (!n.ok() || *n != 1 || out.data.u64 == kStop) return context.rest(), false;
    ++returned_[set];
    file.is_drained();
    return true;
  }

  const std::vector<EventPoll*> sets_;
  FakeFile stop_;
  Contexts contexts_;
  std::vector<std::atomic<unsigned>> returned_;
  std::latch over_{1};
  std::vector<std::thread> threads_;
  unsigned wakes_before_ = 0;
};

class HerdTest : public EpollTest {
 protected:
  std::vector<EventPoll*> some_sets(std::size_t count) {
    std::vector<EventPoll*> sets;
    for (std::size_t i = 0; i < count; ++i) sets.push_back(&new_set());
    return sets;
  }
};

constexpr std::uint32_t kExclusiveIn = std::uint32_t{EPOLLIN} | EPOLLEXCLUSIVE;
constexpr int kHerdRounds = 200;

// 7.1: of several sleepers one is woken, and nobody else even looks.
TEST_F(HerdTest, epoll_7_1_one_edge_wakes_one_thread) {
  const std::vector<EventPoll*> sets = some_sets(1);
  Herd herd(sets, 4);
  Herd::add(*sets[0], herd.file, kEdgeIn, 1);
  for (int i = 0; i < kHerdRounds; ++i) {
    herd.settle();
    herd.wakes();
    herd.file.data_arrives();
    herd.settle();
    ASSERT_EQ(herd.wakes(), 1u);
    ASSERT_EQ(herd.returned(), std::vector{1u});
  }
}

// 7.6: without EXCLUSIVE every set hears of it.
TEST_F(HerdTest, epoll_7_6_an_edge_wakes_one_thread_of_every_ordinary_set) {
  const std::vector<EventPoll*> sets = some_sets(3);
  Herd herd(sets, 2);
  for (EventPoll* set : sets) Herd::add(*set, herd.file, kEdgeIn, 1);
  for (int i = 0; i < kHerdRounds; ++i) {
    herd.settle();
    herd.wakes();
    herd.file.data_arrives();
    herd.settle();
    ASSERT_EQ(herd.wakes(), 3u);  // whoever comes late finds it drained
  }
}

// 7.20, 7.21, 7.24, 7.26, 7.27: the first registered EXCLUSIVE set of those with a sleeper,
// whatever comes next; all of them where the key says so.
TEST_F(HerdTest, epoll_7_20_to_7_27_which_exclusive_sets_are_woken) {
  const std::vector<EventPoll*> sets = some_sets(4);
  Herd herd(sets, 2);
  for (EventPoll* set : sets) Herd::add(*set, herd.file, kExclusiveIn | EPOLLET, 1);
  Rng rng(Seeds(1).first);
  for (int i = 0; i < kHerdRounds; ++i) {
    herd.settle();
    herd.wakes();
    herd.returned();
    herd.file.quietly_becomes({});
    const std::uint64_t what = rng.below(4);
    if (what == 0) herd.file.becomes_for_all(kIn | kRdHup);
    if (what == 1) herd.file.becomes(kIn | kOut, kReadableKey | kWritableKey);
    if (what == 2) herd.file.becomes(kOut, kWritableKey);
    if (what == 3) herd.file.data_arrives();
    herd.settle();
    const unsigned woken = what < 2 ? 4 : what == 2 ? 0 : 1;
    ASSERT_EQ(herd.wakes(), woken) << what;
    if (what != 3) continue;
    ASSERT_EQ(herd.returned(), std::vector({1u, 0u, 0u, 0u}));
  }
}

// 7.20, 7.22: however busy the waiters are, somebody takes the last arrival; nobody else must.
TEST_F(HerdTest, epoll_7_22_no_exclusive_event_is_lost_among_busy_sets) {
  for (const std::uint32_t how : {std::uint32_t{0}, std::uint32_t{EPOLLET}}) {
    const std::vector<EventPoll*> sets = some_sets(3);
    Herd herd(sets, 2);
    for (EventPoll* set : sets) Herd::add(*set, herd.file, kExclusiveIn | how, 1);
    for (int i = 0; i < kHerdRounds; ++i) {
      std::thread other([&] { herd.file.data_arrives(); });
      herd.file.data_arrives();
      other.join();
      herd.settle();
      ASSERT_FALSE(herd.file.is_readable()) << "nobody took it";
    }
  }
}

}  // namespace
}  // namespace pollux
