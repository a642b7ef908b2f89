// udp_table.h - which socket a datagram is for: local ports, connected pairs; ids of ping sockets.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <vector>

#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/base/rng.h"

namespace pollux {

// What a UDP or ping socket derives from. The fields are the table's while the endpoint is bound,
// except reuse_*, which count at bind.
struct UdpEndpoint {
  using Hook =
      boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;
  Endpoint local{IpAddress::any_v4(), 0};
  Endpoint remote{IpAddress::any_v4(), 0};
  bool is_bound = false;
  bool is_connected = false;
  bool reuse_address = false;
  bool reuse_port = false;
  std::uint32_t owner = 0;  // user id: SO_REUSEPORT groups are of one user
  Hook port_hook;
  Hook tuple_hook;
};

// Does not own the endpoints; they unbind before they go. Bound endpoints hang in a bucket by local
// port, connected ones also in one by all four. Ping sockets have a table of their own, whose ports
// are echo ids.
class UdpTable {
 public:
  struct PortRange {
    std::uint16_t first = 16384;  // RFC 6056 3.2: as large as may be
    std::uint16_t last = 65535;
  };
  // `sockets`: how many are expected; only speed depends on it.
  UdpTable(std::uint32_t sockets, PortRange range, Rng& rng);

  // Port 0: a random free one (RFC 6056 3.3.1). EADDRINUSE as Linux: two of one port and
  // overlapping addresses need SO_REUSEADDR on both, or SO_REUSEPORT on both and one user. EINVAL:
  // bound already.
  Result<void> bind(UdpEndpoint& endpoint, const Endpoint& local);
  void unbind(UdpEndpoint& endpoint);
  // The endpoint is bound; a wildcard local address becomes `source`. Again for another remote.
  void connect(UdpEndpoint& endpoint, const IpAddress& source, const Endpoint& remote);
  // The local address becomes `local_address` (what it was bound to), the port stays.
  void disconnect(UdpEndpoint& endpoint, const IpAddress& local_address);

  // For a unicast datagram: a connected pair first, then the exact local address, then the
  // wildcard; among equals the last bound, or of a SO_REUSEPORT group one by hash. Null: nobody.
  UdpEndpoint* find(const FourTuple& tuple) const;
  // visit(UdpEndpoint&) neither binds nor unbinds.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (PortList& list : by_port_) {
      for (UdpEndpoint& endpoint : list) visit(endpoint);
    }
  }
  // All that a broadcast or multicast datagram is for.
  template <typename Visit>
  void for_each_match(const FourTuple& tuple, Visit&& visit) const {
    for (UdpEndpoint& endpoint : by_port_[port_bucket(tuple.local.port)]) {
      if (matches(endpoint, tuple)) visit(endpoint);
    }
  }

 private:
  using PortList = boost::intrusive::list<
      UdpEndpoint,
      boost::intrusive::member_hook<UdpEndpoint, UdpEndpoint::Hook, &UdpEndpoint::port_hook>,
      boost::intrusive::constant_time_size<false>>;
  using TupleList = boost::intrusive::list<
      UdpEndpoint,
      boost::intrusive::member_hook<UdpEndpoint, UdpEndpoint::Hook, &UdpEndpoint::tuple_hook>,
      boost::intrusive::constant_time_size<false>>;

  static bool matches(const UdpEndpoint& endpoint, const FourTuple& tuple);
  std::size_t port_bucket(std::uint16_t port) const { return port & (by_port_.size() - 1); }
  std::uint64_t hash(const FourTuple& tuple) const;
  TupleList& tuple_list(const FourTuple& tuple) const;
  bool is_free(const UdpEndpoint& endpoint, const Endpoint& local) const;
  bool is_unused(const Endpoint& local) const;
  std::uint16_t pick_port(const IpAddress& address);
  UdpEndpoint* find_in_group(const UdpEndpoint& first, const FourTuple& tuple) const;

  mutable std::vector<PortList> by_port_;  // a power of two of buckets
  mutable std::vector<TupleList> by_tuple_;
  PortRange range_;
  Rng& rng_;
  std::uint64_t key_;
};

}  // namespace pollux
