// ethernet.h - Ethernet II frames with or without an 802.1Q tag.
#pragma once

#include "drivers/net_device.h"
#include "drivers/packet.h"
#include "stack/wire/drop.h"

namespace pollux::ethernet {

inline constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeVlan = 0x8100,
                               kTypeIpv6 = 0x86dd;
inline constexpr MacAddress kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct Frame {
  MacAddress source;
  MacAddress destination;
  std::uint16_t type;
  bool is_broadcast;  // or multicast
};
// For us? Pulls the header (and a tag of VLAN 0 or of `vlan`).
Accepted<Frame> accept(Packet& packet, const MacAddress& ours, std::uint16_t vlan);
struct Addresses {
  MacAddress source;
  MacAddress destination;
};
// Octets that prepend() puts in front.
constexpr std::uint8_t header_length(std::uint16_t vlan) { return vlan != 0 ? 18 : 14; }
void prepend(Packet& packet, const Addresses& addresses, std::uint16_t type, std::uint16_t vlan);

}  // namespace pollux::ethernet
