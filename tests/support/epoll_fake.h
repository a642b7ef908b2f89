// epoll_fake.h - files and poll contexts for tests of epoll: scripted and virtual, or real threads.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "epoll/busy_poll.h"
#include "epoll/eventpoll.h"
#include "epoll/file.h"

namespace pollux::testing_support {

inline constexpr std::uint32_t kEdgeIn = std::uint32_t{EPOLLIN} | EPOLLET;
// A lost wake-up shows as a wait of this length.
inline constexpr Duration kLong = Duration::seconds(30);

// A socket as epoll sees one: what it is ready for is set by the test. Owned by the test, which
// must drop its references (close()) before it goes.
class FakeFile : public File {
 public:
  explicit FakeFile(PollEvents ready = {}, NapiSet napis = 0)
      : File(FileType::socket, own_, &own_, napis), ready_(ready.bits()) {}
  // Of a stack: its entry is the queue's lock, as for a TCP socket.
  FakeFile(Entry& stack, PollEvents ready) : File(FileType::socket, stack, &stack, 0) {
    ready_ = ready.bits();
  }

  ~FakeFile() override {
    close();
    EXPECT_TRUE(closed_);
  }

  PollEvents poll() override {
    EXPECT_TRUE(stack_entry()->is_entered());
    ++polls_;
    return PollEvents(ready_.load());
  }
  void on_last_close() override { closed_ = true; }
  BusyPollParams busy_poll() const override {
    EXPECT_TRUE(stack_entry()->is_entered());
    return spins;
  }

  // The readiness from now on, and a wake-up with `key` (empty: concerns everybody).
  void becomes(PollEvents ready, PollEvents key);
  void becomes_for_all(PollEvents ready);  // a change of state: wake all, without key
  void quietly_becomes(PollEvents ready) { ready_ = ready.bits(); }
  void data_arrives() { becomes(PollEvents(ready_) | kIn, kReadableKey); }
  void is_drained() { quietly_becomes(PollEvents(ready_) & ~kIn); }
  // The test's reference: dropped, or given away to a table.
  void close() { std::exchange(given_, true) ? void() : put(); }
  File* give() { return given_ = true, this; }
  bool closed() const { return closed_; }
  bool is_readable() const { return PollEvents(ready_).has(kIn); }
  unsigned polls() const { return polls_; }
  bool is_heard() { return wait_queue().may_have_entries(); }
  BusyPollParams spins;  // SO_BUSY_POLL and its sisters

 private:
  Entry own_{ThreadMode::shared};
  std::atomic<std::uint32_t> ready_;
  std::atomic<unsigned> polls_{0};
  std::atomic<bool> closed_{false};
  bool given_ = false;
};

// A virtual clock with a script. sleep() runs the steps that fall due until one wakes the sleeper.
class FakePollContext final : public PollContext {
 public:
  Instant now() override { return now_; }
  Instant poll(NapiSet napis, unsigned budget) override;
  SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override;
  void suspend_irqs(NapiSet napis) override { suspended |= napis; }
  void resume_irqs(NapiSet napis) override { suspended &= ~napis; }

  void at(Duration after_now, std::function<void()> step) {
    script_.emplace(now_ + after_now, std::move(step));
  }
  void on_next_poll(std::function<void()> step) { on_poll_ = std::move(step); }
  void signal_now() { signalled_ = true; }  // ends the sleep with EINTR
  void end_sleep(SleepEnd how) { end_ = how; }

  Duration poll_cost = Duration::us(1);  // how much time each poll takes
  std::vector<unsigned> budgets;         // of all polls
  NapiSet polled = 0;                    // of all polls
  NapiSet suspended = 0;
  unsigned sleeps = 0;
  SleepRequest last_sleep;

 private:
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::multimap<Instant, std::function<void()>> script_;
  std::function<void()> on_poll_;
  bool signalled_ = false;
  std::optional<SleepEnd> end_;
};

// The real thing without devices: CLOCK_MONOTONIC and ppoll. For tests with threads.
class RealPollContext final : public PollContext {
 public:
  Instant now() override;
  Instant poll(NapiSet, unsigned) override { return now(); }
  SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override;
};

struct Event {
  std::uint64_t data;
  std::uint32_t mask;
  friend bool operator==(const Event&, const Event&) = default;
};
void PrintTo(const Event& event, std::ostream* out);

// A test's sets and how it speaks of them: files are added under a letter, the letter is the data.
class EpollTest : public testing::Test {
 protected:
  EpollTest();
  ~EpollTest() override;

  EventPoll& new_set();
  void close(EventPoll& set);  // the test's reference
  // 0 or the errno. The number is the letter, unless given.
  int ctl(EventPoll& set, int op, Watched target, std::uint32_t events, std::uint64_t data = 0);
  int add(EventPoll& set, File& file, char letter, std::uint32_t events);
  int mod(EventPoll& set, File& file, char letter, std::uint32_t events);
  int del(EventPoll& set, File& file, char letter);
  int wait(EventPoll& set, std::span<epoll_event> out, Instant deadline);  // or -errno
  std::vector<Event> events(EventPoll& set, std::size_t max = 64, Duration timeout = {});
  std::string letters(EventPoll& set, std::size_t max = 64, Duration timeout = {});

  FakePollContext context;

 private:
  std::vector<EventPoll*> sets_;
};

}  // namespace pollux::testing_support
