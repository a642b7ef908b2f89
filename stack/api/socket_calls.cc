// socket_calls.cc - socket(2) to getsockopt(2): everything but moving data.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "pollux/pollux.h"
#include "stack/api/blocking.h"
#include "stack/api/errno_result.h"
#include "stack/api/sockaddr.h"
#include "stack/socket/listen_group.h"

namespace pollux {
namespace {

constexpr int kTypeMask = 0xf;  // Linux: SOCK_TYPE_MASK
constexpr int kCreationFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

void set_creation_flags(Socket& socket, int flags) {
  if ((flags & SOCK_NONBLOCK) != 0) socket.set_status_flags(socket.status_flags() | O_NONBLOCK);
}

Result<int> install(Socket* socket, int flags) {
  set_creation_flags(*socket, flags);
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
    Stack& stack = host->stack_for_new_socket((type & kTypeMask) == SOCK_STREAM);
    Inside inside(stack);
    ASSIGN_OR_RETURN(socket, create_socket(stack.world(), {domain, type & kTypeMask, protocol}));
  }
  return install(socket, type & kCreationFlags);
}

bool is_non_blocking(const File& file) { return (file.status_flags() & O_NONBLOCK) != 0; }

struct Accepting {
  Socket* socket;
  Endpoint peer;
  int family;
};

Result<Accepting> try_accept(Socket& socket, Instant now) {
  ASSIGN_OR_RETURN(Socket* const accepted, socket.accept(now));
  return Accepting{accepted, accepted->accepted_from(), socket.socket_type().family};
}

// Of what parts of the listener in other Stacks have, each Stack in turn, with nothing entered.
Result<Accepting> accept_elsewhere(const HeldSocket& held) {
  const std::optional<AcceptTicket> ticket =
      held.turn([](Socket& socket, Instant) { return socket.ticket(); });
  if (!ticket) return Errno::again;
  const Peers& stacks = host()->stacks();
  for (std::size_t i = 0; i < stacks.count(); ++i) {
    Stack& stack = stacks[(ticket->first + i) % stacks.count()];
    if ((ticket->group->acceptable.load() >> stack.index() & 1) == 0) continue;
    Inside inside(stack);
    const Result<Socket*> accepted = stack.accept_from_part(*ticket, inside.now());
    if (!accepted && accepted.error() == Errno::again) continue;
    if (!accepted) return accepted.error();
    return Accepting{*accepted, (*accepted)->accepted_from(), ticket->inheritance.family};
  }
  return Errno::again;
}

Result<Accepting> accept_anywhere(const HeldSocket& held) {
  const Result<Accepting> accepted = accept_elsewhere(held);
  if (accepted.ok() || accepted.error() != Errno::again) return accepted;
  return held.turn(try_accept);
}

Result<Accepting> accept_blocking(int fd) {
  bool may_block = false;
  Duration limit;
  HeldSocket held;
  const auto is_empty = [](const Result<Accepting>& accepted) {
    return !accepted.ok() && accepted.error() == Errno::again;
  };
  Result<Accepting> accepted = in_socket(fd, [&](Socket& socket, Instant now) -> Result<Accepting> {
    may_block = !is_non_blocking(socket);
    limit = socket.receive_timeout();
    Result<Accepting> first = Errno::again;
    if (!socket.is_others_turn()) first = try_accept(socket, now);
    if (is_empty(first) && !held.hold(socket)) return Errno::bad_descriptor;
    return first;
  });
  if (!held) return accepted;
  held.poll_once();
  accepted = accept_anywhere(held);
  if (!may_block || !is_empty(accepted)) return accepted;
  Waiter waiter(held, kIn, limit);
  while (is_empty(accepted)) {
    RETURN_IF_ERROR(waiter.wait());
    accepted = accept_anywhere(held);
  }
  return accepted;
}

Result<Socket*> accept_socket(int fd, sockaddr* address, socklen_t* length) {
  ASSIGN_OR_RETURN(const Accepting accepted, accept_blocking(fd));
  const auto stored = store_endpoint(accepted.peer, accepted.family, address, length);
  if (stored.ok()) return accepted.socket;
  accepted.socket->put();
  return stored.error();
}

// Once accepted a connection has no way back, so the number is taken before. Linux:
// __sys_accept4_file().
Result<int> accept_connection(int fd, sockaddr* address, socklen_t* length, int flags) {
  const Result<Socket*> listening = peek_socket(fd);
  if (!listening && listening.error() == Errno::bad_descriptor) return listening.error();
  if ((flags & ~kCreationFlags) != 0) return Errno::invalid;
  if (!listening) return listening.error();
  FdTable& fds = host()->fds();
  ASSIGN_OR_RETURN(const int number, fds.reserve());
  const Result<Socket*> accepted = accept_socket(fd, address, length);
  if (!accepted) {
    fds.cancel(number);
    return accepted.error();
  }
  set_creation_flags(**accepted, flags);
  fds.fill(number, *accepted, (flags & SOCK_CLOEXEC) != 0);
  return number;
}

struct Connecting {
  const sockaddr* address;
  socklen_t length;
  bool may_block = false;
  Duration limit;
};

Result<void> try_connect(Socket& socket, Instant now, Connecting& call) {
  if (!call.address) return Errno::fault;
  if (call.length < sizeof(sa_family_t)) return Errno::invalid;
  if (call.address->sa_family == AF_UNSPEC) return socket.disconnect(now);
  ASSIGN_OR_RETURN(const Endpoint remote,
                   to_endpoint(call.address, call.length, socket.socket_type().family));
  call.may_block = !is_non_blocking(socket);
  call.limit = socket.send_timeout();
  return socket.connect(remote, now);
}

bool is_in_progress(const Result<void>& connected) {
  return !connected.ok() &&
         (connected.error() == Errno::in_progress || connected.error() == Errno::already);
}

Result<void> connect_blocking(int fd, Connecting call) {
  HeldSocket held;
  const auto turn = [&](Socket& socket, Instant now) { return try_connect(socket, now, call); };
  Result<void> connected = in_socket(fd, [&](Socket& socket, Instant now) -> Result<void> {
    Result<void> first = turn(socket, now);
    if (is_in_progress(first) && !held.hold(socket)) return Errno::bad_descriptor;
    return first;
  });
  if (!held) return connected;
  const Errno unfinished = connected.error();
  if (!call.may_block) {
    if (unfinished == Errno::in_progress) return connected;
    held.poll_once();  // it may be over by now
    return held.turn(turn);
  }
  Waiter waiter(held, kOut, call.limit);
  while (is_in_progress(connected)) {
    const Result<void> ready = waiter.wait();
    if (!ready.ok()) return ready.error() == Errno::again ? unfinished : ready.error();
    connected = held.turn(turn);
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
  return to_return(connect_blocking(fd, {.address = address, .length = length, .limit = {}}));
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
