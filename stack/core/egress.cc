// egress.cc - the way down: what sockets and timers left to send becomes packets, on one page.
#include <bitset>

#include "stack/core/stack.h"
#include "stack/ip/fragmentation.h"
#include "stack/link/arp.h"
#include "stack/link/ethernet.h"
#include "stack/wire/headers.h"

namespace pollux {
namespace {
// Client and server inside one stack make all the progress that Linux's would within a call.
constexpr unsigned kLoopbackRounds = 64;
constexpr std::uint16_t kGsoLimit = 65535 - 60 - 60;  // text of one packet, longest headers

// The tag is in the frame or in the note to the device; a packet that turns around has another's.
void finish_frame(const Interface& out, const ethernet::Addresses& addresses, std::uint16_t type,
                  Packet& packet) {
  ethernet::prepend(packet, addresses, type, out.tag_in_frame());
  packet.meta().has_vlan = out.is_tagged_by_device();
  packet.meta().vlan_tci = out.vlan();
}

// RFC 1122 3.3.6 (all ones), RFC 1112 6.4 (multicast).
MacAddress link_group(const IpAddress& address) {
  if (!address.is_multicast()) return ethernet::kBroadcast;
  const auto& octet = address.octets();
  return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(octet[13] & 0x7f), octet[14], octet[15]};
}
}  // namespace

// Sends until nobody has anything to say, or the devices take no more. Iterative: what turns around
// inside the stack is received here, between rounds, never from within a receive.
void Stack::flush(Instant now) {
  for (unsigned round = 0; round < kLoopbackRounds; ++round) {
    send_tcp(now);
    send_replies(now);
    if (!datagrams_out_.empty()) send_datagrams(now);
    for (auto& out : interfaces_) {
      if (out->neighbours().has_output()) send_neighbour_messages(*out, now);
    }
    if (!receive_loopback(now)) break;
  }
  transmit(now);
  writes_deferred_ = 0;
  waiting_before_ = tcp_.pended() + datagrams_out_.size();
}

void Stack::send_tcp(Instant now) {
  // Who finds no room links itself again, behind the others; the first of those ends the round.
  const tcp::Connection* blocked = nullptr;
  while (tcp::Connection* connection = tcp_.next_pending()) {
    if (connection == blocked) return tcp_.link_pending(*connection);
    if (!send_connection(*connection, now) && !blocked) blocked = connection;
  }
}

// False: it has more to say than there is room for.
bool Stack::send_connection(tcp::Connection& connection, Instant now) {
  const FourTuple& tuple = connection.tuple();
  const Result<Route> route = routes_.lookup(tuple.remote.address);
  if (!route) {
    // Lost at once, as the network would have: its timers run, and R2 ends it.
    while (connection.next_segment(now)) continue;
    connection.icmp_error(route.error(), false, connection.snd().una, now);
    after_event(connection, now);
    return true;
  }
  if (connection.path_mtu() < route->mtu) {  // it ages
    connection.path_may_take(path_mtu_.lookup(tuple.remote.address, route->mtu, now), now);
  }
  const tcp::TxContext context = tx_context(*route);
  connection.set_gso_limit(context.segmentation_by_device ? gso_limit(*route) : std::uint16_t{0});
  while (has_room(*route, now)) {
    const std::optional<tcp::Segment> segment = connection.next_segment(now);
    if (!segment) {
      after_event(connection, now);
      return true;
    }
    tcp::Encoded encoded = tcp_.encode(connection, *segment, context);
    if (!encoded.packet) continue;  // out of memory: as if the network had lost it
    const tcp::UserOptions& options = connection.options();
    const IpSend ip{tuple.local.address,
                    tuple.remote.address,
                    wire::kProtocolTcp,
                    static_cast<std::uint8_t>(options.tos | segment->ecn),  // SHLD-22
                    options.ttl ? options.ttl : kDefaultTtl,
                    options.discovers_path_mtu()};
    send_ip(*route, ip, std::move(encoded), now);
    if (connection.has_said_all()) {
      after_event(connection, now);
      return true;
    }
  }
  tcp_.link_pending(connection);
  after_event(connection, now);
  return false;
}

void Stack::send_replies(Instant now) {
  while (const std::optional<tcp::Reply> reply = tcp_.next_reply()) {
    const Result<Route> route = routes_.lookup(reply->tuple.remote.address);
    if (!route || !has_room(*route, now)) continue;
    tcp::Encoded encoded = tcp_.encode(*reply, tx_context(*route));
    if (!encoded.packet) continue;
    const IpSend ip{reply->tuple.local.address, reply->tuple.remote.address, wire::kProtocolTcp,
                    reply->tos, reply->ttl ? reply->ttl : kDefaultTtl};
    send_ip(*route, ip, std::move(encoded), now);
  }
}

// What finds no room waits its turn, in order; other devices' go on.
void Stack::send_datagrams(Instant now) {
  std::bitset<256> blocked;
  for (std::size_t n = datagrams_out_.size(); n != 0; --n) {
    DatagramOut datagram = datagrams_out_.pop();
    const Result<Route> route = routes_.lookup(datagram.ip.destination);
    if (!route) {
      count_drop(Drop::no_route);
    } else if (blocked[route->interface] || !has_room(*route, now)) {
      blocked.set(route->interface);
      datagrams_out_.push(std::move(datagram));
    } else if (datagram.packet.size() + sizeof(wire::Ipv4Header) <=
               std::min(datagram.mtu, route->mtu)) {
      send_ip(*route, datagram.ip, {.packet = std::move(datagram.packet), .offload = {}}, now);
    } else {
      send_fragments(*route, std::move(datagram), now);
    }
  }
}

