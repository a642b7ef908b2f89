// eventpoll_model.cc - the model's rules, each as slow and as plain as can be.
#include "tests/unit/epoll/eventpoll_model.h"

#include <algorithm>
#include <set>
#include <thread>

namespace pollux::testing_support {
namespace {

std::atomic<Tick> ticks{1};

// Now and then the thread that asks is put aside, so that wake-ups fall into its transfer.
void dawdle() {
  static thread_local unsigned polls = 0;
  if (++polls % 4 == 0) std::this_thread::yield();
}

using Changes = std::vector<ModelFile::Change>;

// The change that was in force last before `moment`.
std::size_t in_force(const Changes& changes, Tick moment) {
  std::size_t i = changes.size() - 1;
  while (i > 0 && changes[i].when.end >= moment) --i;
  return i;
}

bool may_have_been(const Registration& r, const Span& when, PollEvents reported) {
  const Changes& changes = r.file->changes();
  for (std::size_t i = in_force(changes, when.begin); i < changes.size(); ++i) {
    if (changes[i].when.begin > when.end) return false;
    if ((changes[i].ready & r.interest()) == reported) return true;
  }
  return false;
}

bool may_have_been_ready(const Registration& r, const Span& when) {
  const Changes& changes = r.file->changes();
  for (std::size_t i = in_force(changes, when.begin); i < changes.size(); ++i) {
    if (changes[i].when.begin > when.end) return false;
    if (changes[i].ready.has(r.interest())) return true;
  }
  return false;
}

bool was_ready_throughout(const Registration& r, const Span& when) {
  const Changes& changes = r.file->changes();
  for (std::size_t i = in_force(changes, when.begin); i < changes.size(); ++i) {
    if (changes[i].when.begin > when.end) break;
    if (!changes[i].ready.has(r.interest())) return false;
  }
  return true;
}

bool concerns(const ModelFile::Change& change, const Registration& r) {
  return change.is_announced && (!change.key || change.key.has(r.interest()));
}

// Of a registration whose file is ready at the end: no earlier than this a wake-up put it on the
// list for the last time, and the file has been ready since; `last` if there was none.
Tick last_certain_wake_up(const Registration& r, Tick last) {
  const Changes& changes = r.file->changes();
  for (std::size_t i = changes.size(); i-- > 0 && changes[i].ready.has(r.interest());) {
    const bool is_later = r.since.is_before(changes[i].when);
    if (is_later && concerns(changes[i], r)) last = std::max(last, changes[i].when.begin);
  }
  return last;
}

bool is_ready_at_end(const Registration& r) {
  return r.file->changes().back().ready.has(r.interest());
}

bool reports(const Wait& wait, std::uint64_t data) {
  return std::ranges::any_of(wait.reports, [&](const Report& r) { return r.data == data; });
}

std::string name(const Registration& r) {
  const std::string what =
      r.file ? "file " + std::to_string(r.file->number()) : "set " + std::to_string(r.inner);
  return what + " in set " + std::to_string(r.set) + ", events " + std::to_string(r.events) +
         ", since " + std::to_string(r.since.begin);
}

}  // namespace

Tick tick() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const Tick now = ticks.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return now;
}

PollEvents ModelFile::poll() {
  dawdle();
  return changes_.back().ready;
}

void ModelFile::change(PollEvents more, PollEvents less, bool is_announced, PollEvents key) {
  Entered entered(wait_queue().lock());
  const PollEvents ready = (changes_.back().ready | more) & ~less;
  changes_.push_back({{tick(), kNever}, ready, is_announced, key});
  if (is_announced && key) wait_queue().wake_up(key);
  if (is_announced && !key) wait_queue().wake_up_all();
  changes_.back().when.end = tick();
}

int wait_and_note(const Waiting& waiting, std::span<epoll_event> out, Log& log) {
  Wait wait{waiting.number, {tick(), 0}, false, {}};
  const Result<int> n = waiting.set.wait(out, waiting.deadline, nullptr, waiting.context);
  wait.when.end = tick();
  if (!n.ok()) return -static_cast<int>(n.error());
  const auto found = static_cast<std::size_t>(*n);
  wait.is_full = found == out.size();
  for (const epoll_event& event : out.first(found)) {
    wait.reports.push_back({event.data.u64, PollEvents(event.events)});
  }
  log.waits.push_back(std::move(wait));
  return *n;
}

Oracle::Oracle(std::span<const Log> logs) {
  for (const Log& log : logs) {
    registrations_.insert(log.registrations.begin(), log.registrations.end());
    waits_.insert(waits_.end(), log.waits.begin(), log.waits.end());
  }
  for (const Wait& wait : waits_) {
    for (const Report& report : wait.reports) {
      seen_[report.data].push_back({wait.when, report.events});
    }
  }
}

std::string Oracle::complaint(const std::map<int, Wait>& last) const {
  for (const Wait& wait : waits_) {
    if (std::string bad = check_wait(wait); !bad.empty()) return bad;
  }
  for (const auto& [data, registration] : registrations_) {
    std::string bad = check_seen(data, registration);
    if (bad.empty()) bad = check_end(data, registration, last);
    if (!bad.empty()) return name(registration) + ": " + bad;
  }
  return "";
}

