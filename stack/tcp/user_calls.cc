// user_calls.cc - SEND, RECEIVE, CLOSE, ABORT and the questions a socket asks.
// RFC 9293 3.10.2 to 3.10.5; what a program sees is Linux's (epoll-behaviours 16 and 17).
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr StateSet kMaySend = State::SYN_RECEIVED | State::ESTABLISHED | State::CLOSE_WAIT;
constexpr std::uint32_t kLowMemoryStep = 64 << 10;  // what one call may add to a send buffer
}  // namespace

// Linux: sk_stream_error(): the pending error once, then EPIPE.
Errno Connection::send_error() { return error_ != 0 ? take_error() : Errno::pipe; }

Errno Connection::take_any_error() {
  if (error_ != 0) return take_error();
  return static_cast<Errno>(std::exchange(soft_error_, std::uint8_t{0}));
}

Result<std::size_t> Connection::send(ConstBytes from, const SendFlags& flags, Instant now) {
  if (error_ != 0 || send_shutdown_) return send_error();
  if (in(State::SYN_SENT) && fast_open_ && fast_open_->takes_text) return send_with_syn(from);
  if (is_opening()) return Errno::again;
  if (!in(kMaySend)) return Errno::pipe;
  if (waits_for_memory()) retransmit_at_ = Instant::never();
  std::uint32_t limit = send_limit_;
  if (shared_.memory_is_low) limit = std::min(limit, send_.true_size() + kLowMemoryStep);
  if (shared_.memory_is_scarce) limit = 1;  // a chunk at a time
  const std::uint32_t taken = send_.append(from, shared_.text_memory, limit);
  if (taken < from.size()) {
    no_space_ = true;
    if (taken == 0) {
      // 17.14: there will be no ACK to wake the writer.
      if (waits_for_memory()) retransmit_at_ = now + kMemoryInterval;
      return Errno::again;
    }
  }
  more_ = flags.more;
  if (flags.oob && taken != 0) snd_.up = text_end();  // MUST-62: the octet behind the urgent one
  // What waits for an ACK anyway need not be looked at now.
  const bool waits = snd_.nxt != snd_.una && snd_.nxt == snd_.max && congestion_room() == 0;
  if (!waits && taken != 0) pend();
  DCHECK(invariants_hold());
  return std::size_t{taken};
}

// Copies what may be read in one go: up to the mark, or what lies behind it.
std::size_t Connection::read_stream(Bytes to, const ReceiveFlags& flags) {
  std::uint32_t skip = 0;
  std::uint32_t limit = receive_.octets();
  if (urgent_ != Urgent::none) {
    const std::int32_t before = rcv_.up - unread_seq();  // octets up to the mark
    if (before == 0 && limit != 0 && !options_.oob_inline && !to.empty()) {
      skip = 1;  // 16.62, 16.63: the urgent octet is not in the stream
      limit -= 1;
    } else if (before > 0) {
      limit = std::min(limit, static_cast<std::uint32_t>(before));
    }
  }
  const auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(to.size(), limit));
  if (flags.peek) return flags.trunc ? wanted : receive_.peek(skip, to.first(wanted));
  if (skip != 0) receive_.consume(skip);
  if (flags.trunc) {
    receive_.consume(wanted);
  } else {
    receive_.take(to.first(wanted));
  }
  if (urgent_ != Urgent::none && unread_seq() > rcv_.up) urgent_ = Urgent::none;
  return wanted;
}

Result<std::size_t> Connection::receive(Bytes to, const ReceiveFlags& flags, Instant now) {
  if (flags.oob) return receive_urgent(to, flags);
  const bool had_text = receive_.octets() != 0;
  const std::size_t copied = read_stream(to, flags);
  if (had_text && !flags.peek) {
    tune_receive_buffer(now);
    update_window_after_read();
    if (receive_.octets() == 0 && ack_.all_read()) pend();
    DCHECK(invariants_hold());
  }
  if (copied != 0 || (had_text && to.empty())) return copied;
  if (fin_taken_) return std::size_t{0};
  if (error_ != 0) return take_error();
  if (receive_shutdown_) return std::size_t{0};
  if (in(State::CLOSED)) return Errno::not_connected;
  return Errno::again;
}

// Linux: tcp_recv_urg(). 16.60 to 16.66.
Result<std::size_t> Connection::receive_urgent(Bytes to, const ReceiveFlags& flags) {
  if (options_.oob_inline || urgent_ == Urgent::none || urgent_ == Urgent::read) {
    return Errno::invalid;
  }
  if (in(State::CLOSED) && !fin_taken_) return Errno::not_connected;
  if (urgent_ == Urgent::valid) {
    if (!flags.peek) urgent_ = Urgent::read;
    if (to.empty()) return std::size_t{0};
    if (!flags.trunc) to[0] = static_cast<std::byte>(urgent_octet_);
    return std::size_t{1};
  }
  if (in(State::CLOSED) || receive_shutdown_) return std::size_t{0};
  return Errno::again;
}

// Our FIN stands behind all that is queued. RFC 9293 3.10.4.
void Connection::queue_fin(Instant now) {
  if (fin_queued_) return;
  if (waits_for_memory()) retransmit_at_ = Instant::never();
  if (in(State::SYN_RECEIVED)) {
    fin_queued_ = true;  // FIN-WAIT-1 follows ESTABLISHED at once
    if (!is_opening()) pend();
    return;
  }
  if (in(State::ESTABLISHED)) {
    enter(State::FIN_WAIT_1);
  } else if (in(State::CLOSE_WAIT)) {
    enter(State::LAST_ACK);
  } else {
    return;
  }
  fin_queued_ = true;
  static_cast<void>(now);
  pend();
}

