// counter_calls.cc - plx_counters: what the stacks, the waits and the ports have counted.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "epoll/waiting.h"
#include "pollux/pollux.h"
#include "stack/core/host.h"

namespace pollux {
namespace {

constexpr std::size_t kDrops = static_cast<std::size_t>(Drop::count);

// A stack's, or the sums of several.
struct Snapshot {
  Counters counters;
  std::array<std::uint64_t, kDrops> drops{};

  void add(const Snapshot& other) {
#define POLLUX_ADD(name, meaning) counters.name += other.counters.name;
    POLLUX_COUNTERS(POLLUX_ADD)
#undef POLLUX_ADD
    for (std::size_t i = 0; i < kDrops; ++i) drops[i] += other.drops[i];
  }
};

// Of one moment, unless the stack is one thread's alone: that may be another.
Snapshot take_snapshot(Stack& stack) {
  std::optional<Entered> entered;
  if (stack.entry().mode() == ThreadMode::shared) entered.emplace(stack.entry());
  Snapshot snapshot{.counters = stack.counters(), .drops = {}};
  for (std::size_t i = 0; i < kDrops; ++i) snapshot.drops[i] = stack.drops(static_cast<Drop>(i));
  return snapshot;
}

class Visitor {
 public:
  using Visit = void (*)(void* argument, const char* name, const char* meaning,
                         std::uint64_t value);
  Visitor(Visit visit, void* argument) : visit_(visit), argument_(argument) {}

  void tell(const std::string& name, const char* meaning, std::uint64_t value) {
    visit_(argument_, name.c_str(), meaning, value);
    ++count_;
  }
  void tell(const std::string& prefix, const Snapshot& snapshot) {
#define POLLUX_VISIT(name, meaning) tell(prefix + #name, meaning, snapshot.counters.name);
    POLLUX_COUNTERS(POLLUX_VISIT)
#undef POLLUX_VISIT
#define POLLUX_VISIT(name, meaning) \
  tell(prefix + "drop_" #name, meaning, snapshot.drops[static_cast<std::size_t>(Drop::name)]);
    POLLUX_DROPS(POLLUX_VISIT)
#undef POLLUX_VISIT
  }
  void tell_waits() {
#define POLLUX_VISIT(name, meaning) tell(#name, meaning, waits(WaitCounter::name));
    POLLUX_WAIT_COUNTERS(POLLUX_VISIT)
#undef POLLUX_VISIT
  }
  int count() const { return count_; }

 private:
  Visit visit_;
  void* argument_;
  int count_ = 0;
};

}  // namespace
}  // namespace pollux

// The visitor may call the stack: nothing is entered while it runs.
extern "C" int plx_counters(void (*visit)(void* argument, const char* name, const char* meaning,
                                          uint64_t value),
                            void* argument) {
  pollux::Host* host = pollux::host();
  if (!host) return 0;
  std::vector<pollux::Snapshot> stacks;
  pollux::Snapshot sum;
  for (std::size_t i = 0; i < host->stacks().count(); ++i) {
    stacks.push_back(pollux::take_snapshot(host->stacks()[i]));
    sum.add(stacks.back());
  }
  pollux::Visitor visitor(visit, argument);
  visitor.tell("", sum);
  for (std::size_t i = 0; stacks.size() > 1 && i < stacks.size(); ++i) {
    visitor.tell(fmt::format("stack{}_", i), stacks[i]);
  }
  visitor.tell_waits();
  for (const auto& [name, value] : host->device_counts()) {
    visitor.tell(name, "as the port's driver counts it", value);
  }
  return visitor.count();
}
