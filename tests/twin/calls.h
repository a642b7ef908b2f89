// calls.h - the calls that both twins offer, as one table: libc's for the kernel, plx_* for Pollux.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

namespace pollux::twin {

// A case sees only this table, so it cannot know on which side it runs.
struct Calls {
  const char* name;
  bool (*start)(const char* config);  // false: said why on standard error
  void (*stop)();

  int (*socket)(int domain, int type, int protocol);
  int (*bind)(int fd, const sockaddr* address, socklen_t length);
  int (*listen)(int fd, int backlog);
  int (*accept)(int fd, sockaddr* address, socklen_t* length);
  int (*accept4)(int fd, sockaddr* address, socklen_t* length, int flags);
  int (*connect)(int fd, const sockaddr* address, socklen_t length);
  int (*shutdown)(int fd, int how);
  int (*getsockname)(int fd, sockaddr* address, socklen_t* length);
  int (*getpeername)(int fd, sockaddr* address, socklen_t* length);
  int (*getsockopt)(int fd, int level, int name, void* value, socklen_t* length);
  int (*setsockopt)(int fd, int level, int name, const void* value, socklen_t length);

  ssize_t (*read)(int fd, void* buffer, size_t length);
  ssize_t (*readv)(int fd, const iovec* vector, int count);
  ssize_t (*recv)(int fd, void* buffer, size_t length, int flags);
  ssize_t (*recvfrom)(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                      socklen_t* from_length);
  ssize_t (*recvmsg)(int fd, msghdr* message, int flags);
  ssize_t (*write)(int fd, const void* buffer, size_t length);
  ssize_t (*writev)(int fd, const iovec* vector, int count);
  ssize_t (*send)(int fd, const void* buffer, size_t length, int flags);
  ssize_t (*sendto)(int fd, const void* buffer, size_t length, int flags, const sockaddr* to,
                    socklen_t to_length);
  ssize_t (*sendmsg)(int fd, const msghdr* message, int flags);

  int (*close)(int fd);
  int (*dup)(int fd);
  int (*dup2)(int from, int to);
  int (*dup3)(int from, int to, int flags);
  int (*fcntl)(int fd, int command, long argument);
  int (*ioctl)(int fd, unsigned long request, void* argument);

  int (*epoll_create)(int size);
  int (*epoll_create1)(int flags);
  int (*epoll_ctl)(int epfd, int operation, int fd, epoll_event* event);
  int (*epoll_wait)(int epfd, epoll_event* events, int maxevents, int timeout_ms);
  int (*epoll_pwait)(int epfd, epoll_event* events, int maxevents, int timeout_ms,
                     const sigset_t* mask);
  int (*epoll_pwait2)(int epfd, epoll_event* events, int maxevents, const timespec* timeout,
                      const sigset_t* mask);
  int (*poll)(pollfd* fds, nfds_t count, int timeout_ms);
  int (*ppoll)(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask);
  int (*select)(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set, timeval* timeout);
  int (*pselect)(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set,
                 const timespec* timeout, const sigset_t* mask);

  // The number under which this side's sets, poll and select know a descriptor of the kernel.
  int (*kernel_fd)(int fd);
};

const Calls& kernel_calls();
const Calls* pollux_calls();  // null in the program that is linked without the library

}  // namespace pollux::twin
