// fuzz_packets.h - mbufs for the entry points: one pool per program, which every input leaves full.
#pragma once

#include <cstring>
#include <memory>

#include "drivers/dpdk/eal.h"
#include "drivers/packet_pool.h"
#include "stack/base/check.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/fuzz/fuzz.h"

namespace pollux::fuzz {

inline constexpr std::uint16_t kDataRoom = 2048;

inline PacketPool& packet_pool() {
  static PacketPool* pool = [] {
    CHECK(!start_eal({.use_hugepages = false, .memory_mb = 64}));
    Result<PacketPool> made = PacketPool::create("fuzz", 2047, kDataRoom);
    CHECK(made.ok());
    static PacketPool kept = std::move(*made);
    return &kept;
  }();
  return *pool;
}

// Cut at `cut` into two segments (0: one), where there is that much.
inline Packet packet_of(const Octets& octets, std::size_t cut = 0) {
  Packet whole;
  for (std::size_t at = 0; at < octets.size() || !whole;) {
    const std::size_t most = at < cut ? cut - at : kDataRoom;
    const std::size_t size = std::min({most, octets.size() - at, std::size_t{kDataRoom}});
    Packet piece = packet_pool().allocate_from_reserve();
    CHECK(piece);
    std::byte* room = piece.put(static_cast<std::uint16_t>(size));
    CHECK(room != nullptr);
    if (size != 0) std::memcpy(room, octets.data() + at, size);
    at += size;
    if (whole) {
      PacketPool::chain(whole, std::move(piece));
    } else {
      whole = std::move(piece);
    }
  }
  return whole;
}

inline Octets octets_in(const Packet& packet) {
  Octets octets(packet.size());
  packet.copy_out(0, std::as_writable_bytes(std::span(octets)));
  return octets;
}

// Two bits: so that inputs reach what stands behind a checksum, and the checksum itself.
inline Checksum verdict_of(unsigned bits) { return static_cast<Checksum>(bits & 3); }

template <typename Header>
void append(Octets& octets, const Header& header) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(&header);
  octets.insert(octets.end(), at, at + sizeof header);
}

inline wire::Ipv4Header ip_header(std::uint8_t protocol, std::size_t payload) {
  wire::Ipv4Header header{};
  header.version_ihl = 0x45;
  header.total_length = static_cast<std::uint16_t>(sizeof header + payload);
  header.id = 1;
  header.fragment = 0;
  header.ttl = 64;
  header.protocol = protocol;
  header.checksum = 0;
  header.source = 0xc6120002;       // 198.18.0.2
  header.destination = 0xc6120001;  // 198.18.0.1
  header.checksum = wire::checksum(std::as_bytes(std::span(&header, 1)));
  return header;
}

// Checks on the way out that every packet came back.
class PoolWatch {
 public:
  PoolWatch() : before_(packet_pool().available()) {}
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;
  ~PoolWatch() { CHECK(packet_pool().available() == before_); }

 private:
  std::uint32_t before_;
};

}  // namespace pollux::fuzz
