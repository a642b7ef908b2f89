// epoll_fake.cc - the scripted and the real poll context, and the words of the tests of epoll.
#include "tests/support/epoll_fake.h"

#include <poll.h>
#include <time.h>

#include <algorithm>

namespace pollux::testing_support {

void FakeFile::becomes(PollEvents ready, PollEvents key) {
  Entered entered(wait_queue().lock());
  ready_ = ready.bits();
  wait_queue().wake_up(key);
}

void FakeFile::becomes_for_all(PollEvents ready) {
  Entered entered(wait_queue().lock());
  ready_ = ready.bits();
  wait_queue().wake_up_all();
}

Instant FakePollContext::poll(NapiSet napis, unsigned budget) {
  polled |= napis;
  budgets.push_back(budget);
  now_ = now_ + poll_cost;
  if (on_poll_) std::exchange(on_poll_, nullptr)();
  return now_;
}

SleepEnd FakePollContext::sleep(Sleeper& sleeper, const SleepRequest& request) {
  ++sleeps;
  last_sleep = request;
  for (;;) {
    if (end_) return *std::exchange(end_, std::nullopt);
    if (sleeper.is_woken()) return SleepEnd::woken;
    if (std::exchange(signalled_, false)) return SleepEnd::interrupted;
    if (!request.kernel.empty() && ::poll(request.kernel.data(), request.kernel.size(), 0) > 0) {
      return SleepEnd::kernel;
    }
    const auto next = script_.begin();
    if (next == script_.end() || request.deadline < next->first) break;
    now_ = std::max(now_, next->first);
    const std::function<void()> step = std::move(next->second);
    script_.erase(next);
    step();
  }
  if (request.deadline.is_never()) {
    ADD_FAILURE() << "asleep for ever";
    return SleepEnd::interrupted;
  }
  now_ = std::max(now_, request.deadline);
  return SleepEnd::timed_out;
}

Instant RealPollContext::now() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return Instant::from_ns(t.tv_sec * 1'000'000'000 + t.tv_nsec);
}

SleepEnd RealPollContext::sleep(Sleeper& sleeper, const SleepRequest& request) {
  if (!sleeper.prepare_to_sleep()) return SleepEnd::woken;
  std::vector<pollfd> fds(request.kernel.begin(), request.kernel.end());
  fds.push_back({sleeper.fd(), POLLIN, 0});
  timespec timeout{};
  const std::int64_t left = std::max<std::int64_t>((request.deadline - now()).to_ns(), 0);
  timeout.tv_sec = left / 1'000'000'000;
  timeout.tv_nsec = left % 1'000'000'000;
  const int n = ::ppoll(fds.data(), fds.size(), request.deadline.is_never() ? nullptr : &timeout,
                        request.sigmask);
  sleeper.finish_sleep();
  if (n < 0) return SleepEnd::interrupted;
  if (n == 0) return SleepEnd::timed_out;
  return fds.back().revents ? SleepEnd::woken : SleepEnd::kernel;
}

void PrintTo(const Event& event, std::ostream* out) {
  *out << "{data " << event.data << ", mask 0x" << std::hex << event.mask << std::dec << "}";
}

EpollTest::EpollTest() { EventPoll::configure({}); }

// Whatever is open is closed; then nothing may be left in the pools.
EpollTest::~EpollTest() {
  for (EventPoll* set : sets_) set->put();
  EXPECT_EQ(EventPoll::watches_used(), 0u);
  EXPECT_EQ(EventPoll::sets_used(), 0u);
}

EventPoll& EpollTest::new_set() {
  sets_.push_back(*EventPoll::create());
  return *sets_.back();
}

void EpollTest::close(EventPoll& set) {
  std::erase(sets_, &set);
  set.put();
}

int EpollTest::ctl(EventPoll& set, int op, Watched target, std::uint32_t events,
                   std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  const Result<void> done = set.ctl(op, target, &event);
  return done.ok() ? 0 : static_cast<int>(done.error());
}

int EpollTest::add(EventPoll& set, File& file, char letter, std::uint32_t events) {
  return ctl(set, EPOLL_CTL_ADD, {&file, letter}, events, static_cast<std::uint64_t>(letter));
}

int EpollTest::mod(EventPoll& set, File& file, char letter, std::uint32_t events) {
  return ctl(set, EPOLL_CTL_MOD, {&file, letter}, events, static_cast<std::uint64_t>(letter));
}

int EpollTest::del(EventPoll& set, File& file, char letter) {
  return ctl(set, EPOLL_CTL_DEL, {&file, letter}, 0);
}

int EpollTest::wait(EventPoll& set, std::span<epoll_event> out, Instant deadline) {
  const Result<int> n = set.wait(out, deadline, nullptr, context);
  return n.ok() ? *n : -static_cast<int>(n.error());
}

std::vector<Event> EpollTest::events(EventPoll& set, std::size_t max, Duration timeout) {
  std::vector<epoll_event> out(max);
  const Instant deadline = timeout == Duration() ? Instant() : context.now() + timeout;
  const int n = wait(set, out, deadline);
  EXPECT_GE(n, 0);
  std::vector<Event> found;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = out[static_cast<std::size_t>(i)];
    found.push_back({event.data.u64, event.events});
  }
  return found;
}

std::string EpollTest::letters(EventPoll& set, std::size_t max, Duration timeout) {
  std::string found;
  for (const Event& event : events(set, max, timeout)) found += static_cast<char>(event.data);
  return found;
}

}  // namespace pollux::testing_support
