// arp.h - ARP packets for IPv4 on Ethernet, in and out. RFC 826.
#pragma once

#include <cstdint>

#include "drivers/net_device.h"
#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/base/ip_address.h"
#include "stack/wire/drop.h"

namespace pollux {

struct ArpMessage {
  enum class Operation : std::uint16_t { request = 1, reply = 2 };
  Operation operation = Operation::request;
  MacAddress sender_mac{};
  IpAddress sender = IpAddress::any_v4();  // 0.0.0.0 in a probe (RFC 5227 2.1.1)
  MacAddress target_mac{};
  IpAddress target = IpAddress::any_v4();
  MacAddress frame_destination{};  // leaving: whom the frame is for
};

}  // namespace pollux

namespace pollux::arp {

// `packet` starts behind the Ethernet header. Checks types, lengths and operation; nothing else.
Accepted<ArpMessage> decode(const Packet& packet);
// The packet behind the Ethernet header; ethernet::prepend() puts that in front, to
// message.frame_destination. From the reserve; false when even that is exhausted.
Packet encode(PacketPool& pool, const ArpMessage& message);

}  // namespace pollux::arp
