// arp.cc - ARP packets to messages and back.
#include "stack/link/arp.h"

#include <algorithm>

#include "stack/wire/headers.h"

namespace pollux::arp {
namespace {

constexpr std::uint16_t kEthernet = 1, kIpv4 = 0x0800;

MacAddress mac_of(const std::uint8_t (&octets)[6]) {
  MacAddress mac;
  std::copy(std::begin(octets), std::end(octets), mac.begin());
  return mac;
}

}  // namespace

Accepted<ArpMessage> decode(const Packet& packet) {
  wire::ArpPacket arp;
  if (packet.copy_out(0, std::as_writable_bytes(std::span(&arp, 1))) < sizeof arp) {
    return Drop::too_short;
  }
  if (arp.hardware_type != kEthernet || arp.protocol_type != kIpv4) return Drop::bad_arp;
  if (arp.hardware_length != 6 || arp.protocol_length != 4) return Drop::bad_arp;
  if (arp.operation != 1 && arp.operation != 2) return Drop::bad_arp;
  ArpMessage message;
  message.operation = static_cast<ArpMessage::Operation>(std::uint16_t{arp.operation});
  message.sender_mac = mac_of(arp.sender_mac);
  message.sender = IpAddress::v4(arp.sender_ip);
  message.target_mac = mac_of(arp.target_mac);
  message.target = IpAddress::v4(arp.target_ip);
  return message;
}

Packet encode(PacketPool& pool, const ArpMessage& message) {
  Packet packet = pool.allocate_from_reserve();
  if (!packet) return packet;
  std::byte* room = packet.put(sizeof(wire::ArpPacket));
  CHECK(room != nullptr);
  auto* arp = reinterpret_cast<wire::ArpPacket*>(room);
  arp->hardware_type = kEthernet;
  arp->protocol_type = kIpv4;
  arp->hardware_length = 6;
  arp->protocol_length = 4;
  arp->operation = static_cast<std::uint16_t>(message.operation);
  std::copy(message.sender_mac.begin(), message.sender_mac.end(), arp->sender_mac);
  arp->sender_ip = message.sender.v4_bits();
  std::copy(message.target_mac.begin(), message.target_mac.end(), arp->target_mac);
  arp->target_ip = message.target.v4_bits();
  return packet;
}

}  // namespace pollux::arp
