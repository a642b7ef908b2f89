// calls_kernel.cc - the kernel's side: libc's functions on the loopback of a fresh network
// namespace.
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/twin/calls.h"

namespace pollux::twin {
namespace {

// Both sides of TCP Fast Open; Linux has the client's unless somebody says more.
bool allow_fast_open() {
  const int fd = ::open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY);
  const bool is_set = ::write(fd, "3", 1) == 1;
  if (!is_set) std::perror("twin: net.ipv4.tcp_fastopen of the new network namespace");
  ::close(fd);
  return is_set;
}

// Without privileges the machine's own loopback serves as well; ports are always chosen by the
// kernel.
bool enter_fresh_namespace(const char*) {
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return true;
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool is_up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (!is_up) std::perror("twin: lo of the new network namespace");
  ::close(fd);
  return is_up && allow_fast_open();
}

int kernel_fcntl(int fd, int command, long argument) { return ::fcntl(fd, command, argument); }
int kernel_ioctl(int fd, unsigned long request, void* argument) {
  return ::ioctl(fd, request, argument);
}
int same_number(int fd) { return fd; }

}  // namespace

const Calls& kernel_calls() {
  static const Calls calls = {.name = "kernel",
                              .start = enter_fresh_namespace,
                              .stop = [] {},
                              .socket = ::socket,
                              .bind = ::bind,
                              .listen = ::listen,
                              .accept = ::accept,
                              .accept4 = ::accept4,
                              .connect = ::connect,
                              .shutdown = ::shutdown,
                              .getsockname = ::getsockname,
                              .getpeername = ::getpeername,
                              .getsockopt = ::getsockopt,
                              .setsockopt = ::setsockopt,
                              .read = ::read,
                              .readv = ::readv,
                              .recv = ::recv,
                              .recvfrom = ::recvfrom,
                              .recvmsg = ::recvmsg,
                              .write = ::write,
                              .writev = ::writev,
                              .send = ::send,
                              .sendto = ::sendto,
                              .sendmsg = ::sendmsg,
                              .close = ::close,
                              .dup = ::dup,
                              .dup2 = ::dup2,
                              .dup3 = ::dup3,
                              .fcntl = kernel_fcntl,
                              .ioctl = kernel_ioctl,
                              .epoll_create = ::epoll_create,
                              .epoll_create1 = ::epoll_create1,
                              .epoll_ctl = ::epoll_ctl,
                              .epoll_wait = ::epoll_wait,
                              .epoll_pwait = ::epoll_pwait,
                              .epoll_pwait2 = ::epoll_pwait2,
                              .poll = ::poll,
                              .ppoll = ::ppoll,
                              .select = ::select,
                              .pselect = ::pselect,
                              .kernel_fd = same_number};
  return calls;
}

}  // namespace pollux::twin
