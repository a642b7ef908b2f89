// sets.cc - the other half of a set, and the bell that brings sleepers over to it.
//
// Adopting is done for all numbers of a set, and before for the sets that it is in: there it moves
// from the kernel's half to Pollux's, for only that one hears both of its halves. A thread may
// sleep in the kernel's epoll_wait just then: the bell, an eventfd that is always readable, is in
// the set until the last such sleeper has gone over.
#include "apps/preload/sets.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/cancel.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

struct Outer {
  int epfd;
  epoll_event event;
};
struct Set {
  std::vector<int> numbers;
  std::vector<Outer> outers;  // the sets it is in, while it has but the kernel's half
  int kernel_files = 0;       // registered in the kernel's half; at most, for a close takes one out
};
struct Sets {
  std::mutex mutex;
  std::vector<Set> all;
  int bell = -1;
};
Sets& sets() {
  static Sets& instance = *std::make_unique<Sets>().release();
  return instance;
}

std::atomic<std::uint64_t> hint{0};           // 0: no set has two halves
std::atomic<std::uint16_t> asleep[kNumbers];  // threads in the kernel's epoll_wait, by number

// The mutex is held.
Set* set_of(int fd) {
  for (Set& set : sets().all) {
    if (std::find(set.numbers.begin(), set.numbers.end(), fd) != set.numbers.end()) return &set;
  }
  return nullptr;
}

bool has_sleepers(const Set& set) {
  return std::any_of(set.numbers.begin(), set.numbers.end(),
                     [](int fd) { return asleep[fd] != 0; });
}

// The mutex is held.
int bell() {
  if (sets().bell < 0) {
    const Inside inside;
    sets().bell = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  }
  return sets().bell;
}

// The mutex is held.
int control_kernels_locked(int epfd, int operation, int fd, epoll_event* event) {
  const int result = libc().epoll_ctl(epfd, operation, fd, event);
  Set* const set = set_of(epfd);
  if (result != 0 || !set || operation == EPOLL_CTL_MOD) return result;
  const int change = operation == EPOLL_CTL_ADD ? 1 : -1;
  set->kernel_files += change;
  if (owner_of(epfd) == Owner::set) engine().count_kernel_files(epfd, change);
  return result;
}

void hang_bell(int epfd, int operation) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = hint}};
  libc().epoll_ctl(epfd, operation, bell(), &event);
}

// The last one to leave takes the bell down; ENOENT: somebody has.
void leave_kernel(int epfd) {
  const Inside inside;
  --asleep[epfd];
  if (owner_of(epfd) != Owner::set) return;
  const std::lock_guard lock(sets().mutex);
  const Set* const set = set_of(epfd);
  if (set && !has_sleepers(*set)) hang_bell(epfd, EPOLL_CTL_DEL);
}

// Also what a thread does that is cancelled there.
void leave_kernel_of(void* wait) {
  const int error = errno;
  leave_kernel(static_cast<SetWait*>(wait)->epfd);
  errno = error;
}

bool adopt(Set& set);

// The mutex is held.
bool have_both_halves(int epfd) {
  if (owner_of(epfd) == Owner::set) return true;
  Set* const set = set_of(epfd);
  if (set && owner_of(epfd) == Owner::kernel_set) return adopt(*set);
  errno = fcntl(epfd, F_GETFD) < 0 ? EBADF : EINVAL;
  return false;
}

// From the outer set's half in the kernel to its half in Pollux.
void move_into_outers(Set& set) {
  for (Outer outer : set.outers) {
    const int fd = set.numbers.front();
    control_kernels_locked(outer.epfd, EPOLL_CTL_DEL, fd, &outer.event);
    if (have_both_halves(outer.epfd))
      engine().epoll_ctl(outer.epfd, EPOLL_CTL_ADD, fd, &outer.event);
  }
  set.outers.clear();
}

bool adopt(Set& set) {
  const Inside inside;
  const int fd = set.numbers.front();
  const int duplicate = own_duplicate(fd);
  if (duplicate < 0) return false;
  if (engine().adopt_epoll(fd, duplicate) != 0) {
    close(duplicate);
    return false;
  }
  for (const int number : std::span(set.numbers).subspan(1)) {
    const OfferedNumber offered(number);
    engine().fcntl(fd, F_DUPFD, 0);
  }
  engine().count_kernel_files(fd, set.kernel_files);
  hint = engine().epoll_hint();
  for (const int number : set.numbers) set_owner(number, Owner::set);
  if (has_sleepers(set)) hang_bell(fd, EPOLL_CTL_ADD);
  if (!has_sleepers(set)) hang_bell(fd, EPOLL_CTL_DEL);
  move_into_outers(set);
  return true;
}

