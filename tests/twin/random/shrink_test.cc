// shrink_test.cc - planted faults are found and shrunk; programs keep the rules and are C.
#include "tests/twin/random/shrink.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/twin/random/generate.h"
#include "tests/twin/random/rules.h"

namespace pollux::twin {
namespace {

// Answers by the calls alone. Its fault, if it has one, needs two calls, in this order, and one
// argument of the second.
class FakeSide : public Side {
 public:
  explicit FakeSide(bool is_faulty) : is_faulty_(is_faulty) {}
  void begin(const Program& program) override { program_ = program; }
  Answers finish() override {
    ++runs;
    Answers answers;
    bool is_shut = false;
    for (const Op& op : program_.ops) {
      if (op.call == Call::shutdown) is_shut = true;
      const bool is_wrong =
          is_faulty_ && is_shut && op.call == Call::epoll_ctl && (op.events & EPOLLRDHUP) != 0;
      answers.lines.push_back(is_wrong ? "-1 EINVAL" : "0");
    }
    if (crashes_) answers.end = "crashed";
    answers.by_chance = std::exchange(chances, chances > 0 ? chances - 1 : 0) > 0;
    return answers;
  }
  void crash() { crashes_ = true; }

  int runs = 0;
  int chances = 0;  // so many runs from now on meet by chance

 private:
  const bool is_faulty_;
  bool crashes_ = false;
  Program program_;
};

std::optional<Difference> find(Side& kernel, Side& pollux, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    if (auto difference = compare(kernel, pollux, generate(seed))) return difference;
  }
  return std::nullopt;
}

TEST(Compare, sides_that_agree) {
  FakeSide kernel(false), pollux(false);
  EXPECT_FALSE(find(kernel, pollux, 200));
}

TEST(Compare, a_crash_differs_even_from_a_crash) {
  FakeSide kernel(false), pollux(false);
  pollux.crash();
  EXPECT_TRUE(compare(kernel, pollux, generate(1)));
  kernel.crash();
  EXPECT_TRUE(compare(kernel, pollux, generate(1)));
}

TEST(Compare, what_met_by_chance_runs_once_more) {
  FakeSide kernel(false), pollux(false);
  pollux.chances = 2;
  EXPECT_FALSE(compare(kernel, pollux, generate(1)));
  EXPECT_EQ(kernel.runs, 3);
}

TEST(Shrink, a_planted_fault_becomes_two_calls) {
  FakeSide kernel(false), pollux(true);
  const auto found = find(kernel, pollux, 200);
  ASSERT_TRUE(found);
  const Difference small = shrink(kernel, pollux, *found);
  ASSERT_EQ(small.program.ops.size(), 2u);
  EXPECT_EQ(small.at, 1u);
  EXPECT_EQ(small.program.ops[0].call, Call::shutdown);
  EXPECT_EQ(small.program.ops[0].a, 0);
  EXPECT_EQ(small.program.ops[1].call, Call::epoll_ctl);
  EXPECT_EQ(small.program.ops[1].events, EPOLLRDHUP);
  EXPECT_NE(to_c(small).find("kernel: 0  Pollux: -1 EINVAL"), std::string::npos);
}

int epoll_wait_without_rdhup(int set, epoll_event* events, int most, int timeout_ms) {
  const int n = ::epoll_wait(set, events, most, timeout_ms);
  for (int i = 0; i < n; ++i) events[i].events &= ~static_cast<uint32_t>(EPOLLRDHUP);
  return n;
}

// The whole way: two processes, the kernel in both, one of them behind a faulty call.
TEST(Shrink, a_kernel_with_a_fault) {
  Calls faulty = kernel_calls();
  faulty.epoll_wait = epoll_wait_without_rdhup;
  SideProcess kernel(kernel_calls(), ""), other(faulty, "");
  kernel.begin({});
  if (kernel.finish().end == "cannot start") GTEST_SKIP() << "no network namespace to be had";
  const auto found = find(kernel, other, 2000);
  ASSERT_TRUE(found);
  const Difference small = shrink(kernel, other, *found);
  ASSERT_LE(small.program.ops.size(), 9u) << to_c(small);
  EXPECT_EQ(small.program.ops.back().call, Call::epoll_wait);
  EXPECT_NE(small.kernel.lines.back().find("RDHUP"), std::string::npos);
  EXPECT_EQ(small.pollux.lines.back().find("RDHUP"), std::string::npos);
}

TEST(Generate, a_seed_is_a_program) {
  EXPECT_EQ(to_c(generate(7), {}), to_c(generate(7), {}));
  EXPECT_NE(to_c(generate(7), {}), to_c(generate(8), {}));
}

int opened_by(const Op& op) {
  switch (op.call) {
    case Call::socket:
    case Call::accept:
    case Call::dup:
    case Call::epoll_create:
    case Call::event_fd:
    case Call::timer_fd:
      return 1;
    case Call::pipe:
      return 2;
    default:
      return 0;
  }
}

void expect_rules(const Op& op, bool free_order) {
  if (op.call == Call::listen) {
    EXPECT_TRUE(op.a < 0 || op.a >= kBacklog);
  }
  if (op.call == Call::send || op.call == Call::receive) {
    EXPECT_LE(op.a, kMostOctets);
  }
  if (op.call == Call::epoll_wait && free_order) {
    EXPECT_TRUE(op.a <= 0 || op.a == kAllEvents);
  }
  const bool is_kernels =
      op.call == Call::event_fd || op.call == Call::timer_fd || op.call == Call::pipe;
  if (is_kernels || op.call == Call::shutdown) {
    EXPECT_TRUE(free_order);
  }
  if (op.call == Call::dup || op.call == Call::dup2) {
    EXPECT_FALSE(free_order);
  }
}

TEST(Generate, programs_keep_the_rules_and_leave_no_call_out) {
  std::array<int, kCalls> seen{};
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const Program program = generate(seed);
    int opened = 0;
    for (const Op& op : program.ops) {
      ++seen[static_cast<size_t>(op.call)];
      opened += opened_by(op);
      expect_rules(op, program.free_order);
    }
    EXPECT_LE(opened, kMostNumbers);
  }
  for (int call = 0; call < kCalls; ++call) EXPECT_GT(seen[static_cast<size_t>(call)], 0) << call;
}

TEST(ProgramText, compiles) {
  Program all;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (const Op& op : generate(seed).ops) all.ops.push_back(op);
  }
  const std::string command = "cc -x c -std=gnu11 -Wall -Werror -D_GNU_SOURCE -fsyntax-only -I" +
                              std::string(RANDOM_SOURCES) + " -";
  FILE* compiler = ::popen(command.c_str(), "w");
  ASSERT_TRUE(compiler);
  const std::string source = to_c(all, {"a note"});
  ::fwrite(source.data(), 1, source.size(), compiler);
  EXPECT_EQ(::pclose(compiler), 0);
}

}  // namespace
}  // namespace pollux::twin
