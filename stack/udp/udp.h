// udp.h - datagrams in and out. RFC 768, RFC 1122 4.1.
#pragma once

#include <cstdint>

#include "drivers/packet.h"
#include "stack/base/ip_address.h"
#include "stack/ip/ip_info.h"
#include "stack/wire/drop.h"

namespace pollux::udp {

inline constexpr std::uint32_t kMaxPayload = 65507;  // what one IPv4 packet takes: 65535 - 20 - 8
inline constexpr std::uint16_t kHeaderSize = 8;

struct Datagram {
  FourTuple tuple;  // local: where it was sent to; remote: who sent it
  IpInfo info;
  Packet packet;  // the data only, padding cut off; 8 octets were pulled
};
// `packet` starts at the UDP header. bad_length, bad_checksum, too_short. Port 0 is nobody's, as
// any other port without a socket.
Accepted<Datagram> decode(const IpInfo& info, Packet packet);

struct EncodeOptions {
  bool checksum_by_device = false;  // the field gets the pseudo-header's sum
  bool no_checksum = false;         // SO_NO_CHECK
};
// Pushes the header in front of the data.
void encode(Packet& packet, const FourTuple& tuple, const EncodeOptions& options);

}  // namespace pollux::udp