// Each event has a registration of this set, at most once; with room left, every level item that
// was ready all the time is there, also when another thread was just looking (7.9).
std::string Oracle::check_wait(const Wait& wait) const {
  std::set<std::uint64_t> once;
  for (const Report& report : wait.reports) {
    const auto found = registrations_.find(report.data);
    if (found == registrations_.end()) return "nobody registered these data";
    if (found->second.set != wait.set) return name(found->second) + ": came from another set";
    if (!once.insert(report.data).second) return name(found->second) + ": twice in one wait";
  }
  if (wait.is_full) return "";
  for (const auto& [data, r] : registrations_) {
    if (r.set != wait.set || !r.file || !r.is_level()) continue;
    const bool is_there = r.since.is_before(wait.when) && wait.when.is_before(r.until);
    if (!is_there || once.contains(data) || !was_ready_throughout(r, wait.when)) continue;
    return name(r) + ": ready all the time, but not in the wait at " +
           std::to_string(wait.when.begin);
  }
  return "";
}

std::string Oracle::check_seen(std::uint64_t data, const Registration& r) const {
  const auto found = seen_.find(data);
  if (found == seen_.end()) return "";
  for (const Seen& seen : found->second) {
    if (seen.when.is_before(r.since)) return "reported before its time";
    if (r.until.is_before(seen.when)) return "reported after it was gone";
    const bool is_true = r.file ? may_have_been(r, seen.when, seen.events)
                                : seen.events == ((kIn | kRdNorm) & r.interest());
    if (!is_true) return "it never was what was reported: " + std::to_string(seen.events.bits());
  }
  if (r.is(EPOLLONESHOT) && found->second.size() > 1) return "ONESHOT came more than once";
  return r.is(EPOLLET) ? check_edge(r, found->second) : "";
}

// Everything that may have put an item on the list. A MOD inherits what the interest before it was
// queued for: a wake-up while a transfer has not reached the item yet queues it a second time. What
// wakes an inner set's items wakes the set.
std::vector<Span> Oracle::possible_causes(const Registration& r) const {
  std::vector<Span> causes;
  if (!r.file) {
    for (const auto& [data, inner] : registrations_) {
      if (inner.set != r.inner) continue;
      const std::vector<Span> more = possible_causes(inner);
      causes.insert(causes.end(), more.begin(), more.end());
    }
    return causes;
  }
  if (r.is_modified || may_have_been_ready(r, r.since)) causes.push_back(r.since);
  const Span life{r.since.begin, r.until.end};
  for (const ModelFile::Change& change : r.file->changes()) {
    if (change.when.may_meet(life) && concerns(change, r)) causes.push_back(change.when);
  }
  return causes;
}

// One waiter for one edge: no more reports than causes, and a cause between any two of them.
std::string Oracle::check_edge(const Registration& r, const std::vector<Seen>& seen) const {
  const std::vector<Span> causes = possible_causes(r);
  if (seen.size() > causes.size()) {
    return std::to_string(seen.size()) + " reports of " + std::to_string(causes.size()) + " edges";
  }
  for (const Seen& first : seen) {
    for (const Seen& second : seen) {
      if (!first.when.is_before(second.when)) continue;
      const Span between{first.when.begin, second.when.end};
      const bool has_cause =
          std::ranges::any_of(causes, [&](const Span& cause) { return cause.may_meet(between); });
      if (!has_cause) return "reported again, but nothing had happened";
    }
  }
  return "";
}

// Of what the last look at a set found: when its watchers were told of it for the last time. A MOD
// of an item that is on the list already tells nobody (Linux: ep_modify()).
Tick Oracle::last_cause_in(const Wait& last) const {
  Tick latest = 0;
  for (const Report& report : last.reports) {
    const Registration& r = registrations_.at(report.data);
    if (!r.file || r.is(EPOLLEXCLUSIVE)) continue;
    latest = std::max(latest, last_certain_wake_up(r, r.is_modified ? 0 : r.since.begin));
  }
  return latest;
}

// At the end what is ready has been reported: level in the last look (check_wait saw to it for
// files), ONESHOT once, an edge after its last cause. EXCLUSIVE promises nothing to a single set.
std::string Oracle::check_end(std::uint64_t data, const Registration& r,
                              const std::map<int, Wait>& last) const {
  if (r.until.end != kNever || r.is(EPOLLEXCLUSIVE)) return "";
  Tick cause;
  if (r.file) {
    if (!is_ready_at_end(r)) return "";
    cause = r.since.begin;
    if (!r.is(EPOLLONESHOT)) cause = last_certain_wake_up(r, cause);
  } else {
    const Wait& inner = last.at(r.inner);
    const bool is_ready = !inner.reports.empty();
    if (r.is_level() && is_ready != reports(last.at(r.set), data)) {
      return is_ready ? "the inner set is ready, unreported" : "the inner set is not ready";
    }
    cause = last_cause_in(inner);
    if (cause == 0) return "";
  }
  const auto found = seen_.find(data);
  const bool is_reported =
      found != seen_.end() &&
      std::ranges::any_of(found->second, [&](const Seen& seen) { return seen.when.end > cause; });
  return is_reported ? "" : "ready, but never reported since " + std::to_string(cause);
}

}  // namespace pollux::testing_support
