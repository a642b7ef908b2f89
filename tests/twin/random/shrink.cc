// shrink.cc - compares, and makes what differs smaller.
#include "tests/twin/random/shrink.h"

#include <algorithm>
#include <array>

namespace pollux::twin {
namespace {

constexpr int kRuns = 4;  // of a program whose ports meet by chance

// What a call could do more simply; the first that still shows the difference is taken.
std::vector<Op> simpler(const Op& op) {
  std::vector<Op> list;
  const auto offer = [&](auto&& change) {
    Op other = op;
    change(other);
    list.push_back(other);
  };
  // A smaller backlog or maxevents may break a rule of rules.h: then a difference means nothing.
  const bool is_bound_by_rule = op.call == Call::listen || op.call == Call::epoll_wait;
  for (int32_t Op::*const field : {&Op::a, &Op::b, &Op::c, &Op::d}) {
    const int32_t value = op.*field;
    if (value == 0 || (field == &Op::a && is_bound_by_rule)) continue;
    offer([&](Op& o) { o.*field = 0; });
    if (value > 1) offer([&](Op& o) { o.*field = 1; });
    if (value > 3 && field == &Op::a) offer([&](Op& o) { o.a = value / 2; });
  }
  for (uint32_t bit = 1; bit != 0; bit <<= 1) {
    if (op.events & bit) offer([&](Op& o) { o.events &= ~bit; });
  }
  for (uint32_t i = 0; i < op.watch_count; ++i) {
    offer([&](Op& o) {
      std::copy(o.watches.begin() + i + 1, o.watches.end(), o.watches.begin() + i);
      --o.watch_count;
    });
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
      if (op.watches[i].events & bit) offer([&](Op& o) { o.watches[i].events &= ~bit; });
    }
  }
  return list;
}

class Shrinker {
 public:
  Shrinker(Side& kernel, Side& pollux, const Difference& difference)
      : kernel_(kernel), pollux_(pollux), best_(difference) {}

  Difference run() {
    if (best_.pollux.end == kHung) return best_;  // each trial would take as long
    cut_tail();
    while (drop_runs() || simplify()) continue;
    return best_;
  }

 private:
  bool try_program(const Program& program) {
    auto found = compare(kernel_, pollux_, program);
    if (found) best_ = std::move(*found);
    return found.has_value();
  }

  void cut_tail() {
    Program program = best_.program;
    program.ops.resize(std::min(best_.at + 1, program.ops.size()));
    if (program.ops.size() < best_.program.ops.size()) try_program(program);
  }

  bool drop(size_t from, size_t count) {
    Program program = best_.program;
    const auto begin = program.ops.begin() + static_cast<std::ptrdiff_t>(from);
    program.ops.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
    return try_program(program);
  }

  bool drop_runs() {
    bool any = false;
    for (size_t count = std::max<size_t>(best_.program.ops.size() / 2, 1); count > 0; count /= 2) {
      for (size_t from = 0; from + count <= best_.program.ops.size();) {
        if (drop(from, count)) {
          any = true;
        } else {
          from += count;
        }
      }
    }
    return any;
  }

  bool simplify_one(size_t at) {
    for (const Op& op : simpler(best_.program.ops[at])) {
      Program program = best_.program;
      program.ops[at] = op;
      if (try_program(program)) return true;
    }
    return false;
  }

  bool simplify() {
    bool any = false;
    for (size_t at = 0; at < best_.program.ops.size(); ++at) {
      while (at < best_.program.ops.size() && simplify_one(at)) any = true;
    }
    return any;
  }

  Side& kernel_;
  Side& pollux_;
  Difference best_;
};

std::string answer(const Answers& answers, size_t at) {
  return at < answers.lines.size() ? answers.lines[at] : answers.end;
}

}  // namespace

std::optional<Difference> compare(Side& kernel, Side& pollux, const Program& program) {
  Answers k, p;
  for (int run = 0; run == 0 || (run < kRuns && (k.by_chance || p.by_chance)); ++run) {
    kernel.begin(program);
    pollux.begin(program);
    k = kernel.finish();
    p = pollux.finish();
  }
  if (k.lines == p.lines && k.end.empty() && p.end.empty()) return std::nullopt;
  const auto parted = std::ranges::mismatch(k.lines, p.lines).in1;
  const auto at = static_cast<size_t>(parted - k.lines.begin());
  return Difference{program, std::move(k), std::move(p), at};
}

Difference shrink(Side& kernel, Side& pollux, const Difference& difference) {
  return Shrinker(kernel, pollux, difference).run();
}

std::string to_c(const Difference& difference) {
  std::vector<std::string> notes;
  for (size_t i = 0; i < difference.program.ops.size(); ++i) {
    const std::string k = answer(difference.kernel, i), p = answer(difference.pollux, i);
    notes.push_back(k == p ? k : "kernel: " + k + "  Pollux: " + p);
  }
  return to_c(difference.program, notes);
}

}  // namespace pollux::twin
