// tcp_transfer.cc - TcpSocket: octets in and out, and what is asked about them.
// Linux: tcp_sendmsg(), tcp_recvmsg(), tcp_ioctl().
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "stack/socket/tcp_socket.h"
#include "stack/tcp/tcp.h"

namespace pollux {

using tcp::Connection;
using tcp::State;

// Linux: tcp_sendmsg_fastopen(), __inet_stream_connect(). In order: the SYN waits for the text, or
// there is a connection to send it on. EINPROGRESS: the SYN is under way without it.
Result<void> TcpSocket::connect_with_text(const SendMessage& message, Instant now) {
  if ((config().fastopen & tcp::kFastOpenClient) == 0) return Errno::not_supported;
  if (is_deferred()) return {};
  if (phase_ != Phase::unconnected || listener()) return connect({}, now);
  if (!message.to) return Errno::invalid;
  return start_connect(*message.to, true, now);
}

Result<std::size_t> TcpSocket::send(const SendMessage& message, Instant now) {
  if ((message.flags & MSG_FASTOPEN) != 0 || is_deferred()) {
    RETURN_IF_ERROR(connect_with_text(message, now));
  }
  const bool is_with_syn = is_deferred();
  Connection* c = connection();
  if (!c) {
    const Errno error = take_error();
    return error == Errno{} ? Errno::pipe : error;
  }
  if ((shut_ & kShutSend) != 0 && !c->is_opening() && c->pending_error() == Errno{})
    return Errno::pipe;
  const bool oob = (message.flags & MSG_OOB) != 0;
  const bool more = (message.flags & MSG_MORE) != 0;
  std::size_t total = 0;
  std::size_t left = message.vector.size();
  Errno error{};
  do {
    const iovec part = left == 0 ? iovec{} : message.vector[message.vector.size() - left];
    if (left != 0) --left;
    const tcp::SendFlags flags{.oob = oob && left == 0, .more = more || left != 0};
    const Result<std::size_t> sent =
        c->send(ConstBytes(static_cast<const std::byte*>(part.iov_base), part.iov_len), flags, now);
    if (!sent) {
      error = sent.error();
      break;
    }
    total += *sent;
    if (*sent < part.iov_len) break;
  } while (left != 0);
  if (is_with_syn) c->seal_syn();
  if (!c->is_pending()) after_call(*c, now);  // else the flush does, once it has been sent
  if (total == 0 && is_with_syn) return Errno::in_progress;
  if (total != 0 || error == Errno{}) return total;
  return error;
}

Result<std::size_t> TcpSocket::receive(ReceiveMessage& message, Instant now) {
  if ((message.flags & MSG_ERRQUEUE) != 0) return receive_error(message);
  message.control = {};
  if (Connection* c = connection()) return receive_into(*c, message, now);
  if ((message.flags & MSG_OOB) != 0) return listener() ? Errno::not_connected : Errno::invalid;
  if (listener()) return Errno::not_connected;
  const Errno error = take_error();
  if (error != Errno{}) return error;
  if ((shut_ & kShutReceive) != 0) return std::size_t{0};
  return Errno::not_connected;
}

// MUST-47, SHLD-25: what ended a connect, with who said so. Reading it takes the pending error
// away; what is next becomes it (Linux: sock_dequeue_err_skb()).
Result<std::size_t> TcpSocket::receive_error(ReceiveMessage& message) {
  if (error_notes_ == 0) {
    message.control = {};
    return Errno::again;
  }
  const std::optional<ErrorNote> note = world_->stream_errors.pop(this);
  CHECK(note.has_value());
  --error_notes_;
  const ErrorNote* next = world_->stream_errors.front(this);
  const Errno pending = next ? static_cast<Errno>(next->error) : Errno{};
  if (Connection* c = connection()) {
    c->replace_error(pending);
  } else {
    error_ = pending;
  }
  put_error(message, *note, socket_type().family);
  if (next) wait_queue().wake_up(kErr);
  return std::size_t{0};
}

Result<std::size_t> TcpSocket::receive_into(Connection& c, ReceiveMessage& message, Instant now) {
  const tcp::ReceiveFlags flags{.peek = (message.flags & MSG_PEEK) != 0,
                                .oob = (message.flags & MSG_OOB) != 0,
                                .trunc = (message.flags & MSG_TRUNC) != 0};
  const bool takes_urgent = flags.oob && c.has_urgent();
  std::size_t total = 0;
  std::size_t index = 0;
  Errno error{};
  do {
    const iovec part = message.vector.empty() ? iovec{} : message.vector[index++];
    const bool is_null = !part.iov_base && part.iov_len != 0 && !flags.trunc;
    const Result<std::size_t> received =
        is_null && c.readable_octets() != 0
            ? Result<std::size_t>(Errno::fault)
            : c.receive(Bytes(static_cast<std::byte*>(part.iov_base), part.iov_len), flags, now);
    if (!received) {
      error = received.error();
      break;
    }
    total += *received;
    if (*received < part.iov_len || flags.peek || flags.oob) break;
    // What follows is another call's: the end, the error, the octets beyond the mark.
    if (c.readable_octets() == 0 || c.is_at_mark()) break;
  } while (index < message.vector.size());
  after_call(c, now);
  if (error == Errno::again && (shut_ & kShutReceive) != 0 && !flags.oob) return total;
  if (total == 0 && error != Errno{}) return error;
  if (takes_urgent) message.out_flags |= total != 0 ? MSG_OOB : MSG_OOB | MSG_TRUNC;
  return total;
}

bool TcpSocket::is_receive_over() const {
  const Connection* c = connection();
  if (!c) return true;
  if (c->is_at_mark()) return true;
  return c->readable_octets() == 0 && (is_receive_shut(*c) || c->pending_error() != Errno{} ||
                                       (State::CLOSED | State::TIME_WAIT).has(c->status()));
}

Errno TcpSocket::pending_error() const {
  if (const Connection* c = connection()) return c->pending_error();
  return error_;
}

Errno TcpSocket::take_error() {
  if (Connection* c = connection()) return c->take_any_error();
  return std::exchange(error_, Errno{});
}

Result<int> TcpSocket::ioctl(unsigned long request, Instant) {
  const Connection* c = connection();
  const bool in_handshake = c && (State::SYN_SENT | State::SYN_RECEIVED).has(c->status());
  switch (request) {
    case SIOCATMARK:
      return c && c->is_at_mark() ? 1 : 0;
    case FIONREAD:
      break;
    case SIOCOUTQ:
    case SIOCOUTQNSD:
      break;
    default:
      return Errno::not_tty;
  }
  if (is_listening()) return Errno::invalid;
  if (!c || in_handshake) return 0;
  if (request == FIONREAD) return static_cast<int>(c->readable_octets());
  return static_cast<int>(request == SIOCOUTQ ? c->unacked_octets() : c->unsent_octets());
}

}  // namespace pollux
