// socket_calls.cc - socket to setsockopt, interposed: where it is decided whose a socket is.
#include <netinet/in.h>

#include <cstring>

#include "apps/preload/route.h"
#include "apps/preload/rules.h"
#include "apps/preload/undecided.h"

using namespace pollux::preload;

namespace {

constexpr int kTypeMask = 0xf;

// TCP and UDP; what is more special than that stays the kernel's.
bool may_be_stacks(int domain, int type, int protocol) {
  if (domain != AF_INET && domain != AF_INET6) return false;
  if ((type & kTypeMask) == SOCK_STREAM) return protocol == 0 || protocol == IPPROTO_TCP;
  return (type & kTypeMask) == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP);
}

bool is_undecided(int fd) { return !is_inside() && is_note(owner_of(fd)); }

int accept_on_stack(int fd, sockaddr* address, socklen_t* length, int flags) {
  const CloseOnExecPlaceholders placeholders((flags & SOCK_CLOEXEC) != 0);
  return blocking([=] { return engine().accept4(fd, address, length, flags); });
}

}  // namespace

INTERPOSED int socket(int domain, int type, int protocol) noexcept {
  const int fd = opened(libc().socket(domain, type, protocol));
  if (fd < 0 || is_inside()) return fd;
  if (may_be_stacks(domain, type, protocol) && has_rules() && fd < kNumbers) {
    note_socket(fd, domain, type & kTypeMask, protocol);
  }
  return fd;
}

INTERPOSED int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (is_undecided(fd) && !engine_runs() && is_stacks(Use::at, address, length)) {
    return bind_dormant(fd, address, length);
  }
  if (is_undecided(fd) && decide(fd, Use::at, address, length) == Turn::nobodys) return -1;
  return route(&Libc::bind, &Engine::bind, fd, address, length);
}

// Unbound, it will listen on any address.
INTERPOSED int listen(int fd, int backlog) noexcept {
  if (is_undecided(fd)) {
    const sockaddr_in any{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    const auto* address = reinterpret_cast<const sockaddr*>(&any);
    if (!engine_runs() && is_stacks(Use::at, address, sizeof any)) {
      return listen_dormant(fd, backlog);
    }
    if (decide(fd, Use::at, address, sizeof any) == Turn::nobodys) return -1;
  }
  return route(&Libc::listen, &Engine::listen, fd, backlog);
}

INTERPOSED int accept(int fd, sockaddr* address, socklen_t* length) {
  if (turn_of(fd) == Turn::stacks) return accept_on_stack(fd, address, length, 0);
  return turn_of(fd) == Turn::kernels ? libc().accept(fd, address, length) : -1;
}

INTERPOSED int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (turn_of(fd) == Turn::stacks) return accept_on_stack(fd, address, length, flags);
  return turn_of(fd) == Turn::kernels ? libc().accept4(fd, address, length, flags) : -1;
}

INTERPOSED int connect(int fd, const sockaddr* address, socklen_t length) {
  Connecting connecting{.address = address, .length = length};
  if (is_undecided(fd) && decide(fd, Use::to, address, length, &connecting) == Turn::nobodys) {
    return -1;
  }
  if (connecting.is_done) {
    errno = connecting.error;
    return connecting.result;
  }
  return route_blocking(&Libc::connect, &Engine::connect, fd, address, length);
}

// Before it is connected: ENOTCONN, but not without effect.
INTERPOSED int shutdown(int fd, int how) noexcept {
  if (is_undecided(fd) && !is_dormant(fd)) note_shutdown(fd, how);
  return route(&Libc::shutdown, &Engine::shutdown, fd, how);
}

INTERPOSED int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (is_undecided(fd) && address && length && name_dormant(fd, address, length)) return 0;
  return route(&Libc::getsockname, &Engine::getsockname, fd, address, length);
}

INTERPOSED int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return route(&Libc::getpeername, &Engine::getpeername, fd, address, length);
}

// A dormant socket's options are still the kernel's, but for what listening means. It has no error,
// and the stack is not started to hear that.
INTERPOSED int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  if (is_undecided(fd)) {
    const int result = libc().getsockopt(fd, level, name, value, length);
    const bool asks_for_listening = level == SOL_SOCKET && name == SO_ACCEPTCONN;
    if (result == 0 && asks_for_listening && is_listening_dormant(fd)) {
      const int listening = 1;
      std::memcpy(value, &listening, *length);
    }
    return result;
  }
  return route(&Libc::getsockopt, &Engine::getsockopt, fd, level, name, value, length);
}

INTERPOSED int setsockopt(int fd, int level, int name, const void* value,
                          socklen_t length) noexcept {
  if (!is_undecided(fd)) {
    return route(&Libc::setsockopt, &Engine::setsockopt, fd, level, name, value, length);
  }
  const int result = libc().setsockopt(fd, level, name, value, length);
  if (result == 0) note_option(fd, level, name, value, length);
  return result;
}

INTERPOSED int sockatmark(int fd) noexcept {
  int is_at_mark = 0;
  return ioctl(fd, SIOCATMARK, &is_at_mark) == 0 ? is_at_mark : -1;
}
