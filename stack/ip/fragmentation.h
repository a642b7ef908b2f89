// fragmentation.h - a datagram larger than the MTU leaves in pieces. RFC 791 3.2.
#pragma once

#include <cstdint>

#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/ip/ip_info.h"

namespace pollux {

// Cuts one payload (a transport header and its data, its checksum filled in) into IP packets,
// header included, that fit the MTU. Lives on the caller's stack while next() is pulled.
class Fragmentation {
 public:
  // `mtu` >= 68 (RFC 791). The payload is at most 65,515 octets.
  Fragmentation(Packet payload, const IpSend& send, std::uint16_t id, std::uint16_t mtu);
  bool is_done() const { return offset_ >= payload_.size(); }
  // The next packet; false when done, or when the pool is exhausted (then is_done() is false).
  Packet next(PacketPool& pool);

 private:
  Packet payload_;
  IpSend send_;
  std::uint16_t id_;
  std::uint16_t mtu_;
  std::uint32_t offset_ = 0;
};

}  // namespace pollux
