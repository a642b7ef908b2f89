// sockopt_ip.cc - the rows of IPPROTO_IP and IPPROTO_IPV6. ip(7), ipv6(7).
//
// Left out, so ENOPROTOOPT: membership of multicast groups, IP_OPTIONS, IP_HDRINCL, IP_RECVOPTS,
// IP_LOCAL_PORT_RANGE, security policies. IP_TRANSPARENT answers what Linux answers when it
// refuses.
#include <netinet/in.h>

#include "stack/socket/sockopt.h"
#include "stack/tcp/connection.h"

namespace pollux {
namespace {

constexpr std::uint8_t kEcnMask = 3;
constexpr int kMtuDiscoverMax = 5;  // IP_PMTUDISC_OMIT

// IP_TOS, as an accepted connection gets it too.
Result<int> get_tos(Socket& s) { return s.options().tos; }
Result<void> set_tos(Socket& s, int value, Instant) {
  auto tos = static_cast<std::uint8_t>(value);
  // TCP says for itself what ECN there is.
  if (s.is_stream())
    tos = static_cast<std::uint8_t>((tos & ~kEcnMask) | (s.options().tos & kEcnMask));
  s.options().tos = tos;
  if (tcp::UserOptions* tcp = s.user_options()) tcp->tos = tos;
  return {};
}

Result<int> get_ttl(Socket& s) { return s.options().ttl != 0 ? s.options().ttl : kDefaultTtl; }
Result<void> set_ttl(Socket& s, int value, Instant) {
  if (value == 0) return Errno::invalid;
  const auto ttl = static_cast<std::uint8_t>(value < 0 ? 0 : value);
  s.options().ttl = ttl;
  if (tcp::UserOptions* tcp = s.user_options()) tcp->ttl = ttl;
  return {};
}

Result<void> set_receive_error(Socket& s, int value, Instant) {
  s.options().set(SocketFlag::receive_error, value != 0);
  if (tcp::UserOptions* tcp = s.user_options()) tcp->receive_error = value != 0;
  return {};
}

Result<int> get_mtu_discover(Socket& s) { return s.options().mtu_discover; }
Result<void> set_mtu_discover(Socket& s, int value, Instant) {
  s.options().mtu_discover = static_cast<std::uint8_t>(value);
  if (tcp::UserOptions* tcp = s.user_options()) tcp->mtu_discover = value & 7;
  return {};
}
// Of the path, as far as it is known.
Result<socklen_t> get_mtu(Socket& s, Option::Room room, Instant now) {
  ASSIGN_OR_RETURN(const Endpoint peer, s.peer());
  const Result<Route> route = s.world().routes.lookup(peer.address);
  if (!route) return Errno::not_connected;
  return copy_object(int{s.world().path_mtu.lookup(peer.address, route->mtu, now)}, room);
}

Result<void> set_transparent(Socket&, int value, Instant) {
  if (value != 0) return Errno::not_permitted;
  return {};
}

Result<int> get_multicast_ttl(Socket& s) { return s.options().multicast_ttl; }
Result<void> set_multicast_ttl(Socket& s, int value, Instant) {
  if (s.is_stream()) return Errno::invalid;
  s.options().multicast_ttl = static_cast<std::uint8_t>(value < 0 ? 1 : value);
  return {};
}

// -1: the default, 0. A stream of IPv6 has no IPV6_MULTICAST_HOPS at all.
Result<void> set_traffic_class(Socket& s, int value, Instant now) {
  return set_tos(s, value < 0 ? 0 : value, now);
}
Result<void> set_multicast_hops(Socket& s, int value, Instant now) {
  if (s.is_stream()) return Errno::no_protocol_option;
  return set_multicast_ttl(s, value, now);
}

// IPV6_V6ONLY is decided before bind.
Result<void> set_v6_only(Socket& s, int value, Instant) {
  if (s.local().port != 0) return Errno::invalid;
  s.options().set(SocketFlag::v6_only, value != 0);
  return {};
}

#define POLLUX_FLAG(flag) get_flag<SocketFlag::flag>, set_flag<SocketFlag::flag>

constexpr Option kIpOptions[] = {
    {IPPROTO_IP, IP_TOS, get_tos, set_tos},
    {IPPROTO_IP, IP_TTL, get_ttl, set_ttl, -1, 255},
    {IPPROTO_IP, IP_RECVERR, get_flag<SocketFlag::receive_error>, set_receive_error},
    {IPPROTO_IP, IP_PKTINFO, POLLUX_FLAG(packet_info)},
    {IPPROTO_IP, IP_RECVTOS, POLLUX_FLAG(receive_tos)},
    {IPPROTO_IP, IP_RECVTTL, POLLUX_FLAG(receive_ttl)},
    {IPPROTO_IP, IP_MTU_DISCOVER, get_mtu_discover, set_mtu_discover, 0, kMtuDiscoverMax},
    wide_option(IPPROTO_IP, IP_MTU, get_mtu),
    {IPPROTO_IP, IP_FREEBIND, POLLUX_FLAG(free_bind)},
    {IPPROTO_IP, IP_TRANSPARENT, get_zero, set_transparent},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, POLLUX_FLAG(bind_address_no_port)},
    {IPPROTO_IP, IP_MULTICAST_TTL, get_multicast_ttl, set_multicast_ttl, -1, 255},
    {IPPROTO_IP, IP_MULTICAST_LOOP, POLLUX_FLAG(multicast_loop)},
    {IPPROTO_IP, IP_MULTICAST_ALL, POLLUX_FLAG(multicast_all), 0, 1},
};

constexpr Option kIpv6Options[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, get_flag<SocketFlag::v6_only>, set_v6_only},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, get_ttl, set_ttl, -1, 255},
    {IPPROTO_IPV6, IPV6_TCLASS, get_tos, set_traffic_class, -1, 255},
    {IPPROTO_IPV6, IPV6_RECVERR, POLLUX_FLAG(receive_error_6)},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, POLLUX_FLAG(packet_info_6)},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, POLLUX_FLAG(receive_tos_6)},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, POLLUX_FLAG(receive_ttl_6)},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, get_mtu_discover, set_mtu_discover, 0, kMtuDiscoverMax},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, get_multicast_ttl, set_multicast_hops, -1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, POLLUX_FLAG(multicast_loop), 0, 1},
};

}  // namespace

std::span<const Option> ip_level_options() { return kIpOptions; }
std::span<const Option> ipv6_level_options() { return kIpv6Options; }

}  // namespace pollux
