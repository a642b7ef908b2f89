// wait_calls.cc - poll, select and epoll, interposed.
#include <climits>
#include <utility>
#include <vector>

#include "apps/preload/route.h"
#include "apps/preload/rules.h"
#include "apps/preload/sets.h"
#include "apps/preload/undecided.h"
#include "apps/preload/waiting.h"

using namespace pollux::preload;

namespace {

// Every number is asked: a dormant socket among them is to be woken up. `waits`: one cannot be yet.
bool has_stacks(const pollfd* fds, nfds_t count, bool& waits) {
  bool found = false;
  if (is_inside() || highest_number < 0) return found;
  for (nfds_t i = 0; fds && i < count; ++i) {
    found |= turn_without_waiting(fds[i].fd, waits) == Turn::stacks;
  }
  return found;
}

bool has_undecided(const pollfd* fds, nfds_t count) {
  bool found = false;
  if (is_inside() || highest_number < 0) return found;
  for (nfds_t i = 0; fds && i < count; ++i) found |= is_note(owner_of(fds[i].fd));
  return found;
}

// Numbers of Pollux's own, hidden from the program for the length of a poll: POLLNVAL.
class WithoutOwn {
 public:
  WithoutOwn(pollfd* fds, nfds_t count) : fds_(fds) {
    if (is_inside() || !engine_runs()) return;
    for (nfds_t i = 0; fds && i < count; ++i) {
      if (owner_of(fds[i].fd) == Owner::own) hide(i);
    }
  }
  WithoutOwn(const WithoutOwn&) = delete;
  WithoutOwn& operator=(const WithoutOwn&) = delete;
  ~WithoutOwn() {
    for (const auto& [index, fd] : hidden_) fds_[index].fd = fd;
  }

 private:
  void hide(nfds_t index) {
    hidden_.emplace_back(index, fds_[index].fd);
    fds_[index].fd = INT_MAX;
  }
  pollfd* const fds_;
  std::vector<std::pair<nfds_t, int>> hidden_;
};

struct Sets {
  const fd_set *read, *write, *except;
};

bool has_undecided(int n, const Sets& sets) {
  bool found = false;
  if (is_inside()) return found;
  for (int fd = 0, highest = highest_number; fd < n && fd <= highest; ++fd) {
    found |= is_note(owner_of(fd)) &&
             (is_in(sets.read, fd) || is_in(sets.write, fd) || is_in(sets.except, fd));
  }
  return found;
}

int new_set(int fd) {
  if (!is_inside() && fd >= 0 && has_rules()) note_set(fd);
  return fd;
}

// Nobodys: one of them is not open, as far as the program knows.
Turn turn_of_sets(int n, const Sets& sets, bool& waits) {
  Turn turn = Turn::kernels;
  const int highest = highest_number;
  if (is_inside()) return turn;
  for (int fd = 0; fd < n && fd <= highest; ++fd) {
    const bool is_asked = is_in(sets.read, fd) || is_in(sets.write, fd) || is_in(sets.except, fd);
    const Turn one = is_asked ? turn_without_waiting(fd, waits) : Turn::kernels;
    if (one != Turn::kernels && turn != Turn::nobodys) turn = one;
  }
  return turn;
}

}  // namespace

INTERPOSED int poll(pollfd* fds, nfds_t count, int timeout) {
  const WithoutOwn without(fds, count);
  const SleepUndecided sleep(has_undecided(fds, count));
  bool waits = false;
  const bool is_stacks_too = has_stacks(fds, count, waits);
  if (waits) return poll_while_waiting(fds, count, Deadline::in_ms(timeout), nullptr);
  if (!is_stacks_too) return libc().poll(fds, count, timeout);
  return cancellable([=] { return engine().poll(fds, count, timeout); });
}

// Also the sleep of a call inside: a handler that waits for its end ends it, and pthread_cancel.
INTERPOSED int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (is_inside() && (kept_signals != 0 || is_cancel_due())) {
    errno = EINTR;
    return -1;
  }
  const WithoutOwn without(fds, count);
  const SleepUndecided sleep(has_undecided(fds, count));
  bool waits = false;
  const bool is_stacks_too = has_stacks(fds, count, waits);
  if (waits) return poll_while_waiting(fds, count, Deadline::in(timeout), mask);
  if (!is_stacks_too) return libc().ppoll(fds, count, timeout, mask);
  return cancellable([=] { return engine().ppoll(fds, count, timeout, mask); });
}

INTERPOSED int select(int n, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  const SleepUndecided sleep(has_undecided(n, {read, write, except}));
  bool waits = false;
  const Turn turn = turn_of_sets(n, {read, write, except}, waits);
  if (waits) return select_while_waiting(n, read, write, except, timeout);
  if (turn == Turn::kernels) return libc().select(n, read, write, except, timeout);
  if (turn == Turn::nobodys) return -1;
  return cancellable([=] { return engine().select(n, read, write, except, timeout); });
}

INTERPOSED int pselect(int n, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout,
                       const sigset_t* mask) {
  const SleepUndecided sleep(has_undecided(n, {read, write, except}));
  bool waits = false;
  const Turn turn = turn_of_sets(n, {read, write, except}, waits);
  if (waits) return pselect_while_waiting(n, read, write, except, timeout, mask);
  if (turn == Turn::kernels) return libc().pselect(n, read, write, except, timeout, mask);
  if (turn == Turn::nobodys) return -1;
  return cancellable([=] { return engine().pselect(n, read, write, except, timeout, mask); });
}

INTERPOSED int epoll_create(int size) noexcept {
  return new_set(opened(libc().epoll_create(size)));
}
INTERPOSED int epoll_create1(int flags) noexcept {
  return new_set(opened(libc().epoll_create1(flags)));
}

INTERPOSED int epoll_ctl(int epfd, int operation, int fd, epoll_event* event) noexcept {
  epfd = as_shown(epfd);
  fd = as_shown(fd);
  if (is_inside()) return libc().epoll_ctl(epfd, operation, fd, event);
  const Owner owner = settled_owner(fd);
  if (owner == Owner::stack || owner == Owner::set)
    return control_stacks(epfd, operation, fd, event);
  if (owner == Owner::kernel_set) return control_kernel_set(epfd, operation, fd, event);
  if (owner == Owner::lost) return turn_of(fd), -1;
  if (is_note(owner)) return control_note(epfd, operation, fd, event);
  return control_kernels(epfd, operation, fd, event);
}

INTERPOSED int epoll_wait(int epfd, epoll_event* events, int most, int timeout) {
  return wait_for({.epfd = as_shown(epfd),
                   .events = events,
                   .max_events = most,
                   .timeout_ms = timeout,
                   .timeout = nullptr,
                   .mask = nullptr,
                   .has_timespec = false});
}
INTERPOSED int epoll_pwait(int epfd, epoll_event* events, int most, int timeout,
                           const sigset_t* mask) {
  return wait_for({.epfd = as_shown(epfd),
                   .events = events,
                   .max_events = most,
                   .timeout_ms = timeout,
                   .timeout = nullptr,
                   .mask = mask,
                   .has_timespec = false});
}
INTERPOSED int epoll_pwait2(int epfd, epoll_event* events, int most, const timespec* timeout,
                            const sigset_t* mask) {
  return wait_for({.epfd = as_shown(epfd),
                   .events = events,
                   .max_events = most,
                   .timeout_ms = 0,
                   .timeout = timeout,
                   .mask = mask,
                   .has_timespec = true});
}
