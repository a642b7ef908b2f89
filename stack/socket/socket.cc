// socket.cc - making sockets; what the addresses a program gives mean. Linux: inet_create().
#include "stack/socket/socket.h"

#include <netinet/in.h>

#include "stack/socket/pools.h"

namespace pollux {
namespace {

constexpr int kMaxType = 11;       // Linux: SOCK_MAX
constexpr int kMaxProtocol = 263;  // Linux: IPPROTO_MAX

Result<Socket*> create_datagram_socket(World& world, SocketType type) {
  if (type.protocol == 0) type.protocol = IPPROTO_UDP;
  const bool is_ping = type.protocol == IPPROTO_ICMP && type.family == AF_INET;
  if (type.protocol != IPPROTO_UDP && !is_ping) return Errno::protocol_not_supported;
  UdpSocket* socket = socket_pools::create_udp(world, type);
  if (!socket) return Errno::system_files;
  return socket;
}

Result<Socket*> create_stream_socket(World& world, SocketType type) {
  if (type.protocol == 0) type.protocol = IPPROTO_TCP;
  if (type.protocol != IPPROTO_TCP) return Errno::protocol_not_supported;
  TcpSocket* socket = socket_pools::create_tcp(world, type);
  if (!socket) return Errno::system_files;
  return socket;
}

}  // namespace

Result<Socket*> create_socket(World& world, const SocketType& type) {
  if (type.family < 0 || type.family >= AF_MAX) return Errno::address_family_not_supported;
  if (type.type < 0 || type.type >= kMaxType) return Errno::invalid;
  if (type.family != AF_INET && type.family != AF_INET6) return Errno::address_family_not_supported;
  if (type.protocol < 0 || type.protocol >= kMaxProtocol) return Errno::invalid;
  switch (type.type) {
    case SOCK_STREAM:
      return create_stream_socket(world, type);
    case SOCK_DGRAM:
      return create_datagram_socket(world, type);
    // Deviation: SOCK_RAW is not offered, whoever asks; Linux has EPERM for the unprivileged.
    default:
      return Errno::socket_type_not_supported;
  }
}

std::optional<AcceptTicket> Socket::ticket() { return std::nullopt; }

// What is connected has heard of its peer.
bool Socket::has_napi_id() const {
  const Result<Endpoint> remote = peer();
  return remote.ok() && !world_->routes.is_local(remote->address);
}

Result<IpAddress> Socket::local_address(const IpAddress& given) const {
  const bool v6_only = options_.has(SocketFlag::v6_only);
  if (given == IpAddress()) return v6_only ? given : IpAddress::any_v4();
  if (given.is_v4() && v6_only) return Errno::invalid;
  if (given.is_unspecified() || options_.has(SocketFlag::free_bind)) return given;
  const Routes& routes = world_->routes;
  // Linux lets a program bind to broadcast and multicast addresses: to receive what is sent to
  // them.
  if (routes.is_local(given) || routes.is_broadcast(given) || given.is_multicast()) return given;
  return Errno::address_not_available;
}

// RFC 1122 3.2.1.3 (g). Linux: __mkroute_output().
Result<Route> Socket::route_from(const IpAddress& source, const IpAddress& destination) const {
  ASSIGN_OR_RETURN(const Route route, world_->routes.lookup(destination));
  if (source.is_loopback() && route.interface != kLoopbackInterface) return Errno::invalid;
  return route;
}

Result<Endpoint> Socket::remote_endpoint(const Endpoint& given, const IpAddress& bound) const {
  Endpoint remote = given;
  if (remote.address.is_unspecified()) {
    remote.address = bound.is_unspecified() ? IpAddress::v4(127, 0, 0, 1) : bound;
  }
  const bool v6_only = options_.has(SocketFlag::v6_only);
  if (!remote.address.is_v4() || v6_only) return Errno::network_unreachable;
  return remote;
}

}  // namespace pollux
