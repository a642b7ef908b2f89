// frame_copy.cc - a chain and a tag become one row of octets.
#include "drivers/frame_copy.h"

namespace pollux {
namespace {

constexpr std::uint32_t kAddresses = 12;
constexpr std::uint32_t kTag = 4;
constexpr std::uint16_t kTagType = 0x8100;  // 802.1Q

}  // namespace

ConstBytes FrameCopy::of(const Packet& packet) {
  const Bytes room(octets_);
  if (!packet.meta().has_vlan || packet.size() < kAddresses) {
    return ConstBytes(room.first(packet.copy_out(0, room)));
  }
  packet.copy_out(0, room.first(kAddresses));
  const be16 tag[2] = {kTagType, packet.meta().vlan_tci};
  std::memcpy(room.data() + kAddresses, tag, kTag);
  const std::uint32_t rest = packet.copy_out(kAddresses, room.subspan(kAddresses + kTag));
  return ConstBytes(room.first(kAddresses + kTag + rest));
}

}  // namespace pollux
