// socket_calls.cc - socket(2) to getsockopt(2): everything but moving data.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "pollux/pollux.h"
#include "stack/api/blocking.h"
#include "stack/api/errno_result.h"
#include "stack/api/sockaddr.h"

namespace pollux {
namespace {

constexpr int kTypeMask = 0xf;  // Linux: SOCK_TYPE_MASK
constexpr int kCreationFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

Result<int> install(Socket* socket, int flags) {
  if ((flags & SOCK_NONBLOCK) != 0) socket->set_status_flags(socket->status_flags() | O_NONBLOCK);
  const Result<int> number = host()->fds().install(socket, (flags & SOCK_CLOEXEC) != 0);
  if (!number) socket->put();
  return number;
}

// bind(2) has always taken an address of all zeros without its family. Linux: __inet_bind().
Result<Endpoint> to_local(const sockaddr* address, socklen_t length, int family) {
  sockaddr_in in{};
  if (address && family == AF_INET && length >= sizeof in) {
    std::memcpy(&in, address, sizeof in);
    const bool is_any = in.sin_addr.s_addr == htonl(INADDR_ANY);
    if (in.sin_family == AF_UNSPEC && is_any)
      return Endpoint{IpAddress::any_v4(), ntohs(in.sin_port)};
  }
  return to_endpoint(address, length, family);
}

Result<int> open_socket(int domain, int type, int protocol) {
  if ((type & ~kTypeMask & ~kCreationFlags) != 0) return Errno::invalid;
  Host* host = pollux::host();
  if (!host) return Errno::network_down;
  Socket* socket = nullptr;
  {
    Stack& stack = host->stack_for_new_socket();
    Inside inside(stack);
    ASSIGN_OR_RETURN(socket, create_socket(stack.world(), {domain, type & kTypeMask, protocol}));
  }
  return install(socket, type & kCreationFlags);
}

bool is_non_blocking(const File& file) { return (file.status_flags() & O_NONBLOCK) != 0; }

// Once accepted a connection has no way back, so the number must be there before.
bool has_free_number() { return host()->fds().used() < host()->fds().capacity(); }

struct Accepting {
  Socket* socket;
  Endpoint peer;
  int family;
};

Result<Accepting> try_accept(int fd, bool& may_block, Duration& limit) {
  return in_socket(fd, [&](Socket& socket, Instant now) -> Result<Accepting> {
    may_block = !is_non_blocking(socket);
    limit = socket.receive_timeout();
    ASSIGN_OR_RETURN(Socket* const accepted, socket.accept(now));
    const Result<Endpoint> peer = accepted->peer();
    return Accepting{accepted, peer.ok() ? *peer : Endpoint{}, socket.socket_type().family};
  });
}

Result<Accepting> accept_blocking(int fd) {
  bool may_block = false;
  Duration limit;
  Result<Accepting> accepted = try_accept(fd, may_block, limit);
  if (accepted.ok() || accepted.error() != Errno::again) return accepted;
  poll_once(fd);
  accepted = try_accept(fd, may_block, limit);
  if (!may_block) return accepted;
  Waiter waiter(fd, kIn);
  waiter.set_limit(limit);
  while (!accepted.ok() && accepted.error() == Errno::again) {
    if (!waiter) return Errno::bad_descriptor;
    const Result<PollEvents> ready = waiter.wait();
    if (!ready) return ready.error();
    accepted = try_accept(fd, may_block, limit);
  }
  return accepted;
}

Result<int> accept_connection(int fd, sockaddr* address, socklen_t* length, int flags) {
  const Result<Socket*> listening = peek_socket(fd);
  if (!listening && listening.error() == Errno::bad_descriptor) return listening.error();
  if ((flags & ~kCreationFlags) != 0) return Errno::invalid;
  if (!listening) return listening.error();
  if (!has_free_number()) return Errno::process_files;
  ASSIGN_OR_RETURN(const Accepting accepted, accept_blocking(fd));
  if (const auto stored = store_endpoint(accepted.peer, accepted.family, address, length);
      !stored.ok()) {
    accepted.socket->put();
    return stored.error();
  }
  return install(accepted.socket, flags);
}

Result<void> try_connect(int fd, const sockaddr* address, socklen_t length, bool& may_block,
                         Duration& limit) {
  return in_socket(fd, [&](Socket& socket, Instant now) -> Result<void> {
    if (!address) return Errno::fault;
    if (length < sizeof(sa_family_t)) return Errno::invalid;
    if (address->sa_family == AF_UNSPEC) return socket.disconnect(now);
    ASSIGN_OR_RETURN(const Endpoint remote,
                     to_endpoint(address, length, socket.socket_type().family));
    may_block = !is_non_blocking(socket);
    limit = socket.send_timeout();
    return socket.connect(remote, now);
  });
}

Result<void> connect_blocking(int fd, const sockaddr* address, socklen_t length) {
  bool may_block = false;
  Duration limit;
  Result<void> connected = try_connect(fd, address, length, may_block, limit);
  const auto in_progress = [&] {
    return !connected.ok() &&
           (connected.error() == Errno::in_progress || connected.error() == Errno::already);
  };
  if (!in_progress()) return connected;
  const Errno unfinished = connected.error();
  if (!may_block) {
    if (connected.error() == Errno::in_progress) return connected;
    poll_once(fd);  // it may be over by now
    return try_connect(fd, address, length, may_block, limit);
  }
  Waiter waiter(fd, kOut);
  waiter.set_limit(limit);
  while (in_progress()) {
    if (!waiter) return Errno::bad_descriptor;
    const Result<PollEvents> ready = waiter.wait();
    if (!ready) return ready.error() == Errno::again ? unfinished : ready.error();
    connected = try_connect(fd, address, length, may_block, limit);
  }
  return connected;
}

Result<void> name_of(int fd, sockaddr* address, socklen_t* length, bool of_peer) {
  Endpoint endpoint;
  int family = AF_INET;
  RETURN_IF_ERROR(in_socket(fd, [&](Socket& socket, Instant) -> Result<void> {
    family = socket.socket_type().family;
    if (!of_peer) {
      endpoint = socket.local();
      return {};
    }
    ASSIGN_OR_RETURN(endpoint, socket.peer());
    return {};
  }));
  if (!address || !length) return Errno::fault;
  return store_endpoint(endpoint, family, address, length);
}

Result<void> get_option(int fd, int level, int name, void* value, socklen_t* length) {
  ASSIGN_OR_RETURN(Socket* const there, peek_socket(fd));
  static_cast<void>(there);
  if (!length) return Errno::fault;
  if (static_cast<int>(*length) < 0) return Errno::invalid;
  if (!value && *length != 0) return Errno::fault;
  const std::span<std::byte> room(static_cast<std::byte*>(value), *length);
  const auto filled = in_socket(
      fd, [&](Socket& socket, Instant now) { return socket.get_option(level, name, room, now); });
  if (!filled) return filled.error();
  *length = *filled;
  return {};
}

Result<void> set_option(int fd, int level, int name, const void* value, socklen_t length) {
  ASSIGN_OR_RETURN(Socket* const there, peek_socket(fd));
  static_cast<void>(there);
  if (static_cast<int>(length) < 0) return Errno::invalid;
  if (!value && length != 0) return Errno::fault;
  const std::span<const std::byte> octets(static_cast<const std::byte*>(value), length);
  return in_socket(
      fd, [&](Socket& socket, Instant now) { return socket.set_option(level, name, octets, now); });
}

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

int plx_socket(int domain, int type, int protocol) {
  return to_return(open_socket(domain, type, protocol));
}

int plx_bind(int fd, const sockaddr* address, socklen_t length) {
  return to_return(in_socket(fd, [&](Socket& socket, Instant now) -> Result<void> {
    ASSIGN_OR_RETURN(const Endpoint local, to_local(address, length, socket.socket_type().family));
    return socket.bind(local, now);
  }));
}

int plx_listen(int fd, int backlog) {
  return to_return(
      in_socket(fd, [&](Socket& socket, Instant now) { return socket.listen(backlog, now); }));
}

int plx_accept(int fd, sockaddr* address, socklen_t* length) {
  return plx_accept4(fd, address, length, 0);
}

int plx_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return to_return(accept_connection(fd, address, length, flags));
}

int plx_connect(int fd, const sockaddr* address, socklen_t length) {
  return to_return(connect_blocking(fd, address, length));
}

int plx_shutdown(int fd, int how) {
  return to_return(in_socket(fd, [&](Socket& socket, Instant now) -> Result<void> {
    if (how < SHUT_RD || how > SHUT_RDWR) return Errno::invalid;
    return socket.shutdown(how, now);
  }));
}

int plx_getsockname(int fd, sockaddr* address, socklen_t* length) {
  return to_return(name_of(fd, address, length, false));
}

int plx_getpeername(int fd, sockaddr* address, socklen_t* length) {
  return to_return(name_of(fd, address, length, true));
}

int plx_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  return to_return(get_option(fd, level, name, value, length));
}

int plx_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  return to_return(set_option(fd, level, name, value, length));
}

}  // extern "C"
