// eventpoll_threads_test.cc - real threads: no lost wake-up, close and ctl during wait (7,
// 8, 9.15). Meant for ThreadSanitizer and AddressSanitizer as well; every loop is bounded by a
// count.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>

#include "epoll/fd_table.h"
#include "epoll/kernel_files.h"
#include "epoll/poll_select.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;
using testing_support::kEdgeIn;
using testing_support::kLong;
using testing_support::RealPollContext;

int wait_really(EventPoll& set, std::span<epoll_event> out, Duration timeout) {
  RealPollContext real;
  const Instant deadline = timeout == Duration() ? Instant() : real.now() + timeout;
  const Result<int> n = set.wait(out, deadline, nullptr, real);
  return n.ok() ? *n : -static_cast<int>(n.error());
}

class ThreadsTest : public EpollTest {};

// A producer and a consumer in turns: each edge must arrive, or the consumer sleeps kLong.
TEST_F(ThreadsTest, no_wake_up_is_lost_between_two_threads) {
  EventPoll& set = new_set();
  FakeFile ping;
  ASSERT_EQ(add(set, ping, 'P', kEdgeIn), 0);
  constexpr int kRounds = 20'000;
  std::atomic<int> seen{0};
  std::thread consumer([&] {
    epoll_event out[4];
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_EQ(wait_really(set, out, kLong), 1) << i;
      ping.is_drained();
      seen = i + 1;
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    ping.data_arrives();
    while (seen.load() != i + 1) std::this_thread::yield();
  }
  consumer.join();
}

// 7.1, 7.3, 6.6: each of many one-shot events is returned to exactly one of several waiters.
TEST_F(ThreadsTest, epoll_6_6_7_3_each_event_goes_to_exactly_one_waiter) {
  EventPoll& set = new_set();
  constexpr std::size_t kFiles = 64;
  constexpr int kEventsEach = 200;
  std::vector<std::unique_ptr<FakeFile>> files;
  for (std::size_t i = 0; i < kFiles; ++i) {
    files.push_back(std::make_unique<FakeFile>());
    const Watched target{files[i].get(), static_cast<int>(i)};
    ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, target, EPOLLIN | EPOLLONESHOT, i), 0);
  }
  std::atomic<int> left{static_cast<int>(kFiles) * kEventsEach};
  std::array<std::atomic<int>, kFiles> inside{};
  FakeFile stop;
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&stop, 999}, EPOLLIN, 999), 0);
  const auto work = [&] {
    for (;;) {
      epoll_event out[3];
      const int n = wait_really(set, out, kLong);
      ASSERT_GT(n, 0) << "lost wake-up";
      for (int i = 0; i < n; ++i) {
        const std::uint64_t which = out[i].data.u64;
        if (which == 999) return;
        EXPECT_EQ(inside[which].fetch_add(1), 0);
        files[which]->is_drained();
        inside[which].fetch_sub(1);
        const int before = left.fetch_sub(1);
        if (before == 1) stop.data_arrives();
        if (before <= static_cast<int>(kFiles)) continue;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLONESHOT;
        event.data.u64 = which;
        files[which]->data_arrives();  // while disabled: MOD finds it
        EXPECT_TRUE(
            set.ctl(EPOLL_CTL_MOD, {files[which].get(), static_cast<int>(which)}, &event).ok());
      }
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(work);
  for (auto& file : files) file->data_arrives();
  for (std::thread& worker : workers) worker.join();
  EXPECT_LE(left.load(), 0);
}

// 7.2, 7.9: level, undrained: all waiters return it, also one that only looks.
TEST_F(ThreadsTest, epoll_7_2_7_9_level_reaches_every_waiter) {
  EventPoll& set = new_set();
  FakeFile file;
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::thread> waiters;
    std::atomic<int> returned{0};
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] {
        epoll_event out[2];
        returned += wait_really(set, out, kLong);
      });
    }
    file.data_arrives();
    for (int looks = 0; looks < 50; ++looks) {
      epoll_event out[2];
      ASSERT_EQ(wait_really(set, out, Duration()), 1) << "harvest in progress hid it";
    }
    for (std::thread& waiter : waiters) waiter.join();
    EXPECT_EQ(returned.load(), 4);
    file.is_drained();
  }
}

