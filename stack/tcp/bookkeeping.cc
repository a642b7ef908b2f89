// bookkeeping.cc - Tcp's tables: who exists, where it stands, when its timer runs, when it is
// freed. RFC 9293 3.10; the state machine itself is connection.h.
#include <algorithm>
#include <boost/intrusive/parent_from_member.hpp>
#include <utility>

#include "stack/tcp/tcp.h"

namespace pollux::tcp {

namespace {

constexpr unsigned kSettledPerLook = 32;

Connection& connection_of(TcpLinks& links) {
  return *boost::intrusive::get_parent_from_member(&links, &Connection::links);
}
Connection& connection_of(Timer& timer) {
  return *boost::intrusive::get_parent_from_member(&timer, &Connection::timer);
}

// What is left of the window is rounded up to the scale: the right edge that has been offered does
// not go back (SHLD-14).
TimeWaitState time_wait_state(const Connection& connection) {
  const std::uint32_t unit = 1u << connection.receive_scale();
  const std::uint32_t wnd = (connection.rcv().wnd + unit - 1) >> connection.receive_scale();
  return {.snd_nxt = connection.snd().nxt,
          .rcv_nxt = connection.rcv().nxt,
          .rcv_wnd = static_cast<std::uint16_t>(std::min(wnd, 65535u)),
          .tos = connection.options().tos,
          .ttl = connection.options().ttl,
          .has_timestamps = connection.has_timestamps(),
          .ts_recent = connection.ts_recent(),
          .ts_offset = connection.ts_offset()};
}

}  // namespace

Tcp::Tcp(const TcpConfig& config, const TcpLimits& limits, const Parts& parts, const Secret& secret,
         Instant now)
    : pool_(parts.pool),
      ports_(parts.ports),
      world_(WorldSet{1} << parts.index),
      limits_(limits),
      secret_(secret),
      config_(config),
      shared_(config_, parts.pool.text_memory(), parts.counters, parts.rng, limits.connections),
      connections_(limits.connections),
      listeners_(limits.listeners),
      time_waits_(limits.time_waits),
      demux_(limits.connections, limits.time_waits, secret.demux),
      replies_(limits.replies),
      wheel_(now) {}

// Sockets are gone by then; what is left are listeners, orphans, children and TIME-WAITs.
Tcp::~Tcp() {
  while (Listener* listener = demux_.any_listener()) close(*listener, Instant());
  demux_.for_each([this](Connection& connection) {
    leave_demux(connection);
    connections_.destroy(&connection);
  });
  while (Connection* connection = next_pending()) connections_.destroy(connection);
  while (TimeWait* time_wait = time_waits_.oldest()) remove_time_wait(*time_wait);
}

// --- arriving

// Linux: tcp_check_req(): with a full accept queue the handshake's last ACK is as good as lost; the
// peer's next segment or our SYN,ACK, sent again, brings it back.
bool Tcp::may_complete(const Connection& connection, const Segment& seg, Instant now) {
  const TcpLinks& links = connection.links;
  if (links.is_waiting || links.is_fast_open) return true;
  if (!seg.ctl.has(ACK) || seg.ctl.has(RST) || seg.ctl.has(SYN)) return true;
  if (links.listener->defers(links, seg, now)) return false;
  return !is_overflowing(*links.listener);
}

bool Tcp::is_overflowing(const Listener& listener) {
  if (!listener.is_accept_queue_full()) return false;
  ++shared_.counters.tcp_listen_overflows;
  ++shared_.counters.tcp_listen_drops;
  return true;
}

Listener* Tcp::segment_arrives_time_wait(TimeWait& time_wait, const Segment& seg, Instant now) {
  const TimeWaitVerdict verdict = segment_arrives(time_wait, seg, now);
  if (verdict == TimeWaitVerdict::ignore) return nullptr;
  if (verdict == TimeWaitVerdict::reopen) {
    if (Listener* listener = demux_.find_listener(time_wait.tuple)) return listener;
  }
  if (verdict == TimeWaitVerdict::restart) {
    time_waits_.restart(time_wait, now + config_.time_wait);
  }
  time_wait.next_ack_at = now + Duration::ms(500);
  Reply reply{.tuple = time_wait.tuple,
              .segment = acknowledgement(time_wait, now),
              .tos = time_wait.state.tos,
              .ttl = time_wait.state.ttl};
  queue_reply(std::move(reply));
  return nullptr;
}

// RFC 9293 3.10.7.2. Linux: tcp_conn_request().
Connection* Tcp::segment_arrives_listen(Listener& listener, const FourTuple& tuple, Segment seg,
                                        std::uint16_t mtu, Instant now) {
  if (seg.ctl.has(RST)) return nullptr;
  if (seg.ctl.has(ACK)) return ack_arrives_listen(listener, tuple, std::move(seg), mtu, now);
  // Deviation: no way to open, though RFC 9293 3.10.7.2 would; who sends a FIN along looks for what
  // answers (Linux: tcp_rcv_state_process()).
  if (!seg.ctl.has(SYN) || seg.ctl.has(FIN)) return nullptr;
  if (tuple.local == tuple.remote) return nullptr;  // we never sent it (MUST-63)
  if (is_overflowing(listener)) return nullptr;
  if (wants_cookie(listener, tuple)) {
    answer_with_cookie(listener, tuple, std::move(seg), mtu, now);
    return nullptr;
  }
  TimeWait* const before = demux_.find_time_wait(tuple);
  if (!may_add_child(listener, before != nullptr)) return nullptr;
  Connection* child = create_child(listener, tuple);
  if (!child) return nullptr;
  SeqNum iss = initial_sequence_number(tuple, secret_.isn, now);
  if (before) {
    iss = later(iss, sequence_number_after(*before));
    remove_time_wait(*before);
  }
  child->open_passive(tuple, iss, mtu, seg, now);
  if (open_fast(listener, *child, std::move(seg), now)) return child;
  add_child(listener, *child, now);
  return nullptr;
}

// Linux has room for a SYN that reopens what is in TIME-WAIT whenever it has cookies for the
// others.
bool Tcp::may_add_child(const Listener& listener, bool is_reopening) {
  const bool is_full = listener.is_half_open_full() && !(is_reopening && config_.syncookies != 0);
  if (!is_full && half_open_ < limits_.half_open) return true;
  ++shared_.counters.tcp_syn_dropped;
  ++shared_.counters.tcp_listen_drops;
  return false;
}

// In no table yet. Null: no memory, counted.
Connection* Tcp::create_child(const Listener& listener, const FourTuple& tuple) {
  const Result<PortUse*> port = ports_.join(*listener.port(), tuple.local.address, world_);
  Connection* child = port ? create_connection(*port, listener.options()) : nullptr;
  if (!child) {
    ++shared_.counters.tcp_no_memory;
    ++shared_.counters.tcp_listen_drops;
    return nullptr;
  }
  child->set_timestamp_offset(timestamp_offset(tuple, secret_.timestamp));
  return child;
}

void Tcp::add_child(Listener& listener, Connection& child, Instant now) {
  child.links.created_ms = milliseconds(now);
  enter_demux(child);
  listener.add_half_open(child.links);
  ++half_open_;
  arm(child);
}

void Tcp::segment_arrives_closed(const FourTuple& tuple, const Segment& seg) {
  std::optional<Segment> reset = reset_for(seg);
  if (reset) queue_reply({.tuple = tuple, .segment = std::move(*reset)});
}

void Tcp::queue_reply(Reply reply) {
  if (!replies_.push(std::move(reply))) ++shared_.counters.tcp_no_memory;
}

// --- user calls

Result<Connection*> Tcp::open_active(const ActiveOpen& open, Instant now) {
  FourTuple tuple = open.tuple;
  ASSIGN_OR_RETURN(PortUse * port, take_port(open, tuple, now));
  Connection* connection = create_connection(port, open.options);
  if (!connection) {
    ++shared_.counters.tcp_no_memory;
    return Errno::no_buffer_space;
  }
  SeqNum iss = initial_sequence_number(tuple, secret_.isn, now);
  if (TimeWait* before = demux_.find_time_wait(tuple)) {
    iss = later(iss, sequence_number_after(*before));
    remove_time_wait(*before);
  }
  connection->links.has_user = true;
  connection->set_timestamp_offset(timestamp_offset(tuple, secret_.timestamp));
  connection->open_active(tuple, iss, open.mtu, now);
  enter_demux(*connection);
  arm(*connection);
  return connection;
}

// One use of the local port for a connection of `tuple`, whose local port is filled in.
Result<PortUse*> Tcp::take_port(const ActiveOpen& open, FourTuple& tuple, Instant now) {
  if (open.port) {
    tuple.local.port = open.port->port;
    if (!is_tuple_free(tuple, now)) return Errno::address_not_available;
    ports_.set_address(*open.port, tuple.local.address);
    ports_.hold(*open.port);
    return open.port;
  }
  const Ports::Walk walk = ports_.start_walk(tuple.local.address, tuple.remote);
  for (std::uint32_t step = 0; step < kEphemeralCount; ++step) {
    tuple.local.port = walk.candidate(step);
    if (steering_.is_ours && !steering_.is_ours(steering_.context, tuple)) continue;
    if (!is_tuple_free(tuple, now)) continue;
    PortUse* port = ports_.take_automatic(tuple.local, open.sharing, world_);
    if (!port) continue;
    ports_.finish_walk(walk, step);
    return port;
  }
  return Errno::address_not_available;
}

// Linux: tcp_twsk_unique() with tcp_tw_reuse = 2: on loopback timestamps tell the old from the new.
bool Tcp::is_tuple_free(const FourTuple& tuple, Instant now) const {
  if (demux_.find(tuple)) return false;
  const TimeWait* time_wait = demux_.find_time_wait(tuple);
  if (!time_wait) return true;
  const Instant since = time_wait->expires - config_.time_wait;
  return tuple.remote.address.is_loopback() && time_wait->state.has_timestamps &&
         now - since > Duration::seconds(1);
}

Result<Listener*> Tcp::open_passive(const Endpoint& local, PortUse& port,
                                    const UserOptions& options, std::uint32_t backlog) {
  RETURN_IF_ERROR(ports_.listen(port));
  Listener* listener =
      listeners_.create(local, &port, options, std::min(backlog, limits_.max_backlog));
  if (!listener) {
    ports_.stop_listening(port);
    return Errno::no_buffer_space;
  }
  demux_.insert(*listener);
  return listener;
}

void Tcp::set_backlog(Listener& listener, std::uint32_t backlog) {
  listener.set_backlog(std::min(backlog, limits_.max_backlog));
}

Result<Connection*> Tcp::accept(Listener& listener) {
  TcpLinks* child = listener.first_waiting();
  if (!child) return Errno::again;
  listener.accept(*child);
  child->has_user = true;
  return &connection_of(*child);
}

void Tcp::close(Listener& listener, Instant now) {
  demux_.erase(listener);
  ports_.stop_listening(*listener.port());
  while (TcpLinks* child = listener.first_half_open()) drop_child(listener, *child, now);
  while (TcpLinks* child = listener.first_waiting()) drop_child(listener, *child, now);
  while (TcpLinks* child = listener.first_opening()) listener.remove(*child);
  listeners_.destroy(&listener);
}

// Linux: inet_csk_listen_stop(). A half-open one too gets its RST: its peer may believe that it is
// connected (RFC 9293 3.10.5 for SYN-RECEIVED).
void Tcp::drop_child(Listener& listener, TcpLinks& child, Instant now) {
  Connection& connection = connection_of(child);
  if (!child.is_waiting) --half_open_;
  listener.remove(child);
  connection.abort(now);
  settle(connection, now);
}

void Tcp::release(Connection& connection, Instant now) {
  CHECK(connection.links.has_user);
  connection.links.has_user = false;
  settle(connection, now);
}

void Tcp::abort_all(Instant now) {
  demux_.for_each([&](Connection& connection) { connection.abort(now); });
}

bool Tcp::is_delivering() {
  bool found = false;
  demux_.for_each([&](Connection& connection) {
    const State state = connection.status();
    const bool has_said_all =
        state != State::FIN_WAIT_1 && state != State::CLOSING && state != State::LAST_ACK;
    found = found || (!connection.links.has_user && !has_said_all);
  });
  return found;
}

// --- bookkeeping

Listener* Tcp::settle(Connection& connection, Instant now) {
  if (shared_.memory_is_low || ++shared_.settled % kSettledPerLook == 0) note_memory();
  TcpLinks& links = connection.links;
  const State state = connection.status();
  Listener* completed = nullptr;
  if (links.is_fast_open) {
    if (links.is_waiting) completed = links.listener;
    if (state != State::SYN_RECEIVED) leave_fast_open(connection, now);
  } else if (links.listener && !links.is_waiting && state != State::SYN_RECEIVED) {
    completed = leave_half_open(connection);
  }
  if (links.in_demux && state == State::TIME_WAIT) enter_time_wait(connection, now);
  if (links.in_demux && state == State::CLOSED) leave_demux(connection);
  if (links.in_demux) {
    arm(connection);
  } else if (!links.has_user && !links.listener && !connection.is_pending()) {
    connections_.destroy(&connection);
  }
  return completed;
}

// Reset or timed out: the listener never hears of it (MUST-11). Otherwise: into the accept queue.
Listener* Tcp::leave_half_open(Connection& connection) {
  Listener* listener = connection.links.listener;
  --half_open_;
  if (connection.status() == State::CLOSED) {
    listener->remove(connection.links);
    return nullptr;
  }
  listener->complete(connection.links);
  return listener;
}

Connection* Tcp::create_connection(PortUse* port, const UserOptions& options) {
  Connection* connection = connections_.create(shared_);
  if (!connection) {
    ports_.release(*port);
    return nullptr;
  }
  connection->links.port = port;
  connection->options() = options;
  return connection;
}

void Tcp::enter_demux(Connection& connection) {
  CHECK(!connection.links.in_demux);
  connection.links.in_demux = true;
  demux_.insert(connection);
}

void Tcp::leave_demux(Connection& connection) {
  CHECK(connection.links.in_demux);
  demux_.erase(connection);
  connection.timer.disarm();
  connection.links.in_demux = false;
  if (PortUse* port = std::exchange(connection.links.port, nullptr)) ports_.release(*port);
}

// With no room left the oldest has waited longest and is given up.
void Tcp::enter_time_wait(Connection& connection, Instant now) {
  TimeWait* time_wait = nullptr;
  const TimeWaitState state = time_wait_state(connection);
  while (!(time_wait = time_waits_.create(connection.tuple(), state, now + config_.time_wait))) {
    remove_time_wait(*time_waits_.oldest());
  }
  time_wait->port = std::exchange(connection.links.port, nullptr);
  leave_demux(connection);
  demux_.insert(*time_wait);
}

void Tcp::remove_time_wait(TimeWait& time_wait) {
  demux_.erase(time_wait);
  if (time_wait.port) ports_.release(*time_wait.port);
  time_waits_.destroy(time_wait);
}

// --- leaving

Connection* Tcp::next_pending() {
  if (shared_.output_pending.empty()) return nullptr;
  Connection& connection = shared_.output_pending.front();
  shared_.output_pending.pop_front();
  return &connection;
}

void Tcp::link_pending(Connection& connection) {
  if (!connection.is_pending()) shared_.output_pending.push_back(connection);
}

std::optional<Reply> Tcp::next_reply() {
  if (replies_.empty()) return std::nullopt;
  return replies_.pop();
}

// --- time

Instant Tcp::next_timeout() const {
  return earlier(wheel_.next_deadline(), time_waits_.next_timeout());
}

// Only a deadline that becomes earlier touches the wheel; a later one lets the node fire and
// re-arm.
void Tcp::arm(Connection& connection) {
  const Instant deadline = connection.next_timeout();
  if (deadline.is_never()) return;
  if (connection.timer.is_armed() && connection.timer.deadline() <= deadline) return;
  wheel_.arm(connection.timer, deadline);
}

// The connection that had a timeout; null if its deadline had moved meanwhile.
Connection* Tcp::timer_fired(Timer& timer, Instant now) {
  Connection& connection = connection_of(timer);
  if (connection.next_timeout() > now) {
    arm(connection);
    return nullptr;
  }
  const TcpLinks& links = connection.links;
  const bool is_half_open = links.listener && !links.is_waiting && !links.is_fast_open;
  shared_.is_crowded =
      is_half_open && (links.listener->is_crowded() || half_open_ > limits_.half_open / 2);
  connection.timeout(now);
  return &connection;
}

void Tcp::expire_time_waits(Instant now) {
  for (unsigned i = 0; i < kMaxExpired && time_waits_.next_timeout() <= now; ++i) {
    remove_time_wait(*time_waits_.oldest());
  }
}

void Tcp::note_memory() {
  const PacketPool::Shortage shortage = pool_.shortage(limits_.connections);
  shared_.memory_is_low = shortage.is_low;
  shared_.memory_is_scarce = shortage.is_scarce;
  shared_.memory_is_exhausted = shortage.is_exhausted;
}

}  // namespace pollux::tcp
