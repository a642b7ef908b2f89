// udp_socket.cc - UdpSocket: names, delivery and readiness. Linux: udp.c, ping.c, datagram_poll().
#include "stack/socket/udp_socket.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "stack/socket/pools.h"

namespace pollux {

UdpSocket::UdpSocket(World& world, const SocketType& type) : Socket(world, type) {}

void UdpSocket::sharing_changed() {
  reuse_address = options_.has(SocketFlag::reuse_address);
  reuse_port = options_.has(SocketFlag::reuse_port);
}

Result<void> UdpSocket::bind(const Endpoint& wanted, Instant) {
  ASSIGN_OR_RETURN(const IpAddress address, local_address(wanted.address));
  if (is_bound) return Errno::invalid;
  RETURN_IF_ERROR(table().bind(*this, {address, wanted.port}));
  bound_ = address;
  is_port_fixed_ = wanted.port != 0;
  return {};
}

Result<void> UdpSocket::bind_if_unbound() {
  if (is_bound) return {};
  if (!table().bind(*this, {bound_, 0})) return Errno::again;
  return {};
}

Result<void> UdpSocket::connect(const Endpoint& given, Instant) {
  RETURN_IF_ERROR(bind_if_unbound());
  ASSIGN_OR_RETURN(const Endpoint wanted, remote_endpoint(given, bound_));
  ASSIGN_OR_RETURN(const Route route, route_from(bound_, wanted.address));
  if (is_broadcast(route, wanted.address) && !options_.has(SocketFlag::broadcast)) {
    return Errno::access;
  }
  if (is_connected) table().disconnect(*this, bound_);
  table().connect(*this, route.source, wanted);
  // What is held back goes there too: Linux keeps its way where connect() looks its own up.
  held_.way.remote = wanted;
  held_.way.source = route.source;
  return {};
}

Result<void> UdpSocket::disconnect(Instant) {
  if (!is_bound) return {};
  if (is_connected) table().disconnect(*this, bound_);
  if (is_port_fixed_) return {};
  table().unbind(*this);
  UdpEndpoint::local = {bound_, 0};
  return {};
}

Result<Endpoint> UdpSocket::peer() const {
  // Linux: inet_getname() calls port 0 no peer, though connect() took it.
  if (!is_connected || remote.port == 0) return Errno::not_connected;
  return remote;
}

// 18.6: it takes effect even where it fails.
Result<void> UdpSocket::shutdown(int how, Instant) {
  if (how < SHUT_RD || how > SHUT_RDWR) return Errno::invalid;
  shut_ = static_cast<std::uint8_t>(shut_ | (how + 1));
  wait_queue().wake_up_all();
  if (!is_connected) return Errno::not_connected;
  return {};
}

Result<int> UdpSocket::ioctl(unsigned long request, Instant) {
  switch (request) {
    case FIONREAD:
      return queue_.empty() ? 0 : static_cast<int>(queue_.front().note.length);
    case SIOCOUTQ:
      return 0;
    default:
      return Errno::not_tty;
  }
}

PollEvents UdpSocket::poll() {
  PollEvents ready = kOut | kWrNorm | kWrBand;  // 18.1
  if (error_ != Errno{} || error_count_ != 0) {
    ready |= kErr;
    if (options_.has(SocketFlag::select_error_queue)) ready |= kPri;  // 15.11
  }
  if ((shut_ & kShutReceive) != 0) ready |= kIn | kRdNorm | kRdHup;
  if (shut_ == kShutBoth || error_ == Errno::network_down) ready |= kHup;
  if (!queue_.empty()) ready |= kIn | kRdNorm;
  return ready;
}

Errno UdpSocket::take_error() { return std::exchange(error_, Errno{}); }

void UdpSocket::set_send_buffer(std::uint32_t octets, Instant) {
  send_buffer_ = octets;
  wait_queue().wake_up(kWritableKey);  // 17.13, for datagrams too
}

void UdpSocket::deliver(udp::Datagram datagram, Instant) {
  // As Linux: what is over the limit already takes no more, so the last one may exceed it.
  if (queue_.true_size() > receive_buffer_) {
    ++world_->counters.udp_queue_full;
    return;
  }
  const DatagramNote note{.from = datagram.tuple.remote,
                          .to = datagram.tuple.local.address,
                          .interface = datagram.info.interface,
                          .tos = datagram.info.tos,
                          .ttl = datagram.info.ttl};
  if (datagram.info.interface != kLoopbackInterface) has_napi_id_ = true;
  if (!queue_.push(std::move(datagram.packet), note)) return;
  ++world_->counters.udp_datagrams_in;
  wait_queue().wake_up(kReadableKey);
}

void UdpSocket::deliver_copy(const udp::Datagram& datagram, Instant now) {
  Packet copy = world_->pool.allocate();
  std::uint32_t copied = 0;
  const std::uint32_t size = datagram.packet.size();
  for (Packet piece; copy && copied < size;) {
    piece = copied == 0 ? Packet() : world_->pool.allocate();
    Packet& into = copied == 0 ? copy : piece;
    if (!into) return;
    const auto n = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(size - copied, world_->pool.data_room()));
    datagram.packet.copy_out(copied, Bytes(into.put(n), n));
    if (copied != 0) PacketPool::chain(copy, std::move(piece));
    copied += n;
  }
  if (copy) deliver({datagram.tuple, datagram.info, std::move(copy)}, now);
}

bool UdpSocket::believes_path_mtu() const {
  return options_.mtu_discover != IP_PMTUDISC_INTERFACE &&
         options_.mtu_discover != IP_PMTUDISC_OMIT;
}

bool UdpSocket::is_error_kept() const {
  return options_.has(SocketFlag::receive_error) || options_.has(SocketFlag::receive_error_6);
}

// Linux: __udp4_lib_err(), ping_err(). Without IP_RECVERR only a connected socket hears, and only
// of what is final (18.4).
void UdpSocket::deliver_error(const icmp::Error& error, Instant) {
  const bool is_final = error.is_hard || error.is_too_big;
  if (error.is_too_big && options_.mtu_discover == IP_PMTUDISC_DONT) return;
  const Errno what = error.is_too_big ? Errno::message_size : error.error;
  const bool is_kept = is_error_kept();
  if (!is_kept && (!is_final || !is_connected)) return;
  if (is_kept && error_count_ < kErrorNotes) {
    errors_[error_count_++] = note_of(error, what);
  }
  error_ = what;
  wait_queue().wake_up(kErr);
}

// One call hears of it; what comes from inside the stack is received as before.
void UdpSocket::on_network_down() {
  error_ = Errno::network_down;
  wait_queue().wake_up_all();
}

void UdpSocket::on_last_close() {
  World& world = *world_;
  const Instant now = world.gate.enter();
  queue_.clear();
  held_.packet.reset();
  if (is_bound) {
    if (is_connected) table().disconnect(*this, bound_);
    table().unbind(*this);
  }
  socket_pools::destroy(this);
  world.gate.leave(now);
}

}  // namespace pollux
