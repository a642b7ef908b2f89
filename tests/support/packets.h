// packets.h - packets of given octets for tests of devices, and their octets back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "drivers/packet_pool.h"
#include "stack/base/rng.h"

namespace pollux::testing_support {

using Octets = std::vector<std::byte>;

inline Octets random_octets(Rng& rng, std::size_t size) {
  Octets octets(size);
  for (std::byte& octet : octets) octet = static_cast<std::byte>(rng.below(256));
  return octets;
}

inline Octets octets_of(const Packet& packet) {
  Octets octets(packet.size());
  packet.copy_out(0, octets);
  return octets;
}

// One segment.
inline Packet packet_of(PacketPool& pool, ConstBytes octets) {
  Packet packet = pool.allocate();
  CHECK(packet);
  std::byte* to = packet.put(static_cast<std::uint16_t>(octets.size()));
  CHECK(to != nullptr);
  if (!octets.empty()) std::memcpy(to, octets.data(), octets.size());
  return packet;
}

// Cut at random places into up to `segments` segments, some of them perhaps without octets.
inline Packet split_packet(PacketPool& pool, Rng& rng, ConstBytes octets, std::size_t segments) {
  Packet packet;
  for (std::size_t left = segments; left > 0; --left) {
    const std::size_t step = left == 1 ? octets.size() : rng.below(octets.size() + 1);
    Packet part = packet_of(pool, octets.first(step));
    octets = octets.subspan(step);
    if (packet) {
      PacketPool::chain(packet, std::move(part));
    } else {
      packet = std::move(part);
    }
  }
  return packet;
}

}  // namespace pollux::testing_support
