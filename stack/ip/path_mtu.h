// path_mtu.h - what routers said about the size of packets to a destination. RFC 1191, RFC 8201.
#pragma once

#include <cstdint>
#include <vector>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/rng.h"

namespace pollux {

// A bounded cache: sets of four by a keyed hash, the oldest gives way. Estimates age after 10
// minutes (RFC 1191 6.3). The caller has validated the ICMP error (RFC 5927 7.2) before it reports.
class PathMtu {
 public:
  static constexpr std::uint16_t kFloor = 552;  // Linux: min_pmtu; RFC 1191 3 allows 68
  PathMtu(std::uint32_t entries, Rng& rng);
  // At most `route_mtu`.
  std::uint16_t lookup(const IpAddress& destination, std::uint16_t route_mtu, Instant now) const;

  struct Report {
    std::uint16_t mtu;  // what is said to pass
    std::uint16_t route_mtu;
  };
  // A message never raises the estimate (RFC 1191 3). Returns the estimate that holds now.
  std::uint16_t report(const IpAddress& destination, const Report& report, Instant now);
  void forget(const IpAddress& destination);

 private:
  struct Entry {
    IpAddress destination;
    std::uint16_t mtu = 0;  // 0: free
    Instant expires;
  };
  static constexpr std::size_t kWays = 4;
  std::size_t set_of(const IpAddress& destination) const;
  const Entry* find(const IpAddress& destination) const;

  std::vector<Entry> entries_;
  std::uint64_t key_;
  std::size_t sets_;
};

// RFC 1191 7: the greatest usual MTU below `length`, for routers that do not say theirs.
std::uint16_t plateau_below(std::uint16_t length);

}  // namespace pollux
