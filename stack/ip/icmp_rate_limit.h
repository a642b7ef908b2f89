// icmp_rate_limit.h - how many ICMP errors a destination gets: buckets with a budget nobody can
// count. RFC 1812 4.3.2.8; against CVE-2020-25705 there is no limit that destinations share.
#pragma once

#include <cstdint>
#include <vector>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/rng.h"

namespace pollux {

// Memory is fixed: destinations share a bucket by a keyed hash, so who shares one cannot be known.
// What leaves in all is bounded by the number of buckets.
class IcmpRateLimit {
 public:
  struct Limits {
    std::uint32_t buckets = 1024;
    std::uint32_t burst = 6;                   // at least; up to twice that, drawn anew each time
    Duration interval = Duration::seconds(1);  // between errors once the burst is spent, on average
  };
  IcmpRateLimit(const Limits& limits, Rng& rng);
  bool allow(const IpAddress& destination, Instant now);

 private:
  struct Bucket {
    Instant refilled;
    Duration interval;  // until the next token
    std::uint16_t tokens = 0;
    std::uint16_t capacity = 0;  // drawn when it is full again; 0: never used
  };
  void draw(Bucket& bucket);
  void refill(Bucket& bucket, Instant now);

  Limits limits_;
  Rng& rng_;
  std::uint64_t key_;
  std::vector<Bucket> buckets_;
};

}  // namespace pollux