void Stack::send_fragments(const Route& route, DatagramOut datagram, Instant now) {
  if (datagram.ip.dont_fragment) return count_drop(Drop::too_large);
  const std::uint16_t mtu = std::min(datagram.mtu, route.mtu);
  Fragmentation pieces(std::move(datagram.packet), datagram.ip, ip_ids_.next(), mtu);
  while (!pieces.is_done()) {
    Packet piece = pieces.next(pool_);
    if (!piece) return count_drop(Drop::no_memory);
    send_on_link(route, std::move(piece), now);
  }
}

void Stack::send_ip(const Route& route, const IpSend& ip, tcp::Encoded&& encoded, Instant now) {
  const std::uint16_t id = ip.dont_fragment ? 0 : ip_ids_.next();
  if (route.interface == kLoopbackInterface) {
    ipv4::prepend(encoded.packet, ip, id, true);
    return send_on_link(route, std::move(encoded.packet), now);
  }
  Interface& out = interface(route.interface);
  const bool by_device = out.caps().tx_ipv4_checksum;
  ipv4::prepend(encoded.packet, ip, id, by_device);
  encoded.offload.ipv4_checksum = by_device;
  encoded.offload.link_length = ethernet::header_length(out.tag_in_frame());
  encoded.offload.ip_length = sizeof(wire::Ipv4Header);
  encoded.packet.request(encoded.offload);
  send_on_link(route, std::move(encoded.packet), now);
}

void Stack::send_on_loopback(Packet packet) {
  // The same memory is read again: nothing can have damaged it.
  packet.meta().ip_checksum = packet.meta().l4_checksum = Checksum::valid;
  if (!loopback_.push(std::move(packet))) count_drop(Drop::queue_full);
}

void Stack::send_on_link(const Route& route, Packet packet, Instant now) {
  if (route.interface == kLoopbackInterface) return send_on_loopback(std::move(packet));
  Interface& out = interface(route.interface);
  if (route.is_broadcast) {
    return put_frame(out, link_group(route.next_hop), std::move(packet), now);
  }
  const Neighbours::Resolved neighbour = out.neighbours().resolve(route.next_hop, packet, now);
  switch (neighbour.resolution) {
    case Neighbours::Resolution::known:
      return put_frame(out, neighbour.mac, std::move(packet), now);
    case Neighbours::Resolution::queued:
      return;
    case Neighbours::Resolution::failed:
      return count_drop(Drop::unresolved);
  }
}

void Stack::put_frame(Interface& out, const MacAddress& to, Packet packet, Instant now) {
  finish_frame(out, {out.caps().mac, to}, ethernet::kTypeIpv4, packet);
  if (!out.enqueue(std::move(packet), now)) ++counters_.tx_refused;
}

// Requests, packets whose neighbour answered, and packets whose neighbour did not.
void Stack::send_neighbour_messages(Interface& out, Instant now) {
  ArpMessage message;
  while (out.has_room() && out.neighbours().next_request(message)) send_arp(out, message, now);
  Packet packet;
  MacAddress mac;
  while (out.has_room() && out.neighbours().next_ready(packet, mac))
    put_frame(out, mac, std::move(packet), now);
  IpAddress next_hop;
  while (out.neighbours().next_failed(packet, next_hop)) give_up(packet, now);
}

void Stack::send_arp(Interface& out, const ArpMessage& message, Instant now) {
  Packet packet = arp::encode(pool_, message);
  if (!packet) return count_drop(Drop::no_memory);
  finish_frame(out, {out.caps().mac, message.frame_destination}, ethernet::kTypeArp, packet);
  if (!out.enqueue(std::move(packet), now)) ++counters_.tx_refused;
}

// RFC 1122 2.3.2.2: whoever sent it hears that the host cannot be reached.
void Stack::give_up(const Packet& packet, Instant now) {
  count_drop(Drop::unresolved);
  const std::optional<icmp::Error> error = icmp::error_about(packet, Errno::host_unreachable);
  if (error) receive_icmp_error(*error, 0, now);
}

bool Stack::has_room(const Route& route, Instant now) {
  if (route.interface == kLoopbackInterface) return !loopback_.full();
  Interface& out = interface(route.interface);
  if (!out.has_room()) out.transmit(now);
  return out.has_room();
}

tcp::TxContext Stack::tx_context(const Route& route) {
  if (route.interface == kLoopbackInterface) return {true, false};
  const DeviceCaps& caps = interface(route.interface).caps();
  return {caps.tx_tcp_checksum, caps.tx_tso};
}

// One segment for the headers, and one because text does not begin where a buffer does.
std::uint16_t Stack::gso_limit(const Route& route) {
  const unsigned segments =
      std::max<unsigned>(interface(route.interface).caps().tx_tso_segments, 3);
  const unsigned limit = (segments - 2) * pool_.data_room();
  return static_cast<std::uint16_t>(std::min<unsigned>(limit, kGsoLimit));
}

void Stack::transmit(Instant now) {
  is_refusing_ = false;
  for (auto& out : interfaces_) {
    out->transmit(now);
    const Interface::Sent sent = out->take_sent();
    counters_.tx_packets += sent.packets;
    counters_.tx_bytes += sent.bytes;
    counters_.tx_dropped += sent.dropped;
    counters_.link_downs += sent.link_downs;
    is_refusing_ = is_refusing_ || out->is_refusing();
  }
}

}  // namespace pollux
