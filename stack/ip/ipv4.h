// ipv4.h - the IPv4 header, in and out. RFC 791 3.1, RFC 1122 3.2.1.
#pragma once

#include "drivers/net_device.h"
#include "drivers/packet.h"
#include "stack/ip/ip_info.h"
#include "stack/ip/routes.h"
#include "stack/wire/drop.h"

namespace pollux::ipv4 {

struct AcceptContext {
  const Routes& routes;
  InterfaceId interface;
  bool is_link_broadcast;  // the frame was to a broadcast or multicast link address
};

struct Arrived {
  IpInfo info;
  Packet packet;  // behind the header, link padding cut off
  bool is_fragment = false;
  std::uint16_t id = 0;
  std::uint16_t fragment_offset = 0;  // octets
  bool more_fragments = false;
};
// Checks version, lengths, checksum (unless the device did), options, addresses (strong end system,
// martians).
Accepted<Arrived> accept(Packet packet, const AcceptContext& context);

// Pushes the header in front of the packet. `id`: for datagrams that may be cut. Sets the checksum
// unless `offload`.
void prepend(Packet& packet, const IpSend& send, std::uint16_t id, bool checksum_by_device);

}  // namespace pollux::ipv4
