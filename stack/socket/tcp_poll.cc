// tcp_poll.cc - TcpSocket: what is ready, and who is told that something may be.
// epoll-behaviours 16 (masks) and 17 (wake-ups). Linux: tcp_poll(), sock_def_readable() and kin.
#include "stack/socket/tcp_socket.h"
#include "stack/tcp/tcp.h"

namespace pollux {

using tcp::Connection;
using tcp::Event;
using tcp::State;

namespace {

constexpr PollEvents kReadable = kIn | kRdNorm;
constexpr PollEvents kWritable = kOut | kWrNorm;
constexpr PollEvents kReceiveShut = kReadable | kRdHup;

}  // namespace

PollEvents TcpSocket::poll() {
  if (lingers_) return is_sending() ? PollEvents() : kHup;
  if (const tcp::Listener* l = listener()) {
    const bool is_acceptable = l->is_acceptable() || (group() && group()->acceptable.load() != 0);
    const PollEvents ready = is_acceptable ? kReadable : PollEvents();  // 16.2, 16.3
    return error_ == Errno::network_down ? ready | kErr | kHup : ready;
  }
  PollEvents ready = connection() ? poll_connection(*connection()) : poll_idle();
  if (pending_error() != Errno{} || error_notes_ != 0) ready |= kErr;  // 16.30
  return ready;
}

// 16.1, 16.17, 16.18, 16.19.
PollEvents TcpSocket::poll_idle() const {
  const PollEvents ready = kWritable | kHup;
  return (shut_ & kShutReceive) != 0 ? ready | kReceiveShut : ready;
}

PollEvents TcpSocket::poll_connection(Connection& c) const {
  PollEvents ready;
  if (c.has_urgent()) ready |= kPri;  // 16.60
  if ((State::CLOSED | State::TIME_WAIT).has(c.status())) {
    return ready | kWritable | kHup | kReceiveShut;  // 16.12, 16.15
  }
  if (is_receive_shut(c)) ready |= kReceiveShut;
  if (is_receive_shut(c) && is_send_shut(c)) ready |= kHup;                    // 16.22
  if (c.is_opening()) return c.is_syn_deferred() ? ready | kWritable : ready;  // 16.6
  if (c.is_readable()) ready |= kReadable;
  if (is_send_shut(c) || c.is_writable()) {
    ready |= kWritable;
  } else {
    c.note_no_space();  // 16.55
  }
  return ready;
}

bool TcpSocket::is_receive_shut(const Connection& c) const {
  return c.is_receive_shutdown() || (shut_ & kShutReceive) != 0;
}

bool TcpSocket::is_send_shut(const Connection& c) const {
  return c.is_send_shutdown() || (shut_ & kShutSend) != 0;
}

void TcpSocket::on_events(tcp::EventSet events) {
  // Linux: tcp_set_state() gives an automatic port back at CLOSE.
  const bool gives_back = events.has(Event::state_change) && is_over() && !is_bound_anew_;
  if (gives_back && !is_port_fixed_) let_go_of_port();
  WaitQueue& queue = wait_queue();
  if (events.empty() || queue.empty()) return;
  if (events.has(Event::state_change)) queue.wake_up_all();
  if (events.has(Event::error)) queue.wake_up(kErr);
  if (events.has(Event::readable)) queue.wake_up(kReadableKey);
  if (events.has(Event::writable)) queue.wake_up(kWritableKey);
}

// One accept hears of it; connections from inside the stack are accepted as before.
void TcpSocket::on_network_down() {
  error_ = Errno::network_down;
  wait_queue().wake_up_all();
}

// Linux: ip_icmp_error(), which tcp_v4_err() calls whether or not IP_RECVERR is set.
void TcpSocket::on_connect_error(const icmp::Error& error) {
  if (error_notes_ == UINT8_MAX) return;
  if (!world_->stream_errors.push(this, note_of(error, error.error))) return;
  ++error_notes_;
  wait_queue().wake_up(kErr);
}

void TcpSocket::on_acceptable() { wait_queue().wake_up(kReadableKey); }

}  // namespace pollux
