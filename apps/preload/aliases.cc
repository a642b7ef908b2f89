// aliases.cc - libc's other names for interposed calls: with 64, with __, and the checked ones.
#include <cstdarg>

#include "apps/preload/calls.h"

extern "C" [[noreturn]] void __chk_fail() noexcept;

// Of glibc's ABI; its headers do not declare most of them.
#define ALIAS(result, name, parameters, call) \
  INTERPOSED result name parameters;          \
  INTERPOSED result name parameters { return call; }
#define ALIAS_NOEXCEPT(result, name, parameters, call) \
  INTERPOSED result name parameters noexcept;          \
  INTERPOSED result name parameters noexcept { return call; }
#define CHECKED(result, name, parameters, length, room, call) \
  INTERPOSED result name parameters;                          \
  INTERPOSED result name parameters {                         \
    if ((length) > (room)) __chk_fail();                      \
    return call;                                              \
  }

using Size = std::size_t;

ALIAS(ssize_t, __read, (int fd, void* buffer, Size length), read(fd, buffer, length))
ALIAS(ssize_t, __write, (int fd, const void* buffer, Size length), write(fd, buffer, length))
ALIAS(int, __close, (int fd), close(fd))
ALIAS(int, __connect, (int fd, const sockaddr* to, socklen_t length), connect(fd, to, length))
ALIAS(ssize_t, __send, (int fd, const void* buffer, Size length, int flags),
      send(fd, buffer, length, flags))
ALIAS(ssize_t, __recv, (int fd, void* buffer, Size length, int flags),
      recv(fd, buffer, length, flags))
ALIAS(int, __sendmmsg, (int fd, mmsghdr* messages, unsigned count, int flags),
      sendmmsg(fd, messages, count, flags))
ALIAS(int, __socket, (int domain, int type, int protocol), socket(domain, type, protocol))
ALIAS(int, __poll, (pollfd * fds, nfds_t count, int timeout), poll(fds, count, timeout))
ALIAS(int, __select, (int n, fd_set* read, fd_set* write, fd_set* except, timeval* timeout),
      select(n, read, write, except, timeout))
ALIAS(int, __dup2, (int from, int to), dup2(from, to))
ALIAS(pid_t, __fork, (), fork())
ALIAS(pid_t, __libc_fork, (), fork())
ALIAS(pid_t, __vfork, (), vfork())
ALIAS(int, __pipe, (int* ends), pipe(ends))

ALIAS(int, __sigaction, (int number, const struct sigaction* wanted, struct sigaction* before),
      sigaction(number, wanted, before))
ALIAS_NOEXCEPT(sighandler_t, bsd_signal, (int number, sighandler_t handler),
               signal(number, handler))
ALIAS_NOEXCEPT(sighandler_t, ssignal, (int number, sighandler_t handler), signal(number, handler))
ALIAS_NOEXCEPT(sighandler_t, __sysv_signal, (int number, sighandler_t handler),
               sysv_signal(number, handler))

CHECKED(ssize_t, __read_chk, (int fd, void* buffer, Size length, Size room), length, room,
        read(fd, buffer, length))
CHECKED(ssize_t, __pread_chk, (int fd, void* buffer, Size length, off_t offset, Size room), length,
        room, pread(fd, buffer, length, offset))
CHECKED(ssize_t, __pread64_chk, (int fd, void* buffer, Size length, off_t offset, Size room),
        length, room, pread(fd, buffer, length, offset))
CHECKED(ssize_t, __recv_chk, (int fd, void* buffer, Size length, Size room, int flags), length,
        room, recv(fd, buffer, length, flags))
CHECKED(ssize_t, __recvfrom_chk,
        (int fd, void* buffer, Size length, Size room, int flags, sockaddr* from, socklen_t* size),
        length, room, recvfrom(fd, buffer, length, flags, from, size))
CHECKED(int, __poll_chk, (pollfd * fds, nfds_t count, int timeout, Size room), count,
        room / sizeof *fds, poll(fds, count, timeout))
