// fragmentation.cc - pieces of a multiple of 8 octets, the last of what is left.
#include "stack/ip/fragmentation.h"

#include <algorithm>

#include "stack/base/check.h"
#include "stack/ip/ipv4.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"

namespace pollux {

Fragmentation::Fragmentation(Packet payload, const IpSend& send, std::uint16_t id,
                             std::uint16_t mtu)
    : payload_(std::move(payload)), send_(send), id_(id), mtu_(mtu) {
  CHECK(mtu_ >= 68);
  CHECK(payload_.size() + sizeof(wire::Ipv4Header) <= wire::kIpv4MaxLength);
  send_.dont_fragment = false;
}

// Copies: a datagram that has to be cut is the slow case, and every device takes one segment.
Packet Fragmentation::next(PacketPool& pool) {
  if (is_done()) return Packet();
  const std::uint32_t left = payload_.size() - offset_;
  const std::uint32_t room_on_link = mtu_ - std::uint32_t{sizeof(wire::Ipv4Header)};
  const std::uint32_t most = std::min<std::uint32_t>(room_on_link, pool.data_room());
  const std::uint32_t size = left <= most ? left : most & ~7u;
  Packet packet = pool.allocate();
  if (!packet) return packet;
  std::byte* room = packet.put(static_cast<std::uint16_t>(size));
  CHECK(room != nullptr);
  payload_.copy_out(offset_, Bytes(room, size));
  ipv4::prepend(packet, send_, id_, false);
  auto* header = reinterpret_cast<wire::Ipv4Header*>(packet.data());
  const std::uint16_t more = size < left ? wire::kIpv4MoreFragments : std::uint16_t{0};
  header->fragment = static_cast<std::uint16_t>(more | offset_ / 8);
  header->checksum = 0;
  header->checksum = wire::checksum(packet.head().first(sizeof(wire::Ipv4Header)));
  offset_ += size;
  return packet;
}

}  // namespace pollux
