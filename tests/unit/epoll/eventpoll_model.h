// eventpoll_model.h - a naive model of sets: what threads did and saw, and whether that may be.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "epoll/eventpoll.h"
#include "epoll/file.h"

namespace pollux::testing_support {

using Tick = std::uint64_t;
inline constexpr Tick kNever = std::numeric_limits<Tick>::max();

// A moment of all threads together, later than every moment before. What one thread does before
// its tick has happened for another one after that one's later tick; the order comes from fences,
// which the thread sanitizer does not see, so that it still finds races between the two.
Tick tick();

// Something happened at one moment between these two.
struct Span {
  Tick begin = 0, end = 0;
  bool is_before(const Span& other) const { return end < other.begin; }
  bool may_meet(const Span& other) const { return begin < other.end && other.begin < end; }
};

// A file whose readiness the test changes, and that remembers each change.
class ModelFile final : public File {
 public:
  struct Change {
    Span when;
    PollEvents ready;  // from then on
    bool is_announced = false;
    PollEvents key;
  };

  ModelFile(PollEvents ready, int number)
      : File(FileType::socket, own_, &own_, 0), number_(number), changes_{{{}, ready, false, {}}} {}
  // Of a stack: several files have one lock.
  ModelFile(Entry& stack, PollEvents ready, int number)
      : File(FileType::socket, stack, &stack, 0),
        number_(number),
        changes_{{{}, ready, false, {}}} {}

  PollEvents poll() override;
  void on_last_close() override { closed_ = true; }

  // More is ready, or again: a wake-up with that key.
  void arrives(PollEvents more, PollEvents key) { change(more, {}, true, key); }
  void arrives_for_all(PollEvents more) { change(more, {}, true, {}); }  // without a key
  void is_drained(PollEvents of) { change({}, of, false, {}); }

  int number() const { return number_; }
  bool closed() const { return closed_; }
  // With no other thread left.
  const std::vector<Change>& changes() const { return changes_; }

 private:
  void change(PollEvents more, PollEvents less, bool is_announced, PollEvents key);

  Entry own_{ThreadMode::shared};
  const int number_;
  std::vector<Change> changes_;  // guarded by the queue's lock
  std::atomic<bool> closed_{false};
};

// One interest from the ADD or MOD that made it to what ended it; its data are its own.
struct Registration {
  int set;
  const ModelFile* file;  // null: of the set `inner`
  int inner = -1;
  std::uint32_t events = 0;
  bool is_modified = false;  // by MOD, not ADD
  Span since;
  Span until{kNever, kNever};

  bool is(std::uint32_t how) const { return (events & how) != 0; }
  bool is_level() const { return !is(std::uint32_t{EPOLLET} | EPOLLONESHOT | EPOLLEXCLUSIVE); }
  PollEvents interest() const { return (PollEvents(events) & ~kPrivateBits) | kErr | kHup; }
};

struct Report {
  std::uint64_t data;
  PollEvents events;
};
struct Wait {
  int set;
  Span when;
  bool is_full;  // as many events as there was room for
  std::vector<Report> reports;
};

// What one thread did. Only that thread touches it until it is over.
struct Log {
  std::map<std::uint64_t, Registration> registrations;
  std::vector<Wait> waits;
};

struct Waiting {
  EventPoll& set;
  int number;  // of the set
  Instant deadline;
  PollContext& context;
};
// Waits, notes what came. Returns what wait() did, or -errno.
int wait_and_note(const Waiting& waiting, std::span<epoll_event> out, Log& log);

// Judges a run when nothing moves any more. `last` of each set: one look with room for everything.
class Oracle {
 public:
  explicit Oracle(std::span<const Log> logs);
  // The first thing that must not be, in words; empty: all is well.
  std::string complaint(const std::map<int, Wait>& last) const;

 private:
  struct Seen {
    Span when;
    PollEvents events;
  };

  std::string check_wait(const Wait& wait) const;
  std::string check_seen(std::uint64_t data, const Registration& r) const;
  std::string check_edge(const Registration& r, const std::vector<Seen>& seen) const;
  std::string check_end(std::uint64_t data, const Registration& r,
                        const std::map<int, Wait>& last) const;
  std::vector<Span> possible_causes(const Registration& r) const;
  Tick last_cause_in(const Wait& last) const;

  std::map<std::uint64_t, Registration> registrations_;
  std::vector<Wait> waits_;
  std::map<std::uint64_t, std::vector<Seen>> seen_;
};

}  // namespace pollux::testing_support
