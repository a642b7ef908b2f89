// tcp_socket.cc - TcpSocket: bind, connect, listen, accept, shutdown, close: the states of a
// stream. Linux: inet_stream_connect(), inet_listen(), inet_csk_accept(), inet_shutdown(),
// tcp_close().
#include "stack/socket/tcp_socket.h"

#include "stack/socket/pools.h"
#include "stack/tcp/tcp.h"

namespace pollux {

using tcp::Connection;
using tcp::Listener;
using tcp::State;
using tcp::StateSet;

namespace {

constexpr StateSet kHandshake = State::SYN_SENT | State::SYN_RECEIVED;
// Gone from Linux's struct sock: tcp_sock says CLOSE in TIME-WAIT too.
constexpr StateSet kOver = State::CLOSED | State::TIME_WAIT;

}  // namespace

TcpSocket::TcpSocket(World& world, const SocketType& type, IdleTcp& idle_state)
    : Socket(world, type), role_(Idle{&idle_state}) {}

TcpSocket::TcpSocket(World& world, const SocketType& type, Connection* connection)
    : Socket(world, type), role_(Connected{connection}) {}

TcpSocket* TcpSocket::of(Connection& connection) {
  return static_cast<TcpSocket*>(connection.user);
}

TcpSocket* TcpSocket::of(Listener& listener) { return static_cast<TcpSocket*>(listener.user); }

IdleTcp* TcpSocket::idle() const {
  const Idle* role = std::get_if<Idle>(&role_);
  return role ? role->state : nullptr;
}

Connection* TcpSocket::connection() const {
  const Connected* role = std::get_if<Connected>(&role_);
  return role ? role->connection : nullptr;
}

Listener* TcpSocket::listener() const {
  const Listening* role = std::get_if<Listening>(&role_);
  return role ? role->listener : nullptr;
}

bool TcpSocket::is_over() const {
  const Connection* c = connection();
  return c && kOver.has(c->status());
}

const tcp::TcpConfig& TcpSocket::config() const { return world_->tcp.config(); }

tcp::PortSharing TcpSocket::sharing() const {
  return {.reuse_address = options_.has(SocketFlag::reuse_address),
          .reuse_port = options_.has(SocketFlag::reuse_port),
          .v6_only = options_.has(SocketFlag::v6_only)};
}

void TcpSocket::sharing_changed() {
  if (port_) world_->tcp.ports().set_sharing(*port_, sharing());
}

Result<void> TcpSocket::bind(const Endpoint& local, Instant) {
  ASSIGN_OR_RETURN(const IpAddress address, local_address(local.address));
  if (!(idle() || is_over())) return Errno::invalid;
  const bool is_port_kept = idle() || is_bound_anew_ || is_port_fixed_;
  if (port_ && is_port_kept) return Errno::invalid;
  let_go_of_port();  // of a connection that is over: Linux had done so at CLOSE
  if (local.port == 0 && options_.has(SocketFlag::bind_address_no_port)) {
    bound_ = address;
    return {};
  }
  const Result<void> result = bind_port({address, local.port});
  // Linux: __inet_bind() forgets the address where it finds no port, and keeps the old port's
  // number.
  bound_ = result.ok() ? address : IpAddress::any_v4();
  is_port_fixed_ = result.ok() && local.port != 0;
  if (is_over()) last_port_ = connection()->tuple().local.port;
  is_bound_anew_ = is_over();
  return result;
}

Result<void> TcpSocket::bind_port(const Endpoint& local) {
  tcp::Tcp& tcp = world_->tcp;
  ASSIGN_OR_RETURN(port_, tcp.ports().bind(local, sharing(), tcp.world()));
  return {};
}

void TcpSocket::let_go_of_port() {
  if (port_) world_->tcp.ports().release(*std::exchange(port_, nullptr));
  is_port_fixed_ = false;
}

Result<void> TcpSocket::connect(const Endpoint& remote, Instant now) {
  if (phase_ == Phase::connected || listener()) return Errno::is_connected;
  if (is_deferred()) return Errno::is_connected;
  if (phase_ == Phase::connecting) return finish_connect(now);
  if (phase_ == Phase::disconnecting) return Errno::invalid;
  return start_connect(remote, options_.has(SocketFlag::fast_open_connect), now);
}

bool TcpSocket::is_deferred() const {
  const Connection* c = connection();
  return c && c->is_syn_deferred();
}

bool TcpSocket::is_connecting() const {
  const Connection* c = connection();
  return phase_ == Phase::connecting && c && kHandshake.has(c->status());
}

Result<void> TcpSocket::start_connect(const Endpoint& given, bool with_text, Instant now) {
  ASSIGN_OR_RETURN(const Endpoint remote, remote_endpoint(given, bound_));
  ASSIGN_OR_RETURN(const Route route, route_from(bound_, remote.address));
  // RFC 1122 4.2.3.10 (MUST-46).
  if (route.is_broadcast || is_broadcast(route, remote.address)) return Errno::network_unreachable;
  const IpAddress source = bound_.is_unspecified() ? route.source : bound_;
  const tcp::ActiveOpen open{.tuple = {{source, port_ ? port_->port : std::uint16_t{0}}, remote},
                             .port = port_,
                             .sharing = sharing(),
                             .options = idle()->options,
                             .mtu = world_->path_mtu.lookup(remote.address, route.mtu, now)};
  ASSIGN_OR_RETURN(Connection* const opened, world_->tcp.open_active(open, now));
  const bool needs_no_cookie = options_.has(SocketFlag::fast_open_no_cookie) ||
                               (config().fastopen & tcp::kFastOpenClientNoCookie) != 0;
  const bool is_waiting = with_text && opened->defer_syn(needs_no_cookie, now);
  become_connected(*opened);
  phase_ = Phase::connecting;
  after_call(*opened, now);
  if (is_waiting) return {};
  return Errno::in_progress;
}

// How a connect that was in progress has ended; it says so once (16.26, 16.27).
Result<void> TcpSocket::finish_connect(Instant now) {
  Connection& c = *connection();
  if (kHandshake.has(c.status())) return Errno::already;
  if (!kOver.has(c.status())) {
    phase_ = Phase::connected;
    return {};
  }
  const Errno error = c.take_error();
  become_idle(Errno{}, now);
  wait_queue().wake_up(kErr);  // as after connect(AF_UNSPEC), 17.12
  return error == Errno{} ? Errno::connection_aborted : error;
}

void TcpSocket::become_connected(Connection& opened) {
  if (idle()) socket_pools::destroy(idle());
  opened.user = this;
  role_ = Connected{&opened};
  is_bound_anew_ = false;
  error_ = Errno{};
}

void TcpSocket::become_idle(Errno error, Instant now) {
  last_port_ = local().port;
  IdleTcp* state = socket_pools::create_idle();
  state->options = *user_options();
  state->options.is_send_shut = false;
  state->defer_accept_s = defer_accept_s();
  if (const tcp::FastOpenOptions* own = fast_open()) state->fast_open = *own;
  error_ = error;
  if (Connection* c = connection()) {
    c->user = nullptr;
    world_->tcp.release(*c, now);
  } else if (Listener* l = listener()) {
    l->user = nullptr;
    if (l->group) world_->gate.unshare(*l);
    set_napis(world_->napis);
    world_->tcp.close(*l, now);
  }
  role_ = Idle{state};
  // Linux gives an automatic port back at CLOSE: one that came after that stays.
  if (!is_port_fixed_ && !is_bound_anew_) let_go_of_port();
  is_bound_anew_ = false;
  phase_ = Phase::unconnected;
  shut_ = 0;
}

Result<void> TcpSocket::disconnect(Instant now) {
  if (idle()) {
    shut_ = 0;
    idle()->options.is_send_shut = false;
  } else {
    become_idle(hang_up(now), now);
  }
  wait_queue().wake_up(kErr);  // 17.12
  return {};
}

Errno TcpSocket::hang_up(Instant now) {
  Connection* c = connection();
  if (!c) return Errno{};
  const Errno pending = c->pending_error();
  const State was = c->status();
  if (!kOver.has(was)) c->abort(now);
  // An orderly end that is only waiting for its acknowledgment is no error (Linux:
  // tcp_need_reset()).
  const StateSet quiet = kOver | State::CLOSING | State::LAST_ACK;
  return quiet.has(was) ? pending : Errno::connection_reset;
}

Result<void> TcpSocket::listen(int backlog, Instant) {
  if (phase_ != Phase::unconnected || connection()) return Errno::invalid;
  // Negative: as large as allowed; Linux compares unsigned.
  const auto limit = static_cast<std::uint32_t>(backlog);
  if (Listener* l = listener()) {
    world_->tcp.set_backlog(*l, limit);
    option_was_set();
    return {};
  }
  if (!port_) RETURN_IF_ERROR(bind_port({bound_, 0}));
  IdleTcp* state = idle();
  const Endpoint local{bound_, port_->port};
  ASSIGN_OR_RETURN(Listener* const l,
                   world_->tcp.open_passive(local, *port_, state->options, limit));
  l->set_defer_accept(Duration::seconds(state->defer_accept_s));
  l->fast_open() = state->fast_open;
  l->fast_open().needs_no_cookie = options_.has(SocketFlag::fast_open_no_cookie);
  l->user = this;
  socket_pools::destroy(state);
  role_ = Listening{l};
  constexpr std::uint32_t kUnasked = tcp::kFastOpenServer | tcp::kFastOpenAllListeners;
  const bool is_unasked = (config().fastopen & kUnasked) == kUnasked;
  if (is_unasked && l->fast_open().max_requests == 0) {
    RETURN_IF_ERROR(set_fast_open_requests(limit));
  }
  // Those of a SO_REUSEPORT group are one for each thread, and so for each queue, by intention.
  if (world_->gate.peers() == 0 || options_.has(SocketFlag::reuse_port)) return {};
  add_napis(world_->gate.peers());
  wait_queue().wake_up_all(kLookAgain);
  world_->gate.share(*this, *l);
  return {};
}

Inheritance TcpSocket::inheritance() const {
  const SocketType own = socket_type();
  return {own.family, own.type, own.protocol, options_, shut_, bound_};
}

Result<Socket*> TcpSocket::accept(Instant now) {
  Listener* l = listener();
  if (!l) return Errno::invalid;
  if (error_ == Errno::network_down) return take_error();
  return accept_from(*world_, *l, inheritance(), now);
}

// Linux's accept queue is one, first in first out: nobody in it waits for ever.
bool TcpSocket::is_others_turn() {
  ListenGroup* const all = group();
  return all && all->acceptable.load() != 0 && ++all->turn % 2 != 0;
}

std::optional<AcceptTicket> TcpSocket::ticket() {
  ListenGroup* const all = group();
  if (!all || all->acceptable.load() == 0) return std::nullopt;
  return AcceptTicket{all, all->turn / 2, inheritance()};
}

Result<Socket*> TcpSocket::accept_from(World& world, Listener& l, const Inheritance& inheritance,
                                       Instant now) {
  if (!l.is_acceptable()) return Errno::again;
  TcpSocket* socket = socket_pools::create_tcp(
      world, {inheritance.family, inheritance.type, inheritance.protocol}, nullptr);
  if (!socket) return Errno::system_files;
  Result<Connection*> accepted = world.tcp.accept(l);
  if (!accepted) {
    socket_pools::destroy(socket);
    return accepted.error();
  }
  socket->options_ = inheritance.options;
  socket->shut_ = inheritance.shut;
  // What connect(AF_UNSPEC) leaves; Linux: SOCK_BINDADDR_LOCK.
  socket->bound_ = inheritance.bound;
  socket->become_connected(**accepted);
  socket->phase_ = Phase::connected;
  socket->after_call(**accepted, now);
  return socket;
}

Result<void> TcpSocket::shutdown(int how, Instant now) {
  if (how < SHUT_RD || how > SHUT_RDWR) return Errno::invalid;
  Result<void> result;
  if (Connection* c = connection()) {
    if (kOver.has(c->status())) {
      if (phase_ == Phase::connecting) phase_ = Phase::disconnecting;
      result = Errno::not_connected;
    } else if (c->status() == State::SYN_SENT) {
      become_idle(hang_up(now), now);
    } else {
      phase_ = Phase::connected;
      shutdown_connection(*c, how, now);
    }
  } else if (listener()) {
    if (how != SHUT_WR) become_idle(Errno{}, now);
  } else {
    shut_ = static_cast<std::uint8_t>(shut_ | (how + 1));
    idle()->options.is_send_shut = (shut_ & kShutSend) != 0;
    result = Errno::not_connected;
  }
  wait_queue().wake_up_all();  // 17.8
  return result;
}

void TcpSocket::shutdown_connection(Connection& c, int how, Instant now) {
  if (((how + 1) & kShutReceive) != 0) c.shutdown_receive(now);
  if (((how + 1) & kShutSend) != 0) c.shutdown_send(now);
  after_call(c, now);
}

void TcpSocket::after_call(Connection& c, Instant now) {
  on_events(c.take_events());
  world_->tcp.settle(c, now);
}

bool TcpSocket::is_sending() const {
  const Connection* c = connection();
  return c && (State::FIN_WAIT_1 | State::CLOSING | State::LAST_ACK).has(c->status());
}

void TcpSocket::on_last_close() {
  Instant now = world_->gate.enter();
  const bool wait = begin_close(now);
  if (wait) {
    world_->gate.leave(now);
    world_->gate.wait_for_hang_up(*this, Duration::seconds(options_.linger_s));
    now = world_->gate.enter();
  }
  World& world = *world_;
  end_close(now);
  world.gate.leave(now);
}

// True: SO_LINGER wants the caller to wait until the peer has acknowledged all.
bool TcpSocket::begin_close(Instant now) {
  Connection* c = connection();
  if (!c || kOver.has(c->status()) || !options_.has(SocketFlag::linger)) return false;
  if (options_.linger_s == 0) {
    c->abort(now);
    return false;
  }
  if (c->readable_octets() != 0 || kHandshake.has(c->status())) return false;
  c->shutdown_send(now);
  lingers_ = true;
  after_call(*c, now);
  return is_sending();
}

void TcpSocket::end_close(Instant now) {
  if (IdleTcp* state = idle()) {
    socket_pools::destroy(state);
  } else if (Listener* l = listener()) {
    l->user = nullptr;
    if (l->group) world_->gate.unshare(*l);
    world_->tcp.close(*l, now);
  } else if (Connection* c = connection()) {
    c->user = nullptr;
    if (!kOver.has(c->status())) c->close(now);
    world_->tcp.release(*c, now);
  }
  let_go_of_port();
  if (error_notes_ != 0) world_->stream_errors.forget(this);
  socket_pools::destroy(this);
}

Endpoint TcpSocket::local() const {
  if (const Connection* c = connection(); c && !is_bound_anew_) return c->tuple().local;
  if (const Listener* l = listener()) return l->local();
  return {bound_, port_ ? port_->port : last_port_};
}

Result<Endpoint> TcpSocket::peer() const {
  const Connection* c = connection();
  if (!c || (kOver | State::SYN_SENT).has(c->status())) return Errno::not_connected;
  return c->tuple().remote;
}

Endpoint TcpSocket::accepted_from() const {
  const Connection* c = connection();
  return c ? c->tuple().remote : Endpoint{};
}

}  // namespace pollux
