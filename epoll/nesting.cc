// nesting.cc - EventPoll: no cycles, no chains of more than five sets, not too many paths.
// All under the nesting mutex: while a check runs no set is added to a set; removals only help.
#include <algorithm>
#include <utility>

#include "epoll/eventpoll.h"

namespace pollux {
namespace {

// By number of sets on the path, less one (8.9). Linux: path_limits; its first is never enforced.
constexpr PathCounts kPathLimits{UINT32_MAX, 500, 100, 50, 10};
constexpr int kTooLong = kMaxChain + 1;

// Each check has a number, so that a set reached on several ways is looked at once.
std::uint64_t running_check = 0;

EventPoll& set_of(WatcherLink& link) { return static_cast<EpItem&>(link).set(); }

EventPoll* as_set(File& file) {
  return file.type() == FileType::eventpoll ? static_cast<EventPoll*>(&file) : nullptr;
}

// Of the chains through `watchers`; one deeper than what the set itself counts.
void add_counts(PathCounts& sum, const PathCounts& more, std::size_t deeper) {
  for (std::size_t i = 0; i + deeper < sum.size(); ++i) {
    const std::uint32_t room = UINT32_MAX - sum[i + deeper];
    sum[i + deeper] += std::min(more[i], room);
  }
}

}  // namespace

void EventPoll::begin_check() { ++running_check; }

// Linux: ep_loop_check(). This set is to watch `inner`.
Result<void> EventPoll::check_loop(EventPoll& inner) {
  const int below = inner.depth_below(*this);
  if (below >= kTooLong || below + height() > kMaxChain) return Errno::loop;
  return {};
}

// Sets in the longest chain from here inwards, this one included; kTooLong if `forbidden` is in
// one.
int EventPoll::depth_below(const EventPoll& forbidden) {
  if (this == &forbidden) return kTooLong;
  if (below_check_ == running_check) return below_;
  int deepest = 0;
  {
    Entered entered(mtx_);
    if (nested_ > 0) {
      for (EpItem& item : rbr_) {
        if (EventPoll* set = as_set(item.file())) {
          deepest = std::max(deepest, set->depth_below(forbidden));
        }
      }
    }
  }
  below_check_ = running_check;
  below_ = std::min(deepest + 1, kTooLong);
  return below_;
}

// Sets in the longest chain from here outwards, this one included.
int EventPoll::height() {
  int highest = 0;
  Entered entered(wait_queue_lock_);
  for (WatcherLink& link : watchers()) highest = std::max(highest, set_of(link).height());
  return highest + 1;
}

// Linux: reverse_path_check(). `file` has just been added to this set.
Result<void> EventPoll::check_paths(File& file) {
  if (EventPoll* inner = as_set(file)) {
    if (std::exchange(inner->leaves_check_, running_check) == running_check) return {};
    Entered entered(inner->mtx_);
    for (EpItem& item : inner->rbr_) RETURN_IF_ERROR(check_paths(item.file()));
    return {};
  }
  PathCounts paths{};
  {
    Entered entered(file.wait_queue().lock());
    for (WatcherLink& link : file.watchers()) add_counts(paths, set_of(link).paths_up(), 0);
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (paths[i] > kPathLimits[i]) return Errno::invalid;
  }
  return {};
}

const PathCounts& EventPoll::paths_up() {
  if (paths_check_ == running_check) return paths_;
  paths_ = {};
  Entered entered(wait_queue_lock_);
  for (WatcherLink& link : watchers()) add_counts(paths_, set_of(link).paths_up(), 1);
  if (watchers().empty()) paths_[0] = 1;
  paths_check_ = running_check;
  return paths_;
}

// A wait on an outer set must poll the queues of what inner sets watch, also one that sleeps now.
void EventPoll::spread_napis(NapiSet more) {
  if ((more & ~napis()) == 0) return;
  add_napis(more);
  wake_sleepers();
  for (WatcherLink& link : watchers()) {
    EventPoll& outer = set_of(link);
    Entered upwards(outer.wait_queue_lock_);
    outer.spread_napis(more);
  }
}

}  // namespace pollux