void Connection::shutdown_send(Instant now) {
  if (in(State::SYN_SENT)) return disconnect();  // 16.17
  send_shutdown_ = true;
  queue_fin(now);
  raise(Event::state_change);  // 17.8
  DCHECK(invariants_hold());
}

void Connection::shutdown_receive(Instant) {
  if (in(State::SYN_SENT)) return disconnect();
  receive_shutdown_ = true;
  raise(Event::state_change);
}

void Connection::close(Instant now) {
  is_orphan_ = true;
  if (in(State::SYN_SENT | State::CLOSED)) {
    enter(State::CLOSED);
    receive_.clear();
    return;
  }
  // SHLD-3: the peer must learn that what it sent was not read. Linux: tcp_close().
  if (receive_.octets() != 0 && !in(State::TIME_WAIT)) return abort(now);
  receive_.clear();
  receive_shutdown_ = send_shutdown_ = true;
  queue_fin(now);
  if (in(State::FIN_WAIT_2)) arm_fin_wait_2(now);
  DCHECK(invariants_hold());
}

void Connection::abort(Instant) {
  if (in(State::CLOSED)) return;
  const bool synchronized = !in(State::SYN_SENT | State::TIME_WAIT);
  const SeqNum seq = reset_seq();
  disconnect();
  if (synchronized) owe_reset(seq, true);
}

void Connection::lose_network() { fail(Errno::network_down); }

Errno Connection::take_error() {
  const auto error = static_cast<Errno>(error_);
  if (error != Errno::network_down) error_ = 0;
  return error;
}

bool Connection::is_at_mark() const { return urgent_ != Urgent::none && rcv_.up == unread_seq(); }

// MUST-33; Linux: tcp_inq(): up to the mark, unless it is passed or the urgent octet is in line.
std::uint32_t Connection::readable_octets() const {
  const std::uint32_t all = receive_.octets();
  if (urgent_ == Urgent::none || options_.oob_inline) return all;
  const std::int32_t before = rcv_.up - unread_seq();
  if (before < 0 || static_cast<std::uint32_t>(before) >= all) return all;
  return static_cast<std::uint32_t>(before);
}

bool Connection::is_readable() const {
  const bool mark_is_next = is_at_mark() && !options_.oob_inline;         // 16.45
  return receive_shutdown_ || is_past_low_water(mark_is_next ? 1u : 0u);  // 16.42
}

// `more` is wanted beyond the mark. With 0 it says who hears of text (Linux: tcp_epollin_ready()).
bool Connection::is_past_low_water(std::uint32_t more) const {
  const std::uint32_t all = receive_.octets();
  if (all <= more) return false;
  if (all >= std::max(options_.receive_low_water, 1u) + more) return true;
  // 16.44: else the peer could never send what the program waits for.
  return shared_.memory_is_low || rcv_.wnd <= ack_.segment_size();
}

bool Connection::is_writable() const {
  if (send_shutdown_) return true;             // 16.54
  if (is_opening()) return is_syn_deferred();  // 16.6
  const std::uint64_t queued = send_.true_size();
  if (queued >= send_limit_ || queued * 3 > std::uint64_t{send_limit_} * 2) return false;
  return options_.notsent_low_water == 0xffffffff ||
         std::uint64_t{unsent_octets()} * 2 < options_.notsent_low_water;
}

std::uint32_t Connection::unsent_octets() const {
  if (is_opening() || in(State::CLOSED)) return 0;
  const std::int32_t n = text_end() + (fin_queued_ ? 1 : 0) - snd_.max;
  return n > 0 ? static_cast<std::uint32_t>(n) : 0;
}

std::uint32_t Connection::unacked_octets() const {
  if (in(kSynchronizing | State::CLOSED)) return 0;
  const std::int32_t n = text_end() + (fin_queued_ ? 1 : 0) - snd_.una;
  return n > 0 ? static_cast<std::uint32_t>(n) : 0;
}

// Linux: the several setsockopt handlers; 17.13: what became true by it is an event.
void Connection::options_changed(Instant now) {
  if (options_.send_buffer != 0) send_limit_ = options_.send_buffer;
  if (options_.receive_buffer != 0) receive_limit_ = options_.receive_buffer;
  if (options_.quick_ack != quick_ack_seen_) {
    quick_ack_seen_ = options_.quick_ack;
    ack_.set_quick(options_.quick_ack);
  }
  if (in(State::CLOSED | State::LISTEN)) return;
  update_mss();
  if (!is_orphan_) arm_keepalive(now);
  if (no_space_ && is_writable()) {
    no_space_ = false;
    raise(Event::writable);
  }
  pend();
}

// Linux: tcp_set_rcvlowat(). Even the same mark again is an event, other options are none (17.13).
void Connection::receive_low_water_changed() {
  if (fin_taken_ || is_past_low_water(0)) raise(Event::readable);
}

unsigned Connection::text(SeqNum seq, std::uint32_t length, std::span<TextPiece> out) {
  if (length == 0) return 0;
  const std::uint64_t position =
      send_.end() - static_cast<std::uint64_t>(std::int64_t{text_end() - seq});
  return send_.pieces(position, length, out);
}

}  // namespace pollux::tcp
