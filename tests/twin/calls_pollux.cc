// calls_pollux.cc - Pollux's side: the public header's functions on the stack's own loopback.
#include <cstdio>

#include "pollux/pollux.h"
#include "tests/twin/calls.h"

namespace pollux::twin {
namespace {

bool start(const char* config) {
  // As the kernel's net.core.busy_read, which is 0 unless somebody sets it, and the tcp_fastopen of
  // the namespace that the other side makes.
  const char* const settings[] = {"stack.busy_read=0", "tcp.fastopen=3", nullptr};
  if (plx_init(config, settings) == 0) return true;
  std::fprintf(stderr, "twin: plx_init(%s): %s\n", config, plx_error());
  return false;
}

int pollux_fcntl(int fd, int command, long argument) { return plx_fcntl(fd, command, argument); }
int pollux_ioctl(int fd, unsigned long request, void* argument) {
  return plx_ioctl(fd, request, argument);
}

}  // namespace

const Calls* pollux_calls() {
  static const Calls calls = {.name = "Pollux",
                              .start = start,
                              .stop = plx_exit,
                              .socket = plx_socket,
                              .bind = plx_bind,
                              .listen = plx_listen,
                              .accept = plx_accept,
                              .accept4 = plx_accept4,
                              .connect = plx_connect,
                              .shutdown = plx_shutdown,
                              .getsockname = plx_getsockname,
                              .getpeername = plx_getpeername,
                              .getsockopt = plx_getsockopt,
                              .setsockopt = plx_setsockopt,
                              .read = plx_read,
                              .readv = plx_readv,
                              .recv = plx_recv,
                              .recvfrom = plx_recvfrom,
                              .recvmsg = plx_recvmsg,
                              .write = plx_write,
                              .writev = plx_writev,
                              .send = plx_send,
                              .sendto = plx_sendto,
                              .sendmsg = plx_sendmsg,
                              .close = plx_close,
                              .dup = plx_dup,
                              .dup2 = plx_dup2,
                              .dup3 = plx_dup3,
                              .fcntl = pollux_fcntl,
                              .ioctl = pollux_ioctl,
                              .epoll_create = plx_epoll_create,
                              .epoll_create1 = plx_epoll_create1,
                              .epoll_ctl = plx_epoll_ctl,
                              .epoll_wait = plx_epoll_wait,
                              .epoll_pwait = plx_epoll_pwait,
                              .epoll_pwait2 = plx_epoll_pwait2,
                              .poll = plx_poll,
                              .ppoll = plx_ppoll,
                              .select = plx_select,
                              .pselect = plx_pselect,
                              .kernel_fd = plx_kernel_fd};
  return &calls;
}

}  // namespace pollux::twin
