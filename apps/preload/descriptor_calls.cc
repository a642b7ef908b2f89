// descriptor_calls.cc - close, dup, fcntl, ioctl, fstat and the like, interposed.
#include <algorithm>
#include <cstdarg>
#include <cstring>

#include "apps/preload/route.h"
#include "apps/preload/sets.h"
#include "apps/preload/undecided.h"

using namespace pollux::preload;

namespace {

// The kernel has made `duplicate` of `fd`; the caller's error number stays.
int note_new(int fd, int duplicate) {
  if (duplicate < 0 || is_inside() || duplicate == fd) return duplicate;
  const int error = errno;
  forget(duplicate);
  const Owner owner = settled_owner(fd);
  if (is_note(owner)) note_duplicate(fd, duplicate);
  if (owner == Owner::lost) set_owner(duplicate, owner);
  if (owner == Owner::kernel_set || owner == Owner::set) note_set_duplicate(fd, duplicate);
  if (owner == Owner::stack || owner == Owner::set) {
    const Inside inside;
    const OfferedNumber offered(duplicate);
    engine().fcntl(fd, F_DUPFD, 0);
    set_owner(duplicate, owner);
  }
  errno = error;
  return duplicate;
}

int control(int fd, int command, void* argument) {
  if (!is_programs(fd)) return -1;
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      return note_new(fd, libc().fcntl(fd, command, argument));
    case F_GETFL:
    case F_SETFL:
      return route(&Libc::fcntl, &Engine::fcntl, fd, command, argument);
    default:
      return libc().fcntl(fd, command, argument);
  }
}

// A cancellation ends its wait for SO_LINGER; nothing ends it half closed.
int close_owned(int fd) {
  const Owner owner = settled_owner(fd);
  if (owner == Owner::stack || owner == Owner::set) {
    return cancellable([=] {
      if (owner == Owner::set) note_set_close(fd);
      return engine().close(fd);
    });
  }
  pthread_testcancel();
  const Inside inside;
  forget(fd);
  return libc().close(fd);
}

// Closes what is the program's of the numbers up to the highest that has an owner.
void close_known(unsigned first, unsigned last) {
  for (unsigned number = first; number <= last; ++number) {
    const int fd = static_cast<int>(number);
    const Owner owner = owner_of(fd);
    if (owner != Owner::own) owner == Owner::kernel ? libc().close(fd) : close_owned(fd);
  }
}

int close_numbers(unsigned first, unsigned last, int flags) {
  const int highest = highest_number;
  const bool leaves_open = (flags & CLOSE_RANGE_CLOEXEC) != 0 || first > last;
  if (is_inside() || leaves_open || highest < 0 || first > static_cast<unsigned>(highest)) {
    return libc().close_range(first, last, flags);
  }
  const unsigned known = std::min(last, static_cast<unsigned>(highest));
  close_known(first, known);
  return known == last ? 0 : libc().close_range(known + 1, last, flags);
}

// For Pollux alone.
int close_own(int fd) {
  if (!is_programs(fd)) return -1;
  set_owner(fd, Owner::kernel);
  return libc().close(fd);
}

// An accepted socket's placeholder is no socket to the kernel.
int as_socket(int fd, int result, struct stat* status) {
  if (result == 0 && !is_inside() && owner_of(fd) == Owner::stack) {
    status->st_mode = S_IFSOCK | 0777;
  }
  return result;
}

}  // namespace

namespace pollux::preload {

void forget(int fd) {
  const Owner owner = owner_of(fd);
  if (owner == Owner::kernel) return;
  if (is_note(owner)) return note_close(fd);
  if (owner == Owner::kernel_set || owner == Owner::set) note_set_close(fd);
  set_owner(fd, Owner::kernel);
  if (owner == Owner::lost || owner == Owner::kernel_set) return;
  const Inside inside;
  engine().forget(fd);
}

}  // namespace pollux::preload

INTERPOSED int close(int fd) {
  const Owner owner = owner_of(fd);
  if (owner == Owner::own) return close_own(fd);
  return is_inside() || owner == Owner::kernel ? libc().close(fd) : close_owned(fd);
}

INTERPOSED int close_range(unsigned first, unsigned last, int flags) noexcept {
  return close_numbers(first, last, flags);
}
INTERPOSED void closefrom(int first) noexcept {
  close_numbers(static_cast<unsigned>(std::max(first, 0)), ~0u, 0);
}

INTERPOSED int dup(int fd) noexcept { return is_programs(fd) ? note_new(fd, libc().dup(fd)) : -1; }
INTERPOSED int dup2(int from, int to) noexcept {
  return is_programs(from) && is_programs(to) ? note_new(from, libc().dup2(from, to)) : -1;
}
INTERPOSED int dup3(int from, int to, int flags) noexcept {
  return is_programs(from) && is_programs(to) ? note_new(from, libc().dup3(from, to, flags)) : -1;
}

INTERPOSED int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return control(fd, command, argument);
}

INTERPOSED int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (!is_programs(fd)) return -1;
  if (request == FIOCLEX || request == FIONCLEX) return libc().ioctl(fd, request, argument);
  return route(&Libc::ioctl, &Engine::ioctl, fd, request, argument);
}

INTERPOSED int fstat(int fd, struct stat* status) noexcept {
  return is_programs(fd) ? as_socket(fd, libc().fstat(fd, status), status) : -1;
}
INTERPOSED int fstatat(int fd, const char* path, struct stat* status, int flags) noexcept {
  const int result = libc().fstatat(fd, path, status, flags);
  const bool is_of_descriptor = (flags & AT_EMPTY_PATH) != 0 && *path == '\0';
  return is_of_descriptor ? as_socket(fd, result, status) : result;
}
INTERPOSED int statx(int fd, const char* path, int flags, unsigned mask,
                     struct statx* status) noexcept {
  const int result = libc().statx(fd, path, flags, mask, status);
  const bool is_of_descriptor = (flags & AT_EMPTY_PATH) != 0 && *path == '\0';
  if (result == 0 && is_of_descriptor && !is_inside() && owner_of(fd) == Owner::stack) {
    status->stx_mode = S_IFSOCK | 0777;
  }
  return result;
}
INTERPOSED int isfdtype(int fd, int type) noexcept {
  struct stat status;
  return fstat(fd, &status) == 0 ? (status.st_mode & S_IFMT) == static_cast<unsigned>(type) : -1;
}

INTERPOSED off_t lseek(int fd, off_t offset, int whence) noexcept {
  return refuse(ESPIPE, &Libc::lseek, fd, offset, whence);
}
INTERPOSED int fsync(int fd) { return refuse_blocking(EINVAL, &Libc::fsync, fd); }
INTERPOSED int fdatasync(int fd) { return refuse_blocking(EINVAL, &Libc::fdatasync, fd); }
INTERPOSED int ftruncate(int fd, off_t length) noexcept {
  return refuse(EINVAL, &Libc::ftruncate, fd, length);
}
