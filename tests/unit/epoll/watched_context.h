// watched_context.h - waits of real threads that others can see, and the seeds of their programs.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/epoll_fake.h"

namespace pollux::testing_support {

// A real sleep. Whoever asks must keep the sleeping thread from ending.
class WatchedContext final : public PollContext {
 public:
  Instant now() override { return real_.now(); }
  Instant poll(NapiSet, unsigned) override { return now(); }
  SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override {
    sleeper_ = &sleeper;
    ++moves_;
    is_asleep_ = true;
    const SleepEnd end = real_.sleep(sleeper, request);
    is_asleep_ = false;
    if (sleeper.is_woken()) ++wakes_;
    ++moves_;
    return end;
  }

  void rest() { is_resting_ = true; }  // it will not wait any more
  bool is_resting() const { return is_resting_; }
  bool is_still() const { return is_resting_ || (is_asleep_ && !sleeper_.load()->is_woken()); }
  std::uint64_t moves() const { return moves_; }
  unsigned wakes() const { return wakes_; }

 private:
  RealPollContext real_;
  std::atomic<Sleeper*> sleeper_{nullptr};
  std::atomic<std::uint64_t> moves_{0};
  std::atomic<unsigned> wakes_{0};
  std::atomic<bool> is_asleep_{false}, is_resting_{false};
};

using Contexts = std::vector<std::unique_ptr<WatchedContext>>;

inline std::uint64_t all_moves(const Contexts& contexts) {
  std::uint64_t moves = 0;
  for (const auto& context : contexts) moves += context->moves();
  return moves;
}

// Until every waiter sleeps, unwoken, or rests. With nobody else left nothing changes after that.
inline void settle(const Contexts& contexts) {
  for (;;) {
    const std::uint64_t before = all_moves(contexts);
    const bool are_still = std::ranges::all_of(contexts, [](auto& c) { return c->is_still(); });
    if (are_still && all_moves(contexts) == before) return;
    std::this_thread::yield();
  }
}

// `stop` is for all waiters, each wakes the next. False: some slept on and had to be woken by hand.
template <typename Stop>
bool all_rest_after(const Contexts& contexts, Stop&& stop) {
  for (bool is_first = true;; is_first = false) {
    stop();
    settle(contexts);
    if (std::ranges::all_of(contexts, [](auto& c) { return c->is_resting(); })) return is_first;
  }
}

// The same seeds wherever CI is set; elsewhere others each time. POLLUX_SEED replays one,
// POLLUX_SEEDS says how many.
struct Seeds {
  explicit Seeds(std::uint64_t usual) : count(usual) {
    const char* one = std::getenv("POLLUX_SEED");
    const char* many = std::getenv("POLLUX_SEEDS");
    if (one) first = std::strtoull(one, nullptr, 10);
    if (!one && !std::getenv("CI")) first = std::random_device()();
    if (one) count = 1;
    if (many) count = std::strtoull(many, nullptr, 10);
    std::cout << "POLLUX_SEED=" << first << " and up, " << count << " in all\n";
  }
  std::uint64_t first = 1, count;
};

}  // namespace pollux::testing_support
