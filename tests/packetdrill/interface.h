// interface.h - what packetdrill calls an external stack by: 33 slots and one symbol.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>

extern "C" {

// Filled in by the library; each call takes `userdata` first and then what libc's takes.
struct packetdrill_interface {
  void* userdata;
  void (*free)(void* userdata);
  int (*socket)(void* userdata, int domain, int type, int protocol);
  int (*bind)(void* userdata, int fd, const sockaddr* address, socklen_t length);
  int (*listen)(void* userdata, int fd, int backlog);
  int (*accept)(void* userdata, int fd, sockaddr* address, socklen_t* length);
  int (*connect)(void* userdata, int fd, const sockaddr* address, socklen_t length);
  ssize_t (*read)(void* userdata, int fd, void* buffer, size_t length);
  ssize_t (*readv)(void* userdata, int fd, const iovec* vector, int count);
  ssize_t (*recv)(void* userdata, int fd, void* buffer, size_t length, int flags);
  ssize_t (*recvfrom)(void* userdata, int fd, void* buffer, size_t length, int flags,
                      sockaddr* from, socklen_t* from_length);
  ssize_t (*recvmsg)(void* userdata, int fd, msghdr* message, int flags);
  ssize_t (*write)(void* userdata, int fd, const void* buffer, size_t length);
  ssize_t (*writev)(void* userdata, int fd, const iovec* vector, int count);
  ssize_t (*send)(void* userdata, int fd, const void* buffer, size_t length, int flags);
  ssize_t (*sendto)(void* userdata, int fd, const void* buffer, size_t length, int flags,
                    const sockaddr* to, socklen_t to_length);
  ssize_t (*sendmsg)(void* userdata, int fd, const msghdr* message, int flags);
  int (*fcntl)(void* userdata, int fd, int command, ...);
  int (*ioctl)(void* userdata, int fd, unsigned long request, ...);
  int (*close)(void* userdata, int fd);
  int (*shutdown)(void* userdata, int fd, int how);
  int (*getsockopt)(void* userdata, int fd, int level, int name, void* value, socklen_t* length);
  int (*setsockopt)(void* userdata, int fd, int level, int name, const void* value,
                    socklen_t length);
  int (*poll)(void* userdata, pollfd* fds, nfds_t count, int timeout_ms);
  // An IP packet comes to the stack.
  int (*netdev_send)(void* userdata, const void* packet, size_t length);
  // The next IP packet that the stack sends, and when; with length 0 and -1: none will come.
  int (*netdev_receive)(void* userdata, void* packet, size_t* length, long long* time_usecs);
  int (*usleep)(void* userdata, useconds_t usecs);
  int (*gettimeofday)(void* userdata, timeval* time, struct timezone* zone);
  int (*epoll_create)(void* userdata, int size);
  int (*epoll_ctl)(void* userdata, int epfd, int operation, int fd, epoll_event* event);
  int (*epoll_wait)(void* userdata, int epfd, epoll_event* events, int count, int timeout_ms);
  int (*pipe)(void* userdata, int fds[2]);
  ssize_t (*splice)(void* userdata, int from, loff_t* from_offset, int to, loff_t* to_offset,
                    size_t length, unsigned flags);
};
static_assert(sizeof(packetdrill_interface) == 33 * sizeof(void*));

using packetdrill_interface_init_t = void (*)(const char* flags, packetdrill_interface* interface);
}

namespace pollux::packetdrill {

// What our own runner can do with a stack in its own process, and the table has no slot for.
struct Extras {
  int (*accept4)(void* userdata, int fd, sockaddr* address, socklen_t* length, int flags);
  int (*getsockname)(void* userdata, int fd, sockaddr* address, socklen_t* length);
  int (*getpeername)(void* userdata, int fd, sockaddr* address, socklen_t* length);
  int (*dup)(void* userdata, int fd);
  // How many calls of other threads are asleep inside.
  unsigned (*asleep)(void* userdata);
  // How many packets have been sent that netdev_receive has not returned.
  std::size_t (*pending)(void* userdata);
};

}  // namespace pollux::packetdrill
