// ethernet.cc - the Ethernet header off and on, with a tag where the interface has a VLAN.
#include "stack/link/ethernet.h"

#include <algorithm>

#include "stack/wire/headers.h"

namespace pollux::ethernet {
namespace {

MacAddress mac_of(const std::uint8_t (&octets)[6]) {
  MacAddress mac;
  std::copy(std::begin(octets), std::end(octets), mac.begin());
  return mac;
}

bool is_group(const MacAddress& mac) { return (mac[0] & 1) != 0; }

// VLAN 0 only carries a priority: such a frame counts as untagged.
bool is_our_vlan(std::uint16_t tci, std::uint16_t vlan) {
  const unsigned id = tci & wire::kVlanMask;
  return id == 0 || id == vlan;
}

}  // namespace

Accepted<Frame> accept(Packet& packet, const MacAddress& ours, std::uint16_t vlan) {
  constexpr auto kTagged =
      static_cast<std::uint16_t>(sizeof(wire::EthernetHeader) + sizeof(wire::VlanTag));
  if (packet.size() < sizeof(wire::EthernetHeader)) return Drop::too_short;
  if (packet.head_size() < kTagged)
    packet.linearize(std::min<std::uint32_t>(packet.size(), kTagged));
  const auto* header = packet.peek<wire::EthernetHeader>();
  if (header == nullptr) return Drop::too_short;
  Frame frame{mac_of(header->source), mac_of(header->destination), header->type, false};
  frame.is_broadcast = is_group(frame.destination);
  if (!frame.is_broadcast && frame.destination != ours) return Drop::not_for_us;
  if (is_group(frame.source)) return Drop::martian_source;

  std::uint16_t pulled = sizeof(wire::EthernetHeader);
  std::uint16_t tci = packet.meta().has_vlan ? packet.meta().vlan_tci : 0;
  bool is_tagged = packet.meta().has_vlan;
  if (frame.type == kTypeVlan && !is_tagged) {
    const auto* tag = packet.peek<wire::VlanTag>(pulled);
    if (tag == nullptr) return Drop::too_short;
    tci = tag->tci;
    frame.type = tag->type;
    is_tagged = true;
    pulled = kTagged;
  }
  // An untagged frame is not the VLAN's.
  if (is_tagged ? !is_our_vlan(tci, vlan) : vlan != 0) return Drop::not_for_us;
  packet.pull(pulled);
  return frame;
}

void prepend(Packet& packet, const Addresses& addresses, std::uint16_t type, std::uint16_t vlan) {
  if (vlan != 0) {
    auto* tag = packet.push<wire::VlanTag>();
    tag->tci = vlan & wire::kVlanMask;
    tag->type = type;
    type = kTypeVlan;
  }
  auto* header = packet.push<wire::EthernetHeader>();
  std::copy(addresses.destination.begin(), addresses.destination.end(), header->destination);
  std::copy(addresses.source.begin(), addresses.source.end(), header->source);
  header->type = type;
}

}  // namespace pollux::ethernet
