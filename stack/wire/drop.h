// drop.h - why a packet was not taken; one counter each.
#pragma once

#include <cstdint>

#include "stack/base/result.h"

namespace pollux {

#define POLLUX_DROPS(X)                                             \
  X(too_short, "shorter than its headers")                          \
  X(bad_version, "not the version its type says")                   \
  X(bad_header_length, "header length out of range")                \
  X(bad_length, "lengths of the layers contradict each other")      \
  X(bad_checksum, "checksum wrong")                                 \
  X(bad_options, "options run out of the header")                   \
  X(source_route, "source route option")                            \
  X(not_for_us, "addressed to somebody else")                       \
  X(martian_source, "impossible source address")                    \
  X(unknown_ether_type, "neither IPv4 nor ARP")                     \
  X(unknown_protocol, "no such transport protocol")                 \
  X(broadcast_transport, "TCP to a broadcast or multicast address") \
  X(bad_arp, "malformed ARP")                                       \
  X(bad_icmp, "malformed or unmatched ICMP")                        \
  X(fragment_overlap, "overlapping fragments")                      \
  X(fragment_limit, "too many or too large fragments")              \
  X(fragment_ecn, "fragments whose ECN marks contradict")           \
  X(fragment_timeout, "fragments that never became whole")          \
  X(fragment_held, "kept until the datagram is whole")              \
  X(no_port, "nobody listens at the port")                          \
  X(no_memory, "a pool was exhausted")                              \
  X(no_route, "no route to the destination")                        \
  X(unresolved, "the neighbour did not answer")                     \
  X(queue_full, "a bounded queue was full")                         \
  X(rate_limited, "over the rate of its kind")                      \
  X(too_large, "larger than the path takes and must not be cut")

enum class Drop : std::uint8_t {
#define POLLUX_DROP_NAME(name, meaning) name,
  POLLUX_DROPS(POLLUX_DROP_NAME)
#undef POLLUX_DROP_NAME
      count
};

template <typename T>
using Accepted = Expected<T, Drop>;

}  // namespace pollux
