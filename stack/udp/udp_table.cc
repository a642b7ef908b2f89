// udp_table.cc - binding, and the way from a datagram's addresses to its socket.
#include "stack/udp/udp_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "stack/base/check.h"

namespace pollux {
namespace {

bool is_wildcard(const IpAddress& address) { return address.is_unspecified(); }

bool overlap(const IpAddress& a, const IpAddress& b) {
  return is_wildcard(a) || is_wildcard(b) || a == b;
}

// A connect to port 0 names a host and none of its ports.
bool is_peer(const UdpEndpoint& endpoint, const Endpoint& remote) {
  const bool is_port = endpoint.remote.port == 0 || endpoint.remote.port == remote.port;
  return is_port && endpoint.remote.address == remote.address;
}

// Linux: compute_score(). -1: not for this endpoint.
int score_of(const UdpEndpoint& endpoint, const FourTuple& tuple) {
  if (endpoint.local.port != tuple.local.port) return -1;
  if (endpoint.is_connected) {
    const bool is_its = endpoint.local.address == tuple.local.address;
    return is_its && is_peer(endpoint, tuple.remote) ? 2 : -1;
  }
  if (endpoint.local.address == tuple.local.address) return 1;
  return is_wildcard(endpoint.local.address) ? 0 : -1;
}

// Two sockets may share a port and an address (Linux: inet_rcv_saddr_equal() and its callers).
bool may_share(const UdpEndpoint& a, const UdpEndpoint& b) {
  if (a.reuse_address && b.reuse_address) return true;
  return a.reuse_port && b.reuse_port && a.owner == b.owner;
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

}  // namespace

UdpTable::UdpTable(std::uint32_t sockets, PortRange range, Rng& rng)
    : by_port_(std::clamp<std::size_t>(std::bit_ceil(sockets), 64, 65536)),
      by_tuple_(by_port_.size()),
      range_(range),
      rng_(rng),
      key_(rng.next()) {
  CHECK(range.first > 0 && range.first <= range.last);
}

Result<void> UdpTable::bind(UdpEndpoint& endpoint, const Endpoint& local) {
  if (endpoint.is_bound) return Errno::invalid;
  Endpoint chosen = local;
  if (chosen.port == 0) {
    chosen.port = pick_port(local.address);
    // Linux: bind() says EADDRINUSE when no port is left.
    if (chosen.port == 0) return Errno::address_in_use;
  } else if (!is_free(endpoint, chosen)) {
    return Errno::address_in_use;
  }
  endpoint.local = chosen;
  endpoint.is_bound = true;
  by_port_[port_bucket(chosen.port)].push_front(endpoint);
  return {};
}

void UdpTable::unbind(UdpEndpoint& endpoint) {
  if (!endpoint.is_bound) return;
  disconnect(endpoint, endpoint.local.address);
  PortList& list = by_port_[port_bucket(endpoint.local.port)];
  list.erase(list.iterator_to(endpoint));
  endpoint.is_bound = false;
  endpoint.local.port = 0;
}

void UdpTable::connect(UdpEndpoint& endpoint, const IpAddress& source, const Endpoint& remote) {
  CHECK(endpoint.is_bound);
  disconnect(endpoint, endpoint.local.address);
  if (is_wildcard(endpoint.local.address)) endpoint.local.address = source;
  endpoint.remote = remote;
  endpoint.is_connected = true;
  tuple_list({endpoint.local, remote}).push_front(endpoint);
}

void UdpTable::disconnect(UdpEndpoint& endpoint, const IpAddress& local_address) {
  if (endpoint.is_connected) {
    TupleList& list = tuple_list({endpoint.local, endpoint.remote});
    list.erase(list.iterator_to(endpoint));
    endpoint.is_connected = false;
    endpoint.remote = {IpAddress::any_v4(), 0};
  }
  endpoint.local.address = local_address;
}

UdpEndpoint* UdpTable::find(const FourTuple& tuple) const {
  for (UdpEndpoint& endpoint : tuple_list(tuple)) {
    if (endpoint.local == tuple.local && endpoint.remote == tuple.remote) return &endpoint;
  }
  UdpEndpoint* best = nullptr;
  int best_score = -1;
  for (UdpEndpoint& endpoint : by_port_[port_bucket(tuple.local.port)]) {
    const int score = score_of(endpoint, tuple);
    if (score <= best_score) continue;
    best = &endpoint;
    best_score = score;
  }
  return best && best->reuse_port && !best->is_connected ? find_in_group(*best, tuple) : best;
}

// One flow always meets the same member, as long as the group stays the same.
UdpEndpoint* UdpTable::find_in_group(const UdpEndpoint& first, const FourTuple& tuple) const {
  const auto is_member = [&first](const UdpEndpoint& e) {
    return e.reuse_port && !e.is_connected && e.local == first.local;
  };
  PortList& list = by_port_[port_bucket(tuple.local.port)];
  const auto members =
      static_cast<std::uint64_t>(std::count_if(list.begin(), list.end(), is_member));
  std::uint64_t chosen = ((hash(tuple) >> 32) * members) >> 32;
  for (UdpEndpoint& endpoint : list) {
    if (is_member(endpoint) && chosen-- == 0) return &endpoint;
  }
  UNREACHABLE();
}

bool UdpTable::matches(const UdpEndpoint& endpoint, const FourTuple& tuple) {
  if (endpoint.local.port != tuple.local.port) return false;
  if (!overlap(endpoint.local.address, tuple.local.address)) return false;
  return !endpoint.is_connected || is_peer(endpoint, tuple.remote);
}

bool UdpTable::is_free(const UdpEndpoint& endpoint, const Endpoint& local) const {
  const PortList& list = by_port_[port_bucket(local.port)];
  return std::none_of(list.begin(), list.end(), [&](const UdpEndpoint& other) {
    return other.local.port == local.port && overlap(other.local.address, local.address) &&
           !may_share(endpoint, other);
  });
}

// A port for port 0 is nobody else's, whatever the other allows: sharing is only for who asks for
// it.
bool UdpTable::is_unused(const Endpoint& local) const {
  const PortList& list = by_port_[port_bucket(local.port)];
  return std::none_of(list.begin(), list.end(), [&](const UdpEndpoint& other) {
    return other.local.port == local.port && overlap(other.local.address, local.address);
  });
}

// RFC 6056 3.3.1: a random one, then those that follow it. 0: none is left.
std::uint16_t UdpTable::pick_port(const IpAddress& address) {
  const std::uint32_t count = range_.last - range_.first + 1u;
  const auto start = static_cast<std::uint32_t>(rng_.below(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(range_.first + (start + i) % count);
    if (is_unused({address, port})) return port;
  }
  return 0;
}

std::uint64_t UdpTable::hash(const FourTuple& tuple) const {
  std::uint64_t words[4];
  std::memcpy(words, tuple.local.address.octets().data(), 16);
  std::memcpy(words + 2, tuple.remote.address.octets().data(), 16);
  std::uint64_t hash = mix(key_, words[0] ^ words[2] << 1);
  hash = mix(mix(hash, words[1]), words[3]);
  return mix(mix(hash, std::uint64_t{tuple.local.port} << 16 | tuple.remote.port), key_ | 1);
}

UdpTable::TupleList& UdpTable::tuple_list(const FourTuple& tuple) const {
  return by_tuple_[hash(tuple) & (by_tuple_.size() - 1)];
}

}  // namespace pollux
