// isn.h - initial sequence numbers and timestamp offsets that only we can foretell.
// RFC 6528 3; RFC 7323 5.4 and 7.1.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/seq_num.h"

namespace pollux::tcp {

using HashKey = std::array<unsigned char, 16>;

struct CookieKeys {
  HashKey mac;
  HashKey mask;
};

// Drawn once with getrandom(2) by stack/core; every use has a key of its own.
struct Secret {
  HashKey isn;
  CookieKeys cookie;
  HashKey timestamp;
  HashKey fast_open;
  std::array<std::uint64_t, 11> demux;
};

// SipHash-2-4 of the tuple, both addresses in full.
std::uint64_t keyed_hash(const FourTuple& tuple, const HashKey& key);

// M + F(tuple, secret) (MUST-8, MUST-9, SHLD-1): M counts 4 us, so one tuple's numbers only grow.
SeqNum initial_sequence_number(const FourTuple& tuple, const HashKey& key, Instant now);

// Of one tuple always the same, so that timestamps grow over its successive connections.
std::uint32_t timestamp_offset(const FourTuple& tuple, const HashKey& key);

}  // namespace pollux::tcp
