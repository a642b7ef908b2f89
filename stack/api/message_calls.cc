// message_calls.cc - read(2), write(2), recv(2), send(2) and their variants.
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "pollux/pollux.h"
#include "stack/api/blocking.h"
#include "stack/api/errno_result.h"
#include "stack/api/sockaddr.h"

namespace pollux {
namespace {

constexpr int kMaxVector = 1024;                  // UIO_MAXIOV
constexpr std::size_t kMaxTransfer = 0x7ffff000;  // MAX_RW_COUNT

// The octets of all pieces. EINVAL: too long.
Result<std::size_t> length_of(std::span<const iovec> vector) {
  std::size_t length = 0;
  for (const iovec& piece : vector) {
    if (piece.iov_len > static_cast<std::size_t>(SSIZE_MAX) - length) return Errno::invalid;
    length += piece.iov_len;
  }
  return length;
}

// Of what is to be sent: EFAULT for a null piece. A receive learns that when it has something to
// store, and with MSG_TRUNC a stream needs no memory at all.
Result<std::size_t> length_to_send(std::span<const iovec> vector) {
  for (const iovec& piece : vector) {
    if (!piece.iov_base && piece.iov_len != 0) return Errno::fault;
  }
  return length_of(vector);
}

// What is left of a message once its first octets have been moved: a window on its pieces.
class Remaining {
 public:
  Remaining(std::span<const iovec> vector, std::size_t moved) {
    while (!vector.empty() && moved >= vector.front().iov_len) {
      moved -= vector.front().iov_len;
      vector = vector.subspan(1);
    }
    rest_ = vector;
    if (moved == 0) return;
    first_ = {static_cast<char*>(vector.front().iov_base) + moved, vector.front().iov_len - moved};
    rest_ = {&first_, 1};  // the next round takes the pieces behind it
  }
  std::span<const iovec> vector() const { return rest_; }
  std::size_t length() const {
    std::size_t length = 0;
    for (const iovec& piece : rest_) length += piece.iov_len;
    return length;
  }