CHECKED(int, __ppoll_chk,
        (pollfd * fds, nfds_t count, const timespec* timeout, const sigset_t* mask, Size room),
        count, room / sizeof *fds, ppoll(fds, count, timeout, mask))

ALIAS(int, __vdprintf_chk, (int fd, int, const char* format, va_list arguments),
      vdprintf(fd, format, arguments))
INTERPOSED int __dprintf_chk(int fd, int flag, const char* format, ...);
INTERPOSED int __dprintf_chk(int fd, int, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vdprintf(fd, format, arguments);
  va_end(arguments);
  return length;
}

static_assert(sizeof(off_t) == 8);
ALIAS(ssize_t, pread64, (int fd, void* buffer, Size length, off64_t offset),
      pread(fd, buffer, length, offset))
ALIAS(ssize_t, pwrite64, (int fd, const void* buffer, Size length, off64_t offset),
      pwrite(fd, buffer, length, offset))
ALIAS(ssize_t, __pread64, (int fd, void* buffer, Size length, off64_t offset),
      pread(fd, buffer, length, offset))
ALIAS(ssize_t, __pwrite64, (int fd, const void* buffer, Size length, off64_t offset),
      pwrite(fd, buffer, length, offset))
ALIAS(ssize_t, preadv64, (int fd, const iovec* vector, int count, off64_t offset),
      preadv(fd, vector, count, offset))
ALIAS(ssize_t, pwritev64, (int fd, const iovec* vector, int count, off64_t offset),
      pwritev(fd, vector, count, offset))
ALIAS(ssize_t, preadv64v2, (int fd, const iovec* vector, int count, off64_t offset, int flags),
      preadv2(fd, vector, count, offset, flags))
ALIAS(ssize_t, pwritev64v2, (int fd, const iovec* vector, int count, off64_t offset, int flags),
      pwritev2(fd, vector, count, offset, flags))
ALIAS_NOEXCEPT(ssize_t, sendfile64, (int out, int in, off64_t* offset, Size count),
               sendfile(out, in, offset, count))
ALIAS_NOEXCEPT(off64_t, lseek64, (int fd, off64_t offset, int whence), lseek(fd, offset, whence))
ALIAS_NOEXCEPT(off64_t, __lseek, (int fd, off64_t offset, int whence), lseek(fd, offset, whence))
ALIAS_NOEXCEPT(int, ftruncate64, (int fd, off64_t length), ftruncate(fd, length))

namespace {
struct stat* as_stat(struct stat64* status) {
  return reinterpret_cast<struct stat*>(status);
}
}  // namespace
ALIAS_NOEXCEPT(int, fstat64, (int fd, struct stat64* status), fstat(fd, as_stat(status)))
ALIAS_NOEXCEPT(int, __fstat64, (int fd, struct stat64* status), fstat(fd, as_stat(status)))
ALIAS_NOEXCEPT(int, fstatat64, (int fd, const char* path, struct stat64* status, int flags),
               fstatat(fd, path, as_stat(status), flags))
// Programs built against a glibc before 2.33; the first parameter is the version of the structure.
ALIAS_NOEXCEPT(int, __fxstat, (int, int fd, struct stat* status), fstat(fd, status))
ALIAS_NOEXCEPT(int, __fxstat64, (int, int fd, struct stat64* status), fstat(fd, as_stat(status)))
ALIAS_NOEXCEPT(int, __fxstatat, (int, int fd, const char* path, struct stat* status, int flags),
               fstatat(fd, path, status, flags))
ALIAS_NOEXCEPT(int, __fxstatat64, (int, int fd, const char* path, struct stat64* status, int flags),
               fstatat(fd, path, as_stat(status), flags))

#define VARIADIC_FCNTL(name)                         \
  INTERPOSED int name(int fd, int command, ...);     \
  INTERPOSED int name(int fd, int command, ...) {    \
    va_list arguments;                               \
    va_start(arguments, command);                    \
    void* const argument = va_arg(arguments, void*); \
    va_end(arguments);                               \
    return fcntl(fd, command, argument);             \
  }
VARIADIC_FCNTL(fcntl64)
VARIADIC_FCNTL(__fcntl)
