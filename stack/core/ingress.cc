// ingress.cc - the way up: from a device's burst to the sockets, on one page.
#include "stack/core/stack.h"
#include "stack/link/arp.h"
#include "stack/link/ethernet.h"
#include "stack/socket/tcp_socket.h"
#include "stack/socket/udp_socket.h"
#include "stack/udp/udp.h"
#include "stack/wire/headers.h"

namespace pollux {
namespace {

IpSend answer_to(const IpInfo& ip) {
  return {.source = ip.destination,
          .destination = ip.source,
          .protocol = wire::kProtocolIcmp,
          .tos = ip.tos,
          .dont_fragment = false};
}

}  // namespace

void Stack::receive(Interface& in, Packet packet, Instant now) {
  ++counters_.rx_packets;
  counters_.rx_bytes += packet.size();
  const Accepted<ethernet::Frame> frame = ethernet::accept(packet, in.caps().mac, in.vlan());
  if (!frame) return count_drop(frame.error());
  switch (frame->type) {
    case ethernet::kTypeIpv4:
      return receive_ip(std::move(packet), {routes_, in.id(), frame->is_broadcast}, now);
    case ethernet::kTypeArp:
      return receive_arp(in, packet, now);
    default:
      return count_drop(Drop::unknown_ether_type);
  }
}

void Stack::receive_arp(Interface& in, const Packet& packet, Instant now) {
  const Accepted<ArpMessage> message = arp::decode(packet);
  if (!message) return count_drop(message.error());
  const Accepted<Neighbours::ArpOutcome> outcome = in.neighbours().input(*message, now);
  if (!outcome) return count_drop(outcome.error());
  if (outcome->conflict) ++counters_.arp_conflicts;
  if (outcome->reply) send_arp(in, *outcome->reply, now);
  if (peers_) share_arp(in.id(), *message);
}

void Stack::receive_ip(Packet packet, const ipv4::AcceptContext& context, Instant now) {
  Accepted<ipv4::Arrived> arrived = ipv4::accept(std::move(packet), context);
  if (!arrived) return count_drop(arrived.error());
  if (arrived->is_fragment) {
    arrived = reassembly_.add(std::move(*arrived), now);
    if (!arrived) return count_drop(arrived.error());
  }
  receive_datagram(std::move(*arrived), now);
}

void Stack::receive_datagram(ipv4::Arrived&& arrived, Instant now) {
  switch (arrived.info.protocol) {
    case wire::kProtocolTcp:
      return receive_tcp(arrived.info, std::move(arrived.packet), now);
    case wire::kProtocolUdp:
      return receive_udp(arrived.info, std::move(arrived.packet), now);
    case wire::kProtocolIcmp:
      return receive_icmp(arrived.info, std::move(arrived.packet), now);
    default:
      break;
  }
  count_drop(Drop::unknown_protocol);
  refuse(arrived.info, arrived.packet, {.code = icmp::kProtocolUnreachable}, now);
}

void Stack::receive_tcp(const IpInfo& ip, Packet packet, Instant now) {
  ++counters_.tcp_segments_in;
  Accepted<tcp::Arrival> arrival =
      tcp_.decode({ip.source, ip.destination, ip.tos, ip.is_broadcast}, std::move(packet));
  if (!arrival) return count_drop(arrival.error());
  receive_segment(std::move(*arrival), 0, now);
}

void Stack::receive_segment(tcp::Arrival&& arrival, NapiSet visited, Instant now) {
  const FourTuple tuple = arrival.tuple;
  tcp::Listener* listener = nullptr;
  if (tcp::Connection* connection = tcp_.find_connection(tuple)) {
    if (visited != 0 && connection->status() == tcp::State::SYN_SENT) ++counters_.rss_misses;
    if (!tcp_.may_receive(*connection, arrival.segment, now)) return;
    const tcp::SeqNum una = connection->snd().una;
    connection->segment_arrives(std::move(arrival.segment), now);
    if (connection->snd().una != una) confirm_neighbour(tuple.remote.address, now);
    return after_event(*connection, now);
  }
  if (tcp::TimeWait* time_wait = tcp_.find_time_wait(tuple)) {
    listener = tcp_.segment_arrives_time_wait(*time_wait, arrival.segment, now);
  } else if (peers_ && pass_on(arrival, visited, now)) {
    return;
  } else if (listener = tcp_.find_listener(tuple); !listener) {
    tcp_.segment_arrives_closed(tuple, arrival.segment);
  }
  if (!listener) return;
  tcp::Connection* const made = tcp_.segment_arrives_listen(
      *listener, tuple, std::move(arrival.segment), mtu_to(tuple.remote.address, now), now);
  if (made) after_event(*made, now);
}

// RFC 4861 7.3.1: what was acknowledged has arrived, so whoever carries it is there. Linux:
// dst_confirm().
void Stack::confirm_neighbour(const IpAddress& remote, Instant now) {
  for (auto& out : interfaces_) {
    if (!out->neighbours().has_doubts()) continue;
    const Result<Route> route = routes_.lookup(remote);
    if (route && route->interface == out->id()) out->neighbours().confirm(route->next_hop, now);
  }
}

// Takes what happened to the connection: wakes its socket or its listener's, re-arms its timer, may
// end it.
void Stack::after_event(tcp::Connection& connection, Instant now) {
  const tcp::EventSet events = connection.take_events();
  if (TcpSocket* socket = TcpSocket::of(connection)) socket->on_events(events);
  if (events.has(tcp::Event::path_mtu)) {
    lower_path_mtu(connection.tuple().remote.address, connection.path_mtu(), now);
  }
  tcp::Listener* listener = tcp_.settle(connection, now);
  if (!listener || !listener->take_readable()) return;
  if (TcpSocket* socket = TcpSocket::of(*listener)) {
    socket->on_acceptable();
  } else if (listener->group) {
    tell_acceptable(*listener);
  }
}

void Stack::receive_udp(const IpInfo& ip, Packet packet, Instant now) {
  Accepted<udp::Datagram> datagram = udp::decode(ip, std::move(packet));
  if (!datagram) return count_drop(datagram.error());
  if (!has_datagrams()) return pass_on_datagram({0, std::move(*datagram)});
  receive_udp_datagram(std::move(*datagram), now);
}

void Stack::receive_udp_datagram(udp::Datagram&& datagram, Instant now) {
  if (datagram.info.is_broadcast) {
    udp_.for_each_match(datagram.tuple, [&](UdpEndpoint& endpoint) {
      UdpSocket::of(endpoint).deliver_copy(datagram, now);
    });
    return;
  }
  if (UdpEndpoint* endpoint = udp_.find(datagram.tuple)) {
    return UdpSocket::of(*endpoint).deliver(std::move(datagram), now);
  }
  count_drop(Drop::no_port);
  refuse(datagram.info, datagram.packet,
         {.code = icmp::kPortUnreachable, .pulled = udp::kHeaderSize}, now);
}

void Stack::receive_icmp(const IpInfo& ip, Packet packet, Instant now) {
  ++counters_.icmp_in;
  const Accepted<icmp::Arrived> arrived = icmp::decode(ip, packet, routes_);
  if (!arrived) return count_drop(arrived.error());
  switch (arrived->kind) {
    case icmp::Kind::echo_request:
      icmp::make_echo_reply(packet);
      answer(ip, std::move(packet), now);
      return;
    case icmp::Kind::echo_reply: {
      const FourTuple tuple{{ip.destination, arrived->id}, {ip.source, 0}};
      udp::Datagram reply{tuple, ip, std::move(packet)};
      if (!has_datagrams()) return pass_on_datagram({0, Letter::EchoReply{std::move(reply)}});
      return receive_echo_reply(std::move(reply), now);
    }
    case icmp::Kind::error:
      return receive_icmp_error(arrived->error, 0, now);
  }
}

void Stack::receive_echo_reply(udp::Datagram&& reply, Instant now) {
  if (UdpEndpoint* endpoint = ping_.find(reply.tuple)) {
    return UdpSocket::of(*endpoint).deliver(std::move(reply), now);
  }
  count_drop(Drop::no_port);
}

// RFC 5927: whoever sent the quoted packet decides what the error means.
void Stack::receive_icmp_error(const icmp::Error& error, NapiSet visited, Instant now) {
  tcp::Connection* connection = nullptr;
  if (error.protocol == wire::kProtocolTcp) connection = tcp_.find_connection(error.tuple);
  if (peers_ && !connection && pass_on(error, visited)) return;
  if (connection) {
    const tcp::SeqNum quoted(error.seq);
    if (error.is_too_big) {
      connection->path_mtu(error.next_hop_mtu(), quoted, now);
    } else {
      const bool was_connecting = connection->status() == tcp::State::SYN_SENT;
      connection->icmp_error(error.error, error.is_hard, quoted, now);
      const bool is_over = connection->status() == tcp::State::CLOSED;
      TcpSocket* socket = was_connecting && is_over ? TcpSocket::of(*connection) : nullptr;
      if (socket) socket->on_connect_error(error);
    }
    return after_event(*connection, now);
  }
  const UdpTable* table = error.protocol == wire::kProtocolUdp    ? &udp_
                          : error.protocol == wire::kProtocolIcmp ? &ping_
                                                                  : nullptr;
  UdpEndpoint* endpoint = table ? table->find(error.tuple) : nullptr;
  if (!endpoint) return;
  UdpSocket& socket = UdpSocket::of(*endpoint);
  if (error.is_too_big && socket.believes_path_mtu()) {
    lower_path_mtu(error.tuple.remote.address, error.next_hop_mtu(), now);
  }
  socket.deliver_error(error, now);
}

void Stack::lower_path_mtu(const IpAddress& destination, std::uint16_t mtu, Instant now) {
  const Result<Route> route = routes_.lookup(destination);
  if (route) path_mtu_.report(destination, {mtu, route->mtu}, now);
}

// Tells the sender why, where RFC 1122 3.2.2 allows it and the budget lasts.
void Stack::refuse(const IpInfo& ip, const Packet& packet, const icmp::ErrorToSend& what,
                   Instant now) {
  if (!icmp::may_send_error(ip, packet, what)) return;
  // Linux: icmpv4_xrlim_allow() knows no limit on loopback.
  const bool is_inside = ip.interface == kLoopbackInterface;
  if (!is_inside && !icmp_rate_limit_.allow(ip.source, now)) return;
  Accepted<Packet> error = icmp::make_error(pool_, ip, packet, what);
  if (!error) return count_drop(error.error());
  ++counters_.icmp_out;
  answer(ip, std::move(*error), now);
}

void Stack::answer(const IpInfo& ip, Packet packet, Instant now) {
  datagrams_out_.push({answer_to(ip), mtu_to(ip.source, now), std::move(packet)});
}

// What turned around inside the stack. False: there was nothing.
bool Stack::receive_loopback(Instant now) {
  if (loopback_.empty()) return false;
  for (std::size_t n = loopback_.size(); n != 0; --n) {
    ++counters_.loopback_packets;
    receive_ip(loopback_.pop(), {routes_, kLoopbackInterface, false}, now);
  }
  return true;
}

}  // namespace pollux
