// wait_calls.cc - poll, select and epoll, interposed.
#include "apps/preload/route.h"
#include "apps/preload/rules.h"
#include "apps/preload/sets.h"
#include "apps/preload/undecided.h"

using namespace pollux::preload;

namespace {

// Every number is asked: a dormant socket among them is to be woken up.
bool has_stacks(const pollfd* fds, nfds_t count) {
  bool found = false;
  if (is_inside() || highest_number < 0) return found;
  for (nfds_t i = 0; fds && i < count; ++i) found |= turn_of(fds[i].fd) == Turn::stacks;
  return found;
}

bool is_in(const fd_set* set, int fd) {
  constexpr int kBits = 8 * sizeof(unsigned long);
  const auto* words = reinterpret_cast<const unsigned long*>(set);
  return set && (words[fd / kBits] >> fd % kBits & 1) != 0;
}

struct Sets {
  const fd_set *read, *write, *except;
};

int new_set(int fd) {
  if (!is_inside() && fd >= 0 && has_rules()) note_set(fd);
  return fd;
}

bool has_stacks(int n, const Sets& sets) {
  bool found = false;
  const int highest = highest_number;
  if (is_inside()) return found;
  for (int fd = 0; fd < n && fd <= highest; ++fd) {
    const bool is_asked = is_in(sets.read, fd) || is_in(sets.write, fd) || is_in(sets.except, fd);
    found |= is_asked && turn_of(fd) == Turn::stacks;
  }
  return found;
}

}  // namespace

INTERPOSED int poll(pollfd* fds, nfds_t count, int timeout) {
  if (!has_stacks(fds, count)) return libc().poll(fds, count, timeout);
  const Inside inside;
  return engine().poll(fds, count, timeout);
}

// Also the sleep of a call inside: a handler that waits for its end ends it.
INTERPOSED int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (is_inside() && kept_signals != 0) {
    errno = EINTR;
    return -1;
  }
  if (!has_stacks(fds, count)) return libc().ppoll(fds, count, timeout, mask);
  const Inside inside;
  return engine().ppoll(fds, count, timeout, mask);
}

INTERPOSED int select(int n, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  if (!has_stacks(n, {read, write, except})) return libc().select(n, read, write, except, timeout);
  const Inside inside;
  return engine().select(n, read, write, except, timeout);
}

INTERPOSED int pselect(int n, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout,
                       const sigset_t* mask) {
  if (!has_stacks(n, {read, write, except})) {
    return libc().pselect(n, read, write, except, timeout, mask);
  }
  const Inside inside;
  return engine().pselect(n, read, write, except, timeout, mask);
}

INTERPOSED int epoll_create(int size) noexcept {
  return new_set(opened(libc().epoll_create(size)));
}
INTERPOSED int epoll_create1(int flags) noexcept {
  return new_set(opened(libc().epoll_create1(flags)));
}

INTERPOSED int epoll_ctl(int epfd, int operation, int fd, epoll_event* event) noexcept {
  const Owner owner = is_inside() ? Owner::kernel : owner_of(fd);
  if (owner == Owner::stack || owner == Owner::set)
    return control_stacks(epfd, operation, fd, event);
  if (owner == Owner::kernel_set) return control_kernel_set(epfd, operation, fd, event);
  if (owner == Owner::lost) return turn_of(fd), -1;
  const int result = libc().epoll_ctl(epfd, operation, fd, event);
  if (result == 0 && is_note(owner))
    note_watch(epfd, operation, fd, event ? *event : epoll_event{});
  return result;
}

INTERPOSED int epoll_wait(int epfd, epoll_event* events, int most, int timeout) {
  return wait_for({.epfd = epfd,
                   .events = events,
                   .max_events = most,
                   .timeout_ms = timeout,
                   .timeout = nullptr,
                   .mask = nullptr,
                   .has_timespec = false});
}
INTERPOSED int epoll_pwait(int epfd, epoll_event* events, int most, int timeout,
                           const sigset_t* mask) {
  return wait_for({.epfd = epfd,
                   .events = events,
                   .max_events = most,
                   .timeout_ms = timeout,
                   .timeout = nullptr,
                   .mask = mask,
                   .has_timespec = false});
}
INTERPOSED int epoll_pwait2(int epfd, epoll_event* events, int most, const timespec* timeout,
                            const sigset_t* mask) {
  return wait_for({.epfd = epfd,
                   .events = events,
                   .max_events = most,
                   .timeout_ms = 0,
                   .timeout = timeout,
                   .mask = mask,
                   .has_timespec = true});
}
