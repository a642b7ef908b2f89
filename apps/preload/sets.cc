// sets.cc - the other half of a set, and the bell that brings sleepers over to it.
//
// A thread may sleep in the kernel's epoll_wait when the first stack socket is added. The bell is
// an eventfd that is always readable, registered edge-triggered with the hint as its data: adding
// it wakes one sleeper, which arms it again for the next and goes on in Pollux.
#include "apps/preload/sets.h"

#include <cerrno>
#include <mutex>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

std::mutex adoption;
std::atomic<std::uint64_t> hint{0};  // 0: no set has two halves

int bell() {
  static const int fd = [] {
    const Inside inside;
    return eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  }();
  return fd;
}

void ring(int epfd, int operation) {
  epoll_event event{.events = std::uint32_t{EPOLLIN} | EPOLLET, .data = {.u64 = hint}};
  libc().epoll_ctl(epfd, operation, bell(), &event);
}

// EBADF; EINVAL: not a set. The kernel knows: `fd` is not in it.
bool is_set(int epfd, int fd) {
  epoll_event unused{};
  return libc().epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &unused) == 0 || errno == ENOENT;
}

bool have_both_halves(int epfd, int fd) {
  const std::lock_guard lock(adoption);
  if (owner_of(epfd) == Owner::set) return true;
  if (!is_set(epfd, fd)) return false;
  const Inside inside;
  const int duplicate = libc().fcntl(epfd, F_DUPFD_CLOEXEC, kOwnNumbers);
  if (duplicate < 0) return false;
  if (engine().adopt_epoll(epfd, duplicate) != 0) {
    libc().close(duplicate);
    return false;
  }
  hint = engine().epoll_hint();
  set_owner(epfd, Owner::set);
  ring(epfd, EPOLL_CTL_ADD);
  return true;
}

int wait_in_pollux(const SetWait& wait) {
  const Inside inside;
  if (wait.has_timespec) {
    return engine().epoll_pwait2(wait.epfd, wait.events, wait.max_events, wait.timeout, wait.mask);
  }
  return engine().epoll_pwait(wait.epfd, wait.events, wait.max_events, wait.timeout_ms, wait.mask);
}

int wait_in_kernel(const SetWait& wait) {
  if (wait.has_timespec) {
    return libc().epoll_pwait2(wait.epfd, wait.events, wait.max_events, wait.timeout, wait.mask);
  }
  if (wait.mask) {
    return libc().epoll_pwait(wait.epfd, wait.events, wait.max_events, wait.timeout_ms, wait.mask);
  }
  return libc().epoll_wait(wait.epfd, wait.events, wait.max_events, wait.timeout_ms);
}

int without_hints(epoll_event* events, int n) {
  int kept = 0;
  for (int i = 0; i < n; ++i) {
    if (events[i].data.u64 != hint) events[kept++] = events[i];
  }
  return kept;
}

}  // namespace

int control_stacks(int epfd, int operation, int fd, epoll_event* event) {
  if (owner_of(epfd) != Owner::set && !have_both_halves(epfd, fd)) return -1;
  const Inside inside;
  return engine().epoll_ctl(epfd, operation, fd, event);
}

int wait_for(const SetWait& wait) {
  if (is_inside()) return wait_in_kernel(wait);
  for (;;) {
    wake_dormant_in(wait.epfd);
    if (owner_of(wait.epfd) == Owner::set) return wait_in_pollux(wait);
    const int n = wait_in_kernel(wait);
    if (n <= 0 || hint == 0) return n;
    const int kept = without_hints(wait.events, n);
    if (kept != n) ring(wait.epfd, EPOLL_CTL_MOD);
    if (kept != 0) return kept;
  }
}

}  // namespace pollux::preload