int wait_in_pollux(const SetWait& w) {
  return cancellable([&w] {
    if (!w.has_timespec) {
      return engine().epoll_pwait(w.epfd, w.events, w.max_events, w.timeout_ms, w.mask);
    }
    return engine().epoll_pwait2(w.epfd, w.events, w.max_events, w.timeout, w.mask);
  });
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

int wait_in_kernel_and_leave(const SetWait& wait) {
  int result;
  pthread_cleanup_push(leave_kernel_of, const_cast<SetWait*>(&wait));
  result = wait_in_kernel(wait);
  pthread_cleanup_pop(1);
  return result;
}

// True: `result` is the answer. False: the set has got its other half meanwhile.
bool wait_until_adopted(const SetWait& wait, int& result) {
  ++asleep[wait.epfd];
  if (owner_of(wait.epfd) == Owner::set) {
    leave_kernel(wait.epfd);
    return false;
  }
  result = wait_in_kernel_and_leave(wait);
  if (result <= 0 || hint == 0) return true;
  result = without_hints(wait.events, result);
  return result != 0;
}

}  // namespace

void note_set(int fd) {
  if (fd < 0 || fd >= kNumbers) return;
  const std::lock_guard lock(sets().mutex);
  sets().all.push_back({.numbers = {fd}, .outers = {}, .kernel_files = 0});
  set_owner(fd, Owner::kernel_set);
}

void note_set_duplicate(int fd, int duplicate) {
  const std::lock_guard lock(sets().mutex);
  Set* const set = set_of(fd);
  if (!set) return;
  set->numbers.push_back(duplicate);
  set_owner(duplicate, owner_of(fd));
}

void note_set_close(int fd) {
  forget_watches(fd);
  const std::lock_guard lock(sets().mutex);
  set_owner(fd, Owner::kernel);
  for (Set& set : sets().all) {
    std::erase(set.numbers, fd);
    std::erase_if(set.outers, [fd](const Outer& outer) { return outer.epfd == fd; });
  }
  std::erase_if(sets().all, [](const Set& set) { return set.numbers.empty(); });
}

int control_stacks(int epfd, int operation, int fd, epoll_event* event) {
  if (owner_of(epfd) != Owner::set) {
    const std::lock_guard lock(sets().mutex);
    if (!have_both_halves(epfd)) return -1;
  }
  const Inside inside;
  return engine().epoll_ctl(epfd, operation, fd, event);
}

int control_kernels(int epfd, int operation, int fd, epoll_event* event) {
  const std::lock_guard lock(sets().mutex);
  return control_kernels_locked(epfd, operation, fd, event);
}

int control_kernel_set(int epfd, int operation, int fd, epoll_event* event) {
  const std::lock_guard lock(sets().mutex);
  const int result = control_kernels_locked(epfd, operation, fd, event);
  Set* const set = set_of(fd);
  if (result != 0 || !set) return result;
  std::erase_if(set->outers, [epfd](const Outer& outer) { return outer.epfd == epfd; });
  if (operation != EPOLL_CTL_DEL) set->outers.push_back({epfd, *event});
  return result;
}

int wait_for(const SetWait& wait) {
  const Owner owner = owner_of(wait.epfd);
  if (is_inside() || (owner != Owner::set && owner != Owner::kernel_set)) {
    return wait_in_kernel(wait);
  }
  int result = 0;
  for (;;) {
    wake_dormant_in(wait.epfd);
    if (owner_of(wait.epfd) == Owner::set) return wait_in_pollux(wait);
    if (wait_until_adopted(wait, result)) return result;
  }
}

void lock_sets() { sets().mutex.lock(); }
void unlock_sets() { sets().mutex.unlock(); }
void lose_sets() {
  sets().bell = -1;
  for (const Set& set : sets().all) {
    for (const int fd : set.numbers) asleep[fd] = 0;
  }
}

}  // namespace pollux::preload
