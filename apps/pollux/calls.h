// calls.h - the socket calls as a table, so that one program measures Pollux and the kernel alike.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>

#include "pollux/pollux.h"

namespace pollux::tool {

// What one turn of an event loop takes at most.
inline constexpr int kMaxEvents = 128;
inline constexpr unsigned kDatagramsPerWake = 64;  // from one socket

// Signatures, results and errno are those of the calls' man pages for both tables.
struct SocketCalls {
  const char* name;
  int (*socket)(int, int, int);
  int (*bind)(int, const sockaddr*, socklen_t);
  int (*listen)(int, int);
  int (*accept4)(int, sockaddr*, socklen_t*, int);
  int (*connect)(int, const sockaddr*, socklen_t);
  int (*getsockopt)(int, int, int, void*, socklen_t*);
  int (*setsockopt)(int, int, int, const void*, socklen_t);
  ssize_t (*recv)(int, void*, std::size_t, int);
  ssize_t (*recvfrom)(int, void*, std::size_t, int, sockaddr*, socklen_t*);
  ssize_t (*send)(int, const void*, std::size_t, int);
  ssize_t (*sendto)(int, const void*, std::size_t, int, const sockaddr*, socklen_t);
  int (*close)(int);
  int (*epoll_create1)(int);
  int (*epoll_ctl)(int, int, int, epoll_event*);
  int (*epoll_wait)(int, epoll_event*, int, int);
};

inline constexpr SocketCalls kKernelCalls = {
    .name = "kernel",
    .socket = ::socket,
    .bind = ::bind,
    .listen = ::listen,
    .accept4 = ::accept4,
    .connect = ::connect,
    .getsockopt = ::getsockopt,
    .setsockopt = ::setsockopt,
    .recv = ::recv,
    .recvfrom = ::recvfrom,
    .send = ::send,
    .sendto = ::sendto,
    .close = ::close,
    .epoll_create1 = ::epoll_create1,
    .epoll_ctl = ::epoll_ctl,
    .epoll_wait = ::epoll_wait,
};

inline constexpr SocketCalls kPolluxCalls = {
    .name = "pollux",
    .socket = plx_socket,
    .bind = plx_bind,
    .listen = plx_listen,
    .accept4 = plx_accept4,
    .connect = plx_connect,
    .getsockopt = plx_getsockopt,
    .setsockopt = plx_setsockopt,
    .recv = plx_recv,
    .recvfrom = plx_recvfrom,
    .send = plx_send,
    .sendto = plx_sendto,
    .close = plx_close,
    .epoll_create1 = plx_epoll_create1,
    .epoll_ctl = plx_epoll_ctl,
    .epoll_wait = plx_epoll_wait,
};

}  // namespace pollux::tool
