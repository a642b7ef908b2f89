// calls.h - the list of libc's calls that are interposed, and libc's own versions of them.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" pid_t _Fork(void) noexcept;

// What can reach a socket or a set. Variants (__read_chk, pread64, __poll ...) lead to one of
// these.
// clang-format off
#define PRELOAD_SOCKET_CALLS(X)                                                          \
  X(socket) X(bind) X(listen) X(accept) X(accept4) X(connect) X(shutdown) X(getsockname) \
  X(getpeername) X(getsockopt) X(setsockopt) X(sockatmark)
#define PRELOAD_DATA_CALLS(X)                                                               \
  X(read) X(readv) X(pread) X(preadv) X(preadv2) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) \
  X(write) X(writev) X(pwrite) X(pwritev) X(pwritev2) X(send) X(sendto) X(sendmsg)          \
  X(sendmmsg) X(sendfile) X(splice) X(tee) X(vmsplice) X(copy_file_range)
#define PRELOAD_DESCRIPTOR_CALLS(X)                                                      \
  X(close) X(close_range) X(closefrom) X(dup) X(dup2) X(dup3) X(fcntl) X(ioctl) X(fstat) \
  X(fstatat) X(statx) X(lseek) X(fsync) X(fdatasync) X(ftruncate) X(isfdtype)
#define PRELOAD_WAIT_CALLS(X)                                                       \
  X(poll) X(ppoll) X(select) X(pselect) X(epoll_create) X(epoll_create1)            \
  X(epoll_ctl) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2)
#define PRELOAD_PROCESS_CALLS(X)                                                                 \
  X(fork) X(vfork) X(_Fork) X(_exit) X(pthread_create) X(pthread_cancel) X(sigaction) X(syscall) \
  X(setuid) X(setreuid) X(setresuid)
#define PRELOAD_STDIO_CALLS(X) X(fdopen) X(fileno) X(vdprintf)
// Only so that descriptors of Pollux's own are out of the program's way.
#define PRELOAD_CREATING_CALLS(X) \
  X(eventfd) X(timerfd_create) X(memfd_create) X(pipe) X(pipe2) X(open) X(open64)

#define PRELOAD_CALLS(X)                                                     \
  PRELOAD_SOCKET_CALLS(X) PRELOAD_DATA_CALLS(X) PRELOAD_DESCRIPTOR_CALLS(X)  \
  PRELOAD_WAIT_CALLS(X) PRELOAD_PROCESS_CALLS(X) PRELOAD_STDIO_CALLS(X)      \
  PRELOAD_CREATING_CALLS(X)
// clang-format on

// Visible, where everything else of the library is hidden.
#define INTERPOSED extern "C" __attribute__((visibility("default")))

namespace pollux::preload {

struct Libc {
#define PRELOAD_POINTER(name) decltype(&::name) name;
  PRELOAD_CALLS(PRELOAD_POINTER)
#undef PRELOAD_POINTER
};

// Usable before any constructor has run: some other library's may call us.
const Libc& libc();

}  // namespace pollux::preload
