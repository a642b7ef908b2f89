// transport_checksum.h - checksums over packets of several segments, with the pseudo-header.
#pragma once

#include <cstdint>

#include "drivers/packet.h"
#include "stack/base/ip_address.h"
#include "stack/wire/checksum.h"

namespace pollux {

// The one's-complement sum of all octets of the chain, folded.
inline std::uint16_t ones_sum_of(const Packet& packet) {
  wire::Sum sum;
  for (auto* segment = packet.mbuf(); segment != nullptr; segment = segment->next) {
    const auto* data = static_cast<const std::byte*>(segment->buf_addr) + segment->data_off;
    sum.add(ConstBytes(data, segment->data_len));
  }
  return sum.folded();
}

struct TransportAddresses {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
};

inline std::uint16_t transport_pseudo_sum(const Packet& packet, const TransportAddresses& of) {
  return wire::pseudo_header_sum({of.source, of.destination, of.protocol, packet.size()});
}

// `packet` starts at the transport header. True if the device vouches for the checksum, or it is
// right (CSUM-3 of the requirements: a verdict of the device counts, its silence is verified).
inline bool is_transport_checksum_right(const Packet& packet, const TransportAddresses& of) {
  const Checksum verdict = packet.meta().l4_checksum;
  if (verdict == Checksum::good || verdict == Checksum::valid) return true;
  if (verdict == Checksum::bad) return false;
  wire::Sum sum(transport_pseudo_sum(packet, of));
  sum.add_folded(ones_sum_of(packet), packet.size());
  return sum.folded() == 0xffff;
}

// What belongs into the field, which holds 0 now. May be 0, which UDP sends as 0xffff.
inline std::uint16_t transport_checksum(const Packet& packet, const TransportAddresses& of) {
  wire::Sum sum(transport_pseudo_sum(packet, of));
  sum.add_folded(ones_sum_of(packet), packet.size());
  return sum.checksum();
}

}  // namespace pollux