 private:
  iovec first_{};
  std::span<const iovec> rest_;
};

struct Mode {
  bool is_stream = false;
  bool may_block = false;
  bool is_over = false;
  bool is_opening = false;  // the call has begun a handshake, or found one
  std::size_t wanted = 1;   // octets a blocking call waits for
  Duration limit;
};

// Urgent octets and queued errors are there or not: Linux never waits for them.
bool may_block(const Socket& socket, int flags) {
  return (flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)) == 0 &&
         (socket.status_flags() & O_NONBLOCK) == 0;
}

// Linux: sock_rcvlowat(). How many octets a blocking receive waits for.
std::size_t wanted_by(Socket& socket, const ReceiveMessage& message) {
  const tcp::UserOptions* options = socket.user_options();
  if (!options) return 1;
  if ((message.flags & MSG_WAITALL) != 0) return message.length;
  return std::min<std::size_t>(message.length, options->receive_low_water);
}

// MSG_PEEK leaves what it has seen, so that the octets left do not tell.
bool is_receive_over(Socket& socket, bool is_peek) {
  if (socket.is_receive_over()) return true;
  return is_peek && socket.poll().has(kRdHup | kHup | kErr | kPri);
}

// One turn, for what `moved` octets have left of the message.
Result<std::size_t> try_receive(Socket& socket, Instant now, ReceiveMessage& message,
                                std::size_t moved, Mode& mode) {
  const bool is_peek = (message.flags & MSG_PEEK) != 0;
  mode.may_block = may_block(socket, message.flags);
  mode.limit = socket.receive_timeout();
  mode.wanted = wanted_by(socket, message);
  if (!mode.may_block) message.flags |= MSG_DONTWAIT;
  if (moved == 0 || is_peek) {
    const Result<std::size_t> n = socket.receive(message, now);
    mode.is_over = is_receive_over(socket, is_peek);
    return n;
  }
  const Remaining rest(message.vector, moved);
  ReceiveMessage more = message;
  more.vector = rest.vector();
  more.length = rest.length();
  const Result<std::size_t> n = socket.receive(more, now);
  mode.is_over = is_receive_over(socket, is_peek);
  return n;
}

bool is_again(const Result<std::size_t>& n) { return !n.ok() && n.error() == Errno::again; }

// What a call that has moved some octets already says when it cannot go on.
Result<std::size_t> moved_or(std::size_t moved, Errno error) {
  if (moved != 0) return moved;
  return error;
}

// The first turn was in vain, or brought a part of what is wanted.
bool is_unfinished(const Result<std::size_t>& n, const Mode& mode) {
  if (!n) return is_again(n);
  return mode.may_block && *n != 0 && *n < mode.wanted && !mode.is_over;
}

Result<std::size_t> receive_blocking(const HeldSocket& held, ReceiveMessage& message,
                                     std::size_t moved, Mode mode) {
  const bool is_peek = (message.flags & MSG_PEEK) != 0;
  Waiter waiter(held, kIn, mode.limit);
  for (;;) {
    const Result<void> ready = waiter.wait();
    if (!ready.ok()) return moved_or(moved, ready.error());
    const Result<std::size_t> n = held.turn([&](Socket& socket, Instant now) {
      return try_receive(socket, now, message, moved, mode);
    });
    if (is_again(n)) continue;
    if (!n) return moved_or(moved, n.error());
    if (!is_peek) waiter.note_progress();
    moved = is_peek ? *n : moved + *n;
    if (*n == 0 || mode.is_over || moved >= mode.wanted) return moved;
  }
}

Result<std::size_t> receive(int fd, ReceiveMessage& message) {
  Mode mode;
  HeldSocket held;
  Result<std::size_t> n = in_socket(fd, [&](Socket& socket, Instant now) -> Result<std::size_t> {
    const Result<std::size_t> first = try_receive(socket, now, message, 0, mode);
    const bool must_go_on = is_unfinished(first, mode);
    if (must_go_on && !held.hold(socket) && !first) return Errno::bad_descriptor;
    return first;
  });
  if (!held) return n;
  if (is_again(n)) {
    held.poll_once();
    n = held.turn(
        [&](Socket& socket, Instant now) { return try_receive(socket, now, message, 0, mode); });
  }
  if (!mode.may_block || !is_unfinished(n, mode)) return n;
  return receive_blocking(held, message, n.ok() ? *n : 0, mode);
}

Result<std::size_t> try_send(Socket& socket, Instant now, const SendMessage& message,
                             std::size_t moved, Mode& mode) {
  mode.is_stream = socket.is_stream();
  mode.may_block = may_block(socket, message.flags & MSG_DONTWAIT);
  mode.limit = socket.send_timeout();
  mode.wanted = mode.is_stream ? message.length : 0;
  if (moved == 0) {
    const Result<std::size_t> n = socket.send(message, now);
    const bool is_begun = n.ok() || n.error() == Errno::in_progress || n.error() == Errno::already;
    mode.is_opening = is_begun && socket.is_connecting();
    return n;
  }
  const Remaining rest(message.vector, moved);
  SendMessage more = message;
  more.vector = rest.vector();
  more.length = rest.length();
  return socket.send(more, now);
}

Result<std::size_t> send_blocking(const HeldSocket& held, const SendMessage& message,
                                  std::size_t moved, Mode mode) {
  Waiter waiter(held, kOut, mode.limit);
  while (moved < message.length || moved == 0) {
    const Result<void> ready = waiter.wait();
    if (!ready.ok()) return moved_or(moved, ready.error());
    const Result<std::size_t> n = held.turn(
        [&](Socket& socket, Instant now) { return try_send(socket, now, message, moved, mode); });
    if (is_again(n)) continue;
    if (!n) return moved_or(moved, n.error());
    waiter.note_progress();
    moved += *n;
    if (*n == 0) break;
  }
  return moved;
}

// RFC 7413. Linux: a blocking call that opens waits for the end of the handshake, whatever the SYN
// has carried: __inet_stream_connect().
Result<std::size_t> send_after_opening(const HeldSocket& held, const SendMessage& message,
                                       const Result<std::size_t>& first, Mode mode) {
  const std::size_t moved = first.ok() ? *first : 0;
  Waiter waiter(held, kOut, mode.limit);
  Result<void> connected = Errno::already;
  while (!connected.ok() && connected.error() == Errno::already) {
    const Result<void> ready = waiter.wait();
    if (!ready.ok() && ready.error() != Errno::again) return ready.error();
    if (!ready.ok()) return first.ok() ? moved_or(moved, Errno::in_progress) : first;
    connected = held.turn([](Socket& socket, Instant now) { return socket.connect({}, now); });
  }
  if (!connected.ok() && connected.error() != Errno::is_connected) return connected.error();
  if (moved != 0 && moved == message.length) return moved;
  SendMessage rest = message;
  rest.flags &= ~MSG_FASTOPEN;
  return send_blocking(held, rest, moved, mode);
}

Result<std::size_t> send_in_turns(int fd, const SendMessage& message, Mode& mode) {
  HeldSocket held;
  Result<std::size_t> n = in_socket(fd, [&](Socket& socket, Instant now) -> Result<std::size_t> {
    const Result<std::size_t> first = try_send(socket, now, message, 0, mode);
    mode.is_opening = mode.is_opening && mode.may_block;
    const bool must_go_on = mode.is_opening || is_unfinished(first, mode);
    if (must_go_on && !held.hold(socket) && !first) return Errno::bad_descriptor;
    return first;
  });
  if (!held) return n;
  if (mode.is_opening) return send_after_opening(held, message, n, mode);
  if (is_again(n)) {
    held.poll_once();
    n = held.turn(
        [&](Socket& socket, Instant now) { return try_send(socket, now, message, 0, mode); });
  }
  if (!mode.may_block || !is_unfinished(n, mode)) return n;
  return send_blocking(held, message, n.ok() ? *n : 0, mode);
}

Result<std::size_t> send(int fd, const SendMessage& message) {
  Mode mode;
  const Result<std::size_t> n = send_in_turns(fd, message, mode);
  const bool is_broken = !n && n.error() == Errno::pipe && mode.is_stream;
  if (is_broken && (message.flags & MSG_NOSIGNAL) == 0) ::raise(SIGPIPE);
  return n;
}

// --- from the arguments of the calls

Result<std::size_t> receive_vector(int fd, std::span<const iovec> vector, int flags,
                                   Endpoint* from) {
  ASSIGN_OR_RETURN(const std::size_t length, length_of(vector));
  ReceiveMessage message{.vector = vector,
                         .length = std::min(length, kMaxTransfer),
                         .flags = flags,
                         .wants_control = false,
                         .from = {},
                         .control = {}};
  const Result<std::size_t> n = receive(fd, message);
  if (from) *from = message.has_from ? message.from : Endpoint{};
  return n;
}

Result<std::size_t> send_vector(int fd, std::span<const iovec> vector, int flags,
                                const Endpoint* to) {
  ASSIGN_OR_RETURN(const std::size_t length, length_to_send(vector));
  return send(fd, {.vector = vector,
                   .length = std::min(length, kMaxTransfer),
                   .flags = flags,
                   .to = to,
                   .control = {}});
}

// The kernel's descriptor behind a number that is no socket. EBADF; EINVAL: a set.
Result<int> kernel_descriptor(int fd) {
  Host* host = pollux::host();
  const FileRef file = host ? host->fds().get(fd) : FileRef();
  if (!file) return Errno::bad_descriptor;
  if (file->type() != FileType::kernel) return Errno::invalid;
  return file->kernel_fd();
}

template <typename Call>
ssize_t on_kernel(int fd, Call&& call) {
  const Result<int> kernel = kernel_descriptor(fd);
  return kernel.ok() ? call(*kernel) : fail(kernel.error());
}

bool is_socket(int fd) { return peek_socket(fd).ok(); }

Result<int> family_of(int fd) {
  ASSIGN_OR_RETURN(Socket* const socket, peek_socket(fd));
  return socket->socket_type().family;
}

// A destination; a stream takes no notice of it unless it is to open with this text. An IPv4 socket
// takes AF_UNSPEC for AF_INET, one of IPv6 takes both families (Linux: udp_sendmsg(),
// udpv6_sendmsg()).
Result<Endpoint> destination(const SocketType& type, const sockaddr* to, socklen_t length,
                             int flags) {
  if (type.type == SOCK_STREAM) {
    if ((flags & MSG_FASTOPEN) == 0) return Endpoint{};
    if (length >= sizeof(sa_family_t) && to->sa_family == AF_UNSPEC) return Errno::not_supported;
    return to_endpoint(to, length, type.family);
  }
  if (length > sizeof(sockaddr_storage)) return Errno::invalid;
  sockaddr_storage given{};
  std::memcpy(&given, to, length);
  if (type.family == AF_INET && given.ss_family == AF_UNSPEC) given.ss_family = AF_INET;
  const bool is_v4 = type.family == AF_INET || given.ss_family == AF_INET;
  return to_endpoint(reinterpret_cast<const sockaddr*>(&given), length, is_v4 ? AF_INET : AF_INET6);
}

Result<std::size_t> receive_message(int fd, msghdr& header, int flags) {
  if (header.msg_iovlen > kMaxVector) return Errno::message_size;
  ASSIGN_OR_RETURN(const int family, family_of(fd));
  const std::span<const iovec> vector(header.msg_iov, header.msg_iovlen);
  ASSIGN_OR_RETURN(const std::size_t length, length_of(vector));
  ReceiveMessage message{.vector = vector,
                         .length = std::min(length, kMaxTransfer),
                         .flags = flags,
                         .wants_control = header.msg_control != nullptr,
                         .from = {},
                         .control = {static_cast<std::byte*>(header.msg_control),
                                     header.msg_control ? header.msg_controllen : 0}};
  const Result<std::size_t> n = receive(fd, message);
  if (!n) return n;
  header.msg_flags = message.out_flags;
  header.msg_controllen = message.control.size();
  if (!header.msg_name) return n;
  socklen_t room = message.has_from ? header.msg_namelen : 0;
  if (message.has_from)
    RETURN_IF_ERROR(
        store_endpoint(message.from, family, static_cast<sockaddr*>(header.msg_name), &room));
  header.msg_namelen = room;
  return n;
}

Result<std::size_t> send_message(int fd, const msghdr& header, int flags) {
  if (header.msg_iovlen > kMaxVector) return Errno::message_size;
  ASSIGN_OR_RETURN(Socket* const socket, peek_socket(fd));
  Endpoint to;
  if (header.msg_name) {
    const auto* name = static_cast<const sockaddr*>(header.msg_name);
    ASSIGN_OR_RETURN(to, destination(socket->socket_type(), name, header.msg_namelen, flags));
  }
  const std::span<const iovec> vector(header.msg_iov, header.msg_iovlen);
  ASSIGN_OR_RETURN(const std::size_t length, length_to_send(vector));
  return send(fd, {.vector = vector,
                   .length = std::min(length, kMaxTransfer),
                   .flags = flags,
                   .to = header.msg_name ? &to : nullptr,
                   .control = {static_cast<const std::byte*>(header.msg_control),
                               header.msg_control ? header.msg_controllen : 0}});
}

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

ssize_t plx_read(int fd, void* buffer, size_t length) {
  if (!is_socket(fd))
    return on_kernel(fd, [&](int kernel) { return ::read(kernel, buffer, length); });
  if (length == 0) return 0;
  return plx_recv(fd, buffer, length, 0);
}

ssize_t plx_write(int fd, const void* buffer, size_t length) {
  if (!is_socket(fd))
    return on_kernel(fd, [&](int kernel) { return ::write(kernel, buffer, length); });
  return plx_send(fd, buffer, length, 0);
}

ssize_t plx_readv(int fd, const iovec* vector, int count) {
  if (!is_socket(fd))
    return on_kernel(fd, [&](int kernel) { return ::readv(kernel, vector, count); });
  if (count < 0 || count > kMaxVector) return fail(Errno::invalid);
  if (!vector && count != 0) return fail(Errno::fault);
  const std::span<const iovec> pieces(vector, static_cast<std::size_t>(count));
  if (const Result<std::size_t> n = length_of(pieces); !n || *n == 0) return to_return(n);
  return to_return(receive_vector(fd, pieces, 0, nullptr));
}

ssize_t plx_writev(int fd, const iovec* vector, int count) {
  if (!is_socket(fd))
    return on_kernel(fd, [&](int kernel) { return ::writev(kernel, vector, count); });
  if (count < 0 || count > kMaxVector) return fail(Errno::invalid);
  if (!vector && count != 0) return fail(Errno::fault);
  return to_return(send_vector(fd, {vector, static_cast<std::size_t>(count)}, 0, nullptr));
}

ssize_t plx_recv(int fd, void* buffer, size_t length, int flags) {
  const iovec piece{buffer, length};
  return to_return(receive_vector(fd, {&piece, 1}, flags, nullptr));
}

ssize_t plx_recvfrom(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                     socklen_t* from_length) {
  const Result<int> family = family_of(fd);
  if (!family) return fail(family.error());
  const iovec piece{buffer, length};
  Endpoint sender;
  const Result<std::size_t> n = receive_vector(fd, {&piece, 1}, flags, &sender);
  if (!n || !from) return to_return(n);
  if (sender == Endpoint{}) {
    if (from_length) *from_length = 0;  // a stream says nothing of its peer here
    return to_return(n);
  }
  const Result<void> stored = store_endpoint(sender, *family, from, from_length);
  return stored.ok() ? to_return(n) : fail(stored.error());
}

ssize_t plx_recvmsg(int fd, msghdr* message, int flags) {
  if (!message) return fail(Errno::fault);
  return to_return(receive_message(fd, *message, flags));
}

ssize_t plx_send(int fd, const void* buffer, size_t length, int flags) {
  const iovec piece{const_cast<void*>(buffer), length};
  return to_return(send_vector(fd, {&piece, 1}, flags, nullptr));
}

ssize_t plx_sendto(int fd, const void* buffer, size_t length, int flags, const sockaddr* to,
                   socklen_t to_length) {
  if (!to) return plx_send(fd, buffer, length, flags);
  const Result<Socket*> socket = peek_socket(fd);
  if (!socket) return fail(socket.error());
  const Result<Endpoint> endpoint = destination((*socket)->socket_type(), to, to_length, flags);
  if (!endpoint) return fail(endpoint.error());
  const iovec piece{const_cast<void*>(buffer), length};
  return to_return(send_vector(fd, {&piece, 1}, flags, &*endpoint));
}

ssize_t plx_sendmsg(int fd, const msghdr* message, int flags) {
  if (!message) return fail(Errno::fault);
  return to_return(send_message(fd, *message, flags));
}

}  // extern "C"
