// cases_limits.cc - behaviours 1.3, 1.4 and 14.7: a process without a free descriptor. Comes last:
// the table of descriptors never shrinks.
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

// Has taken every number that was free. RLIMIT_NOFILE is lowered meanwhile, for the kernel's side:
// Pollux's table is as large as its key `descriptors` says.
class FullTable {
 public:
  explicit FullTable(Twin& t) : calls_(t.calls) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lower{std::min<rlim_t>(before_.rlim_cur, 512), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lower);
    const int any = t.set();
    for (int fd; (fd = calls_.dup(any)) >= 0;) taken_.push_back(fd);
    t.expect("dup", to_text(-1), "-1 EMFILE");
  }
  ~FullTable() {
    for (const int fd : taken_) calls_.close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  FullTable(const FullTable&) = delete;
  FullTable& operator=(const FullTable&) = delete;

  size_t capacity() const { return static_cast<size_t>(taken_.back()) + 1; }

 private:
  const Calls& calls_;
  rlimit before_{};
  std::vector<int> taken_;
};

void b1_3_flags_are_checked_first(Twin& t) {
  const FullTable full(t);
  t.expect("bad flags", to_text(t.calls.epoll_create1(1)), "-1 EINVAL");
  t.expect("bad size", to_text(t.calls.epoll_create(0)), "-1 EINVAL");
}

void b1_4_no_free_descriptor(Twin& t) {
  {
    const FullTable full(t);
    t.expect("epoll_create1", to_text(t.calls.epoll_create1(0)), "-1 EMFILE");
    t.expect("socket", to_text(t.calls.socket(AF_INET, SOCK_STREAM, 0)), "-1 EMFILE");
  }
  t.expect("afterwards", t.set() >= 0, 1);
}

void b14_7_more_entries_than_descriptors(Twin& t) {
  const FullTable full(t);
  std::vector<pollfd> entries(full.capacity() + 1, pollfd{.fd = -1, .events = 0, .revents = 0});
  t.expect("as many", t.calls.poll(entries.data(), full.capacity(), 0), 0);
  t.expect("one more", to_text(t.calls.poll(entries.data(), entries.size(), 0)), "-1 EINVAL");
  t.expect("before memory", to_text(t.calls.poll(nullptr, entries.size(), 0)), "-1 EINVAL");
}

constexpr Case kLimitsCases[] = {
    {"1.3", "create1: bad flags win over a full table", b1_3_flags_are_checked_first},
    {"1.4", "no free descriptor is EMFILE", b1_4_no_free_descriptor},
    {"14.7b", "more entries than descriptors is EINVAL", b14_7_more_entries_than_descriptors},
};

}  // namespace

std::span<const Case> limits_cases() { return kLimitsCases; }

}  // namespace pollux::twin
