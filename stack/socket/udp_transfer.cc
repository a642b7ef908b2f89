// udp_transfer.cc - UdpSocket: datagrams in and out. Linux: udp_sendmsg(), udp_recvmsg().
#include <netinet/in.h>
// netinet/in.h and ctime come before the kernel's headers, which build on them.
#include <algorithm>
#include <cstring>
#include <ctime>

#include <linux/icmp.h>

#include "stack/socket/control_message.h"
#include "stack/socket/udp_socket.h"

namespace pollux {
namespace {

constexpr std::size_t kMaxLength = 0xffff;
constexpr std::uint32_t kIpHeaderSize = 20;

// Walks the octets of an iovec from the front.
class VectorReader {
 public:
  explicit VectorReader(std::span<const iovec> vector) : vector_(vector) {}
  // Fills `to`; the vector has that many octets left. False: a null pointer.
  bool read(Bytes to) {
    while (!to.empty()) {
      const iovec& part = vector_.front();
      const std::size_t n = std::min(part.iov_len - offset_, to.size());
      if (n != 0 && !part.iov_base) return false;
      if (n != 0) std::memcpy(to.data(), static_cast<const std::byte*>(part.iov_base) + offset_, n);
      to = to.subspan(n);
      offset_ += n;
      if (offset_ < part.iov_len) continue;
      offset_ = 0;
      vector_ = vector_.subspan(1);
    }
    return true;
  }

 private:
  std::span<const iovec> vector_;
  std::size_t offset_ = 0;
};

// Fills the iovec of a receive from the front. Linux: copy_to_iter().
class VectorWriter {
 public:
  explicit VectorWriter(std::span<const iovec> vector) : vector_(vector) {}
  // Returns how much there was room for; sets is_faulty() at a null pointer.
  std::size_t write(ConstBytes from) {
    std::size_t written = 0;
    while (written < from.size() && !vector_.empty() && !faulty_) {
      const iovec& part = vector_.front();
      const std::size_t n = std::min(part.iov_len - offset_, from.size() - written);
      faulty_ = n != 0 && !part.iov_base;
      if (faulty_) break;
      if (n != 0) std::memcpy(static_cast<std::byte*>(part.iov_base) + offset_, &from[written], n);
      written += n;
      offset_ += n;
      if (offset_ < part.iov_len) continue;
      offset_ = 0;
      vector_ = vector_.subspan(1);
    }
    return written;
  }
  bool is_faulty() const { return faulty_; }

