// routes.h - local addresses and where packets to a destination leave: interface, next hop, source.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/ip/ip_info.h"

namespace pollux {

struct Route {
  InterfaceId interface = kNoInterface;
  IpAddress next_hop;     // whose link address is asked for: the gateway or the destination itself
  IpAddress source;       // preferred source address (MUST-44)
  std::uint16_t mtu = 0;  // octets of an IP packet
  bool is_broadcast = false;  // to a broadcast or multicast address
};

// A few entries, fixed at start; longest prefix first. Owned by the Stack, read by sockets.
class Routes {
 public:
  void add_interface(InterfaceId interface, std::uint16_t mtu);
  void add_address(InterfaceId interface, const Prefix& address);  // also its network's route
  void add_gateway(const Prefix& destination,
                   const IpAddress& gateway);  // EINVAL-free: checked by config

  // Its device is gone: other routes take over, or ENETDOWN. Its addresses stay local.
  void lose(InterfaceId interface);

  // ENETUNREACH: no route. Our own addresses and 127.0.0.0/8 go to the loopback interface.
  Result<Route> lookup(const IpAddress& destination) const;
  bool is_local(const IpAddress& address) const;  // one of our unicast addresses, or 127.0.0.0/8
  bool is_local_on(InterfaceId interface, const IpAddress& address) const;  // strong end system
  bool is_broadcast(const IpAddress& address) const;  // limited, or directed of one of our networks
  // Of one of the interface's networks, or limited.
  bool is_broadcast_on(InterfaceId interface, const IpAddress& address) const;

  // Multicast groups that programs joined; counted. 224.0.0.1 is always joined.
  void join(InterfaceId interface, const IpAddress& group);
  void leave(InterfaceId interface, const IpAddress& group);
  bool is_member(InterfaceId interface, const IpAddress& group) const;

 private:
  struct Network {
    Prefix prefix;
    InterfaceId interface;
    IpAddress gateway;  // unspecified: on link
    IpAddress source;
    bool is_lost = false;
  };
  struct LocalAddress {
    Prefix prefix;
    std::optional<IpAddress> broadcast;  // of its network
    InterfaceId interface;
  };
  struct Membership {
    IpAddress group;
    InterfaceId interface;
    std::uint32_t count;
  };
  void insert(const Network& network);
  const Network* find(const IpAddress& destination) const;
  const Network* first_on_link() const;
  Errno why_unreachable(const IpAddress& destination, bool is_group) const;
  std::uint16_t mtu_of(InterfaceId interface) const;

  std::vector<Network> networks_;  // longest prefix first
  std::vector<LocalAddress> addresses_;
  std::vector<Membership> groups_;
  std::vector<std::uint16_t> mtus_;  // by interface
};

}  // namespace pollux