// 9.15: files come and go in every way while threads wait, ask and change.
TEST_F(ThreadsTest, epoll_9_15_close_del_mod_and_wait_at_once) {
  EventPoll& one = new_set();
  EventPoll& two = new_set();
  EventPoll& outer = new_set();
  ASSERT_EQ(add(outer, one, '1', EPOLLIN), 0);
  ASSERT_EQ(add(outer, two, '2', kEdgeIn), 0);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (EventPoll* set : {&one, &two, &outer}) {
    threads.emplace_back([&done, set] {
      epoll_event out[4];
      while (!done) wait_really(*set, out, Duration::ms(1));
    });
  }
  std::vector<std::thread> owners;
  for (unsigned seed = 0; seed < 3; ++seed) {
    owners.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 3'000; ++i) {
        FakeFile file;  // its end is a close, whatever it is in
        for (EventPoll* set : {&one, &two}) add(*set, file, 'F', random() % 2 ? EPOLLIN : kEdgeIn);
        file.data_arrives();
        if (random() % 3 == 0) mod(one, file, 'F', EPOLLIN | EPOLLONESHOT);
        if (random() % 3 == 0) del(two, file, 'F');
        file.becomes_for_all(kIn | kHup);
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(EventPoll::watches_used(), 2u);
}

// The set and its files close at the same moment: whoever is last frees, once.
TEST_F(ThreadsTest, a_set_and_its_files_close_together) {
  for (int round = 0; round < 2'000; ++round) {
    EventPoll& outer = new_set();
    EventPoll& inner = new_set();
    FakeFile a, b;
    ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
    ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
    ASSERT_EQ(add(outer, b, 'B', EPOLLIN), 0);
    ASSERT_EQ(add(inner, b, 'B', kEdgeIn), 0);
    inner.get();
    outer.get();
    close(inner);
    close(outer);
    std::thread first([&] { inner.put(); });
    std::thread second([&] {
      a.data_arrives();
      a.close();
      outer.put();
    });
    b.data_arrives();
    b.close();
    first.join();
    second.join();
    ASSERT_EQ(EventPoll::watches_used(), 0u);
    ASSERT_EQ(EventPoll::sets_used(), 0u);
  }
}

// Sets added to and removed from each other in all directions: locks in order, no cycle ever.
TEST_F(ThreadsTest, epoll_8_8_nesting_from_all_sides) {
  std::vector<EventPoll*> sets;
  for (int i = 0; i < 5; ++i) sets.push_back(&new_set());
  FakeFile file;
  for (EventPoll* set : sets) ASSERT_EQ(add(*set, file, 'F', EPOLLIN), 0);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 3; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      epoll_event out[4];
      for (int i = 0; i < 2'000; ++i) {
        EventPoll &a = *sets[random() % 5], &b = *sets[random() % 5];
        switch (random() % 4) {
          case 0:
            add(a, b, 'N', EPOLLIN);
            break;
          case 1:
            del(a, b, 'N');
            break;
          case 2:
            file.data_arrives();
            break;
          default:
            wait_really(a, out, Duration());
            break;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A nested edge through real threads, with a kernel descriptor at the bottom.
TEST_F(ThreadsTest, no_wake_up_is_lost_from_a_kernel_file_through_a_nested_set) {
  EventPoll& outer = new_set();
  EventPoll& inner = new_set();
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  FileRef file(*KernelFile::create(fd));
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, *file, 'K', kEdgeIn), 0);
  constexpr int kRounds = 3'000;
  std::atomic<int> seen{0};
  const auto consume = [&] {
    epoll_event out[4];
    while (seen < kRounds) {
      ASSERT_GE(wait_really(outer, out, kLong), 0);
      if (wait_really(inner, out, Duration()) == 1 && out[0].data.u64 == 'K') ++seen;
      if (seen == kRounds) eventfd_write(fd, 1);  // for the other consumer
    }
  };
  std::thread first(consume), second(consume);
  for (int i = 0; i < kRounds; ++i) {
    eventfd_write(fd, 1);
    while (seen.load() < i + 1) std::this_thread::yield();
  }
  first.join();
  second.join();
  file = FileRef();
  ::close(fd);
}

// 7.7: sleepers of poll are never exclusive.
TEST_F(ThreadsTest, epoll_7_7_every_poller_of_a_file_returns) {
  FakeFile file;
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> returned{0};
    std::vector<std::thread> pollers;
    for (int i = 0; i < 3; ++i) {
      pollers.emplace_back([&] {
        RealPollContext real;
        if (wait_for(file, kIn, real.now() + kLong, real, {}).ok()) ++returned;
      });
    }
    file.data_arrives();
    for (std::thread& poller : pollers) poller.join();
    EXPECT_EQ(returned.load(), 3);
    file.is_drained();
  }
}

}  // namespace
}  // namespace pollux
