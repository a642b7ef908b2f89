// waiting.cc - the kernel's poll, with a bell for the end of the waiting.
#include "apps/preload/waiting.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

constexpr long kNanoseconds = 1'000'000'000;

// Linux: POLLIN_SET and its like of fs/select.c, the events that select stands for.
constexpr short kRead = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
constexpr short kWrite = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;

timespec now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time;
}

timespec sum(const timespec& a, const timespec& b) {
  timespec result{a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
  if (result.tv_nsec >= kNanoseconds) ++result.tv_sec, result.tv_nsec -= kNanoseconds;
  return result;
}

struct Asked {
  fd_set *read, *write, *except;
};

std::vector<pollfd> polls_of(int n, const Asked& asked) {
  std::vector<pollfd> polls;
  for (int fd = 0; fd < n; ++fd) {
    short events = 0;
    if (is_in(asked.read, fd)) events |= POLLIN | POLLRDNORM | POLLRDBAND;
    if (is_in(asked.write, fd)) events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    if (is_in(asked.except, fd)) events |= POLLPRI;
    if (events != 0) polls.push_back({.fd = fd, .events = events, .revents = 0});
  }
  return polls;
}

// How many bits are set in all; the sets are the answer.
int answer(const std::vector<pollfd>& polls, const Asked& asked) {
  int count = 0;
  const auto keep = [&count](fd_set* set, int fd, bool is_ready) {
    if (!is_in(set, fd)) return;
    if (is_ready) ++count;
    if (!is_ready) FD_CLR(fd, set);
  };
  for (const pollfd& one : polls) {
    keep(asked.read, one.fd, (one.revents & kRead) != 0);
    keep(asked.write, one.fd, (one.revents & kWrite) != 0);
    keep(asked.except, one.fd, (one.revents & POLLPRI) != 0);
  }
  return count;
}

int select_by_poll(int n, const Asked& asked, const Deadline& deadline, const sigset_t* mask) {
  std::vector<pollfd> polls = polls_of(n, asked);
  const int result = poll_while_waiting(polls.data(), polls.size(), deadline, mask);
  if (result < 0) return result;
  const auto is_bad = [](const pollfd& one) { return (one.revents & POLLNVAL) != 0; };
  if (std::any_of(polls.begin(), polls.end(), is_bad)) {
    errno = EBADF;
    return -1;
  }
  return answer(polls, asked);
}

}  // namespace

Deadline Deadline::in(const timespec* timeout) {
  Deadline deadline;
  if (timeout) deadline.end_ = sum(now(), *timeout);
  return deadline;
}

Deadline Deadline::in_ms(int timeout) {
  const timespec relative{timeout / 1000, timeout % 1000 * 1'000'000L};
  return in(timeout < 0 ? nullptr : &relative);
}

timespec Deadline::rest() const {
  const timespec at = now();
  timespec rest{end_->tv_sec - at.tv_sec, end_->tv_nsec - at.tv_nsec};
  if (rest.tv_nsec < 0) --rest.tv_sec, rest.tv_nsec += kNanoseconds;
  return rest.tv_sec < 0 ? timespec{} : rest;
}

int poll_while_waiting(pollfd* fds, nfds_t count, const Deadline& deadline, const sigset_t* mask) {
  std::vector<pollfd> asked(fds, fds + count);
  for (pollfd& one : asked) {
    if (is_dormant(one.fd) || owner_of(one.fd) == Owner::stack) one.fd = -1;
  }
  asked.push_back({.fd = waiting_bell(), .events = POLLIN, .revents = 0});
  timespec rest = deadline.is_never() ? timespec{} : deadline.rest();
  const timespec* timeout = deadline.is_never() ? nullptr : &rest;
  const int result = libc().ppoll(asked.data(), asked.size(), timeout, mask);
  if (result < 0) return result;
  if (asked.back().revents != 0) {
    if (!deadline.is_never()) rest = deadline.rest();
    return ppoll(fds, count, timeout, mask);
  }
  for (nfds_t i = 0; i < count; ++i) fds[i].revents = asked[i].revents;
  return result;
}

// Linux: what was left of the time is told.
int select_while_waiting(int n, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  timespec limit{};
  if (timeout) limit = {timeout->tv_sec, timeout->tv_usec * 1000};
  const Deadline deadline = Deadline::in(timeout ? &limit : nullptr);
  const int result = select_by_poll(n, {read, write, except}, deadline, nullptr);
  if (timeout) *timeout = {deadline.rest().tv_sec, deadline.rest().tv_nsec / 1000};
  return result;
}

int pselect_while_waiting(int n, fd_set* read, fd_set* write, fd_set* except,
                          const timespec* timeout, const sigset_t* mask) {
  return select_by_poll(n, {read, write, except}, Deadline::in(timeout), mask);
}

}  // namespace pollux::preload
