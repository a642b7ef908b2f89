// process_calls.cc - fork, threads and the end of the process; and Pollux's own descriptors.
#include <sys/resource.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <memory>

#include "apps/preload/environment.h"
#include "apps/preload/route.h"
#include "apps/preload/sets.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

// In the child nothing that the parent's stack has is ours; notes are.
void lose_stack() {
  lose_engine();
  lose_sets();
  for (int fd = 0; fd <= highest_number; ++fd) {
    const Owner owner = owner_of(fd);
    if (owner == Owner::stack || owner == Owner::moving) set_owner(fd, Owner::lost);
    if (owner == Owner::set) set_owner(fd, Owner::kernel_set);
    if (owner != Owner::own) continue;
    libc().close(fd);  // a device must not outlive its stack
    set_owner(fd, Owner::kernel);
  }
}

// No other thread is in the middle of changing a table that the child gets a copy of.
void before_fork() {
  lock_engine();
  lock_notes();
  lock_sets();
  lock_sleepers();
}
void in_parent() {
  unlock_sleepers();
  unlock_sets();
  unlock_notes();
  unlock_engine();
}
void in_child() {
  lose_stack();
  forget_sleepers();
  in_parent();
}

[[gnu::constructor]] void begin() {
  environment();
  pthread_atfork(before_fork, in_parent, in_child);
}

// Programs end without closing: what they sent is delivered all the same.
[[gnu::destructor]] void end() { leave_stack(); }

struct Thread {
  void* (*run)(void*);
  void* argument;
};

// A thread of Pollux's or DPDK's, which is inside for good.
void* run_inside(void* given) {
  const std::unique_ptr<Thread> thread(static_cast<Thread*>(given));
  block_all_signals();
  const Inside inside;
  return thread->run(thread->argument);
}

}  // namespace

void set_owner(int fd, Owner owner) {
  if (fd < 0 || fd >= kNumbers) return;
  owners[fd].store(owner, std::memory_order_release);
  int highest = highest_number;
  while (owner != Owner::kernel && fd > highest &&
         !highest_number.compare_exchange_weak(highest, fd)) {
  }
}

void say(const char* text, const char* more) {
  const iovec line[] = {{const_cast<char*>("pollux: "), 8},
                        {const_cast<char*>(text), std::strlen(text)},
                        {const_cast<char*>(more), std::strlen(more)},
                        {const_cast<char*>("\n"), 1}};
  static_cast<void>(libc().writev(STDERR_FILENO, line, 4));
}

int opened(int fd) {
  if (fd >= 0 && !is_inside() && owner_of(fd) != Owner::kernel) forget(fd);
  if (fd < 0 || !is_inside()) return fd;
  const int high = own_duplicate(fd);
  if (high < 0) return fd;
  libc().close(fd);
  return high;
}

int own_duplicate(int fd) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto least = static_cast<int>(std::min<rlim_t>(kOwnNumbers, limit.rlim_cur / 2));
  const int high = libc().fcntl(fd, F_DUPFD_CLOEXEC, least);
  set_owner(high, Owner::own);
  return high;
}

}  // namespace pollux::preload

using namespace pollux::preload;

INTERPOSED pid_t fork(void) noexcept { return libc().fork(); }

// A child that shares its parent's memory would close its parent's sockets in our tables.
INTERPOSED pid_t vfork(void) noexcept { return libc().fork(); }

// The one that runs no handlers.
INTERPOSED pid_t _Fork(void) noexcept {
  before_fork();
  const pid_t child = libc()._Fork();
  child == 0 ? in_child() : in_parent();
  return child;
}

INTERPOSED int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* argument) noexcept {
  if (!is_inside()) return libc().pthread_create(thread, attributes, run, argument);
  auto given = std::make_unique<Thread>(Thread{run, argument});
  const int error = libc().pthread_create(thread, attributes, run_inside, given.get());
  if (error == 0) static_cast<void>(given.release());
  return error;
}

INTERPOSED int eventfd(unsigned count, int flags) noexcept {
  return opened(libc().eventfd(count, flags));
}
INTERPOSED int timerfd_create(clockid_t clock, int flags) noexcept {
  return opened(libc().timerfd_create(clock, flags));
}
INTERPOSED int memfd_create(const char* name, unsigned flags) noexcept {
  return opened(libc().memfd_create(name, flags));
}
INTERPOSED int pipe(int ends[2]) noexcept { return pipe2(ends, 0); }
INTERPOSED int pipe2(int ends[2], int flags) noexcept {
  const int result = libc().pipe2(ends, flags);
  if (result != 0) return result;
  ends[0] = opened(ends[0]);
  ends[1] = opened(ends[1]);
  return result;
}

INTERPOSED void _exit(int status) {
  leave_stack();
  libc()._exit(status);
  __builtin_unreachable();
}
INTERPOSED void _Exit(int status) noexcept { _exit(status); }

namespace {

int open_file(const char* path, int flags, va_list arguments) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const mode_t mode = has_mode ? va_arg(arguments, mode_t) : 0;
  return opened(libc().open64(path, flags, mode));
}

}  // namespace

INTERPOSED int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int fd = open_file(path, flags, arguments);
  va_end(arguments);
  return fd;
}
INTERPOSED int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int fd = open_file(path, flags, arguments);
  va_end(arguments);
  return fd;
}
