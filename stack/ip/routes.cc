// routes.cc - a linear search over a few networks, the longest prefix first.
#include "stack/ip/routes.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux {
namespace {

constexpr std::uint16_t kLoopbackMtu = 65535;

// RFC 919 7; a network of two addresses has none (RFC 3021).
std::optional<IpAddress> broadcast_of(const Prefix& network) {
  if (!network.address.is_v4() || network.length >= 31) return std::nullopt;
  return network.broadcast_v4();
}

}  // namespace

void Routes::add_interface(InterfaceId interface, std::uint16_t mtu) {
  if (mtus_.size() <= interface) mtus_.resize(std::size_t{interface} + 1, 0);
  mtus_[interface] = mtu;
}

void Routes::insert(const Network& network) {
  const auto shorter = [&](const Network& other) {
    return other.prefix.length < network.prefix.length;
  };
  networks_.insert(std::find_if(networks_.begin(), networks_.end(), shorter), network);
}

void Routes::add_address(InterfaceId interface, const Prefix& address) {
  addresses_.push_back({address, broadcast_of(address), interface});
  insert({address, interface, IpAddress::any_v4(), address.address});
}

void Routes::add_gateway(const Prefix& destination, const IpAddress& gateway) {
  const Network* via = find(gateway);
  CHECK(via != nullptr && via->gateway.is_unspecified());  // the configuration looked
  insert({destination, via->interface, gateway, via->source});
}

const Routes::Network* Routes::find(const IpAddress& destination) const {
  for (const Network& network : networks_) {
    if (!network.is_lost && network.prefix.contains(destination)) return &network;
  }
  return nullptr;
}

void Routes::lose(InterfaceId interface) {
  for (Network& network : networks_) network.is_lost |= network.interface == interface;
}

Errno Routes::why_unreachable(const IpAddress& destination, bool is_group) const {
  const auto led_there = [&](const Network& network) {
    return network.is_lost && (is_group || network.prefix.contains(destination));
  };
  return std::any_of(networks_.begin(), networks_.end(), led_there) ? Errno::network_down
                                                                    : Errno::network_unreachable;
}

std::uint16_t Routes::mtu_of(InterfaceId interface) const {
  if (interface < mtus_.size() && mtus_[interface] != 0) return mtus_[interface];
  return kLoopbackMtu;
}

Result<Route> Routes::lookup(const IpAddress& destination) const {
  Result<Route> found = Errno::network_down;
  if (is_local(destination)) {
    Route& route = found.emplace();
    route.interface = kLoopbackInterface;
    route.next_hop = destination;
    // Linux: the local table's 127.0.0.0/8 has the source 127.0.0.1.
    route.source = destination.is_loopback() ? IpAddress::v4(127, 0, 0, 1) : destination;
    route.mtu = mtu_of(kLoopbackInterface);
    return found;
  }
  const bool is_group = destination.is_multicast() || is_broadcast(destination);
  const Network* network = find(destination);
  // Limited broadcast and multicast leave by the first real network if no route names another.
  if (network == nullptr && is_group) network = first_on_link();
  if (network == nullptr) return why_unreachable(destination, is_group);
  const bool is_direct = is_group || network->gateway.is_unspecified();
  Route& route = found.emplace();
  route.interface = network->interface;
  route.next_hop = is_direct ? destination : network->gateway;
  route.source = network->source;
  route.mtu = mtu_of(network->interface);
  route.is_broadcast = is_group;
  return found;
}

const Routes::Network* Routes::first_on_link() const {
  for (const LocalAddress& local : addresses_) {
    if (local.interface == kLoopbackInterface) continue;
    if (const Network* network = find(local.prefix.address)) return network;
  }
  return nullptr;
}

bool Routes::is_local(const IpAddress& address) const {
  if (address.is_loopback()) return true;
  const auto is_it = [&](const LocalAddress& l) { return l.prefix.address == address; };
  return std::any_of(addresses_.begin(), addresses_.end(), is_it);
}

// The loopback interface carries what we send to any of our addresses.
bool Routes::is_local_on(InterfaceId interface, const IpAddress& address) const {
  if (interface == kLoopbackInterface) return is_local(address);
  const auto is_it = [&](const LocalAddress& l) {
    return l.interface == interface && l.prefix.address == address;
  };
  return std::any_of(addresses_.begin(), addresses_.end(), is_it);
}

bool Routes::is_broadcast(const IpAddress& address) const {
  if (address.is_limited_broadcast()) return true;
  const auto is_it = [&](const LocalAddress& l) { return l.broadcast == address; };
  return std::any_of(addresses_.begin(), addresses_.end(), is_it);
}

bool Routes::is_broadcast_on(InterfaceId interface, const IpAddress& address) const {
  if (address.is_limited_broadcast()) return true;
  const auto is_it = [&](const LocalAddress& l) {
    return l.interface == interface && l.broadcast == address;
  };
  return std::any_of(addresses_.begin(), addresses_.end(), is_it);
}

void Routes::join(InterfaceId interface, const IpAddress& group) {
  for (Membership& membership : groups_) {
    if (membership.interface != interface || membership.group != group) continue;
    ++membership.count;
    return;
  }
  groups_.push_back({group, interface, 1});
}

void Routes::leave(InterfaceId interface, const IpAddress& group) {
  const auto is_it = [&](const Membership& m) {
    return m.interface == interface && m.group == group;
  };
  const auto found = std::find_if(groups_.begin(), groups_.end(), is_it);
  if (found != groups_.end() && --found->count == 0) groups_.erase(found);
}

bool Routes::is_member(InterfaceId interface, const IpAddress& group) const {
  if (group == IpAddress::v4(224, 0, 0, 1)) return true;
  const auto is_it = [&](const Membership& m) {
    return m.interface == interface && m.group == group;
  };
  return std::any_of(groups_.begin(), groups_.end(), is_it);
}

}  // namespace pollux