 private:
  std::span<const iovec> vector_;
  std::size_t offset_ = 0;
  bool faulty_ = false;
};

::in6_addr to_in6(const IpAddress& address) {
  ::in6_addr in6;
  std::memcpy(&in6, address.octets().data(), sizeof in6);
  return in6;
}

::in_addr to_in(const IpAddress& address) { return {htonl(address.v4_bits())}; }

// IP_MTU_DISCOVER, ip(7). Linux: ip_sk_ignore_df(), ip_sk_use_pmtu(), ip_dont_fragment(): may a
// datagram be cut, is it the path that tells its size or the device, is DF set. 8899: PROBE is what
// a program searches with for the path's MTU, its datagrams whole whatever routers have said.
bool may_cut(std::uint8_t mtu_discover) {
  return mtu_discover == IP_PMTUDISC_DONT || mtu_discover == IP_PMTUDISC_WANT ||
         mtu_discover == IP_PMTUDISC_OMIT;
}
bool looks_at_path(std::uint8_t mtu_discover) { return mtu_discover < IP_PMTUDISC_PROBE; }
bool is_df_set(std::uint8_t mtu_discover, bool fits) {
  const bool always = mtu_discover == IP_PMTUDISC_DO || mtu_discover == IP_PMTUDISC_PROBE;
  return always || (mtu_discover == IP_PMTUDISC_WANT && fits);
}

}  // namespace

Result<std::size_t> UdpSocket::send(const SendMessage& message, Instant now) {
  RETURN_IF_ERROR(bind_if_unbound());
  if (message.length > kMaxLength) return Errno::message_size;
  if ((message.flags & MSG_OOB) != 0) return Errno::not_supported;
  if (is_ping() && message.length < sizeof(::icmphdr)) return Errno::invalid;
  const bool is_held =
      !is_ping() && (options_.has(SocketFlag::udp_cork) || (message.flags & MSG_MORE) != 0);
  // Where it goes was said with its first part.
  Outgoing out = std::move(held_);
  if (!out.packet) {
    ASSIGN_OR_RETURN(out.way, way_of(message));
    ASSIGN_OR_RETURN(out.route, route_of(out.way));
    out.mtu = mtu_of(out, now);
  }
  RETURN_IF_ERROR(append(out, message));
  if (is_held) {
    held_ = std::move(out);
  } else {
    RETURN_IF_ERROR(emit(std::move(out)));
  }
  return message.length;
}

Result<void> UdpSocket::send_held() {
  if (!held_.packet) return {};
  return emit(std::move(held_));
}

Result<void> UdpSocket::emit(Outgoing from) {
  if (world_->datagrams_out.full()) return Errno::no_buffer_space;
  Packet& packet = from.packet;
  const Way& way = from.way;
  if (is_ping()) {
    icmp::finish_echo_request(packet, UdpEndpoint::local.port);
  } else {
    udp::encode(packet, {{way.source, UdpEndpoint::local.port}, way.remote},
                {.no_checksum = options_.has(SocketFlag::no_check)});
  }
  const bool fits = packet.size() + kIpHeaderSize <= from.mtu;
  DatagramOut out{.ip = {.source = way.source,
                         .destination = way.remote.address,
                         .protocol = static_cast<std::uint8_t>(socket_type().protocol),
                         .tos = way.tos,
                         .ttl = way.ttl,
                         .dont_fragment = is_df_set(options_.mtu_discover, fits)},
                  .mtu = from.mtu,
                  .packet = std::move(packet)};
  // A multicast TTL of 0 stays on this host, and nobody here can be a member. Linux:
  // ip_mc_output().
  if (way.ttl != 0) CHECK(world_->datagrams_out.push(std::move(out)));
  // Linux: sock_wfree(). The room of a datagram that leaves is an edge (18.7); its loopback gives
  // it back before anybody receives.
  wait_queue().wake_up(kWritableKey);
  return {};
}

Result<UdpSocket::Way> UdpSocket::way_of(const SendMessage& message) const {
  Way way{.remote = remote,
          .source = UdpEndpoint::local.address,
          .tos = options_.tos,
          .ttl = options_.ttl};
  if (message.to) {
    way.remote = *message.to;
    if (way.remote.port == 0 && !is_ping()) return Errno::invalid;
  } else if (!is_connected) {
    return Errno::destination_required;
  }
  ASSIGN_OR_RETURN(const ControlRequest request, parse_control(message.control));
  if (request.source) {
    if (!world_->routes.is_local(*request.source)) return Errno::invalid;
    way.source = *request.source;
  }
  way.tos = request.tos.value_or(way.tos);
  ASSIGN_OR_RETURN(way.remote, remote_endpoint(way.remote, bound_));
  if (request.ttl) {
    way.ttl = *request.ttl;
  } else if (way.remote.address.is_multicast()) {
    way.ttl = options_.multicast_ttl;
  } else if (way.ttl == 0) {
    way.ttl = kDefaultTtl;
  }
  return way;
}

Result<Route> UdpSocket::route_of(Way& way) const {
  ASSIGN_OR_RETURN(const Route route, route_from(way.source, way.remote.address));
  if (is_broadcast(route, way.remote.address) && !options_.has(SocketFlag::broadcast)) {
    return Errno::access;
  }
  const bool has_source = !way.source.is_unspecified() && !way.source.is_multicast() &&
                          !world_->routes.is_broadcast(way.source);
  if (!has_source) way.source = route.source;
  return route;
}

std::uint16_t UdpSocket::mtu_of(const Outgoing& out, Instant now) const {
  if (!looks_at_path(options_.mtu_discover)) return out.route.mtu;
  return world_->path_mtu.lookup(out.way.remote.address, out.route.mtu, now);
}

Result<void> UdpSocket::check_size(const Outgoing& out, std::size_t length) {
  const std::size_t with_header = length + (is_ping() ? 0u : std::size_t{udp::kHeaderSize});
  const std::size_t most = may_cut(options_.mtu_discover) ? kMaxLength : out.mtu;
  if (with_header + kIpHeaderSize <= most) return {};
  note_too_large(out);
  return Errno::message_size;
}

// Linux: ip_local_error(): who wants to know also learns how large it may be.
void UdpSocket::note_too_large(const Outgoing& out) {
  if (!is_error_kept() || error_count_ == kErrorNotes) return;
  errors_[error_count_++] = {.destination = {out.way.remote.address, remote.port},
                             .reporter = IpAddress::any_v4(),
                             .info = out.mtu,
                             .error = EMSGSIZE};
  wait_queue().wake_up(kErr);
}

// Behind what is held already. Linux: ip_append_data().
Result<void> UdpSocket::append(Outgoing& out, const SendMessage& message) {
  Packet& packet = out.packet;
  RETURN_IF_ERROR(check_size(out, (packet ? packet.size() : 0u) + message.length));
  if (!packet) {
    if (const Errno error = take_error(); error != Errno{}) return error;
    if ((shut_ & kShutSend) != 0) return Errno::pipe;
  }
  VectorReader reader(message.vector);
  std::size_t left = message.length;
  while (!packet || left != 0) {
    if (!packet || packet.tail_room() == 0) {
      Packet piece = world_->pool.allocate();
      if (!piece) return Errno::no_buffer_space;
      if (packet) {
        PacketPool::chain(packet, std::move(piece));
      } else {
        packet = std::move(piece);
      }
    }
    const auto n = static_cast<std::uint16_t>(std::min<std::size_t>(left, packet.tail_room()));
    if (!reader.read(Bytes(packet.put(n), n))) return Errno::fault;
    left -= n;
  }
  if (!is_ping()) return {};
  const auto* header = packet.peek<::icmphdr>();
  return header && header->type == ICMP_ECHO && header->code == 0 ? Result<void>() : Errno::invalid;
}

Result<std::size_t> UdpSocket::receive(ReceiveMessage& message, Instant) {
  if ((message.flags & MSG_ERRQUEUE) != 0) return receive_error(message);
  if (is_ping() && (message.flags & MSG_OOB) != 0) return Errno::not_supported;
  if (const Errno error = take_error(); error != Errno{}) return error;
  if (queue_.empty()) {
    message.control = {};
    // Linux ends a wait, but not a call that does not wait, with 0.
    const bool is_over = (shut_ & kShutReceive) != 0 && (message.flags & MSG_DONTWAIT) == 0;
    if (is_over) return std::size_t{0};
    return Errno::again;
  }
  const DatagramQueue::Front front = queue_.front();
  VectorWriter writer(message.vector);
  std::size_t copied = 0;
  std::size_t skip = sizeof(DatagramNote);
  for (const TextNode* text = front.text; text; text = text->next) {
    copied += writer.write(ConstBytes(text->data, text->size).subspan(skip));
    skip = 0;
  }
  if (copied < front.note.length && !writer.is_faulty()) message.out_flags |= MSG_TRUNC;
  message.from = front.note.from;
  message.has_from = true;
  fill_control(message, front.note);
  if ((message.flags & MSG_PEEK) == 0) queue_.pop();
  if (writer.is_faulty()) return Errno::fault;
  return (message.flags & MSG_TRUNC) != 0 ? std::size_t{front.note.length} : copied;
}

void UdpSocket::fill_control(ReceiveMessage& message, const DatagramNote& note) const {
  ControlWriter writer(message);
  // Linux numbers its interfaces from 1, lo first.
  const int interface = note.interface + 1;
  if (options_.has(SocketFlag::packet_info)) {
    const ::in_addr to = to_in(note.to);
    writer.put(IPPROTO_IP, IP_PKTINFO, ::in_pktinfo{interface, to, to});
  }
  if (options_.has(SocketFlag::receive_ttl)) writer.put(IPPROTO_IP, IP_TTL, int{note.ttl});
  if (options_.has(SocketFlag::receive_tos)) writer.put(IPPROTO_IP, IP_TOS, note.tos);
  if (options_.has(SocketFlag::packet_info_6)) {
    writer.put(IPPROTO_IPV6, IPV6_PKTINFO,
               ::in6_pktinfo{to_in6(note.to), static_cast<unsigned>(interface)});
  }
  if (options_.has(SocketFlag::receive_ttl_6)) {
    writer.put(IPPROTO_IPV6, IPV6_HOPLIMIT, int{note.ttl});
  }
  if (options_.has(SocketFlag::receive_tos_6)) {
    writer.put(IPPROTO_IPV6, IPV6_TCLASS, int{note.tos});
  }
  writer.finish();
}

Result<std::size_t> UdpSocket::receive_error(ReceiveMessage& message) {
  if (error_count_ == 0) {
    message.control = {};
    return Errno::again;
  }
  const ErrorNote note = errors_[0];
  std::move(errors_.begin() + 1, errors_.end(), errors_.begin());
  --error_count_;
  // Linux: sock_dequeue_err_skb(): what is next becomes the pending error, unless it is our own.
  const bool is_local = note.reporter.is_unspecified();
  if (error_count_ != 0 && !errors_[0].reporter.is_unspecified()) {
    error_ = static_cast<Errno>(errors_[0].error);
  } else if (!is_local) {
    error_ = Errno{};
  }
  put_error(message, note, socket_type().family);
  if (error_count_ != 0) wait_queue().wake_up(kErr);
  return std::size_t{0};
}

}  // namespace pollux
