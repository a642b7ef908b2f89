// test_packets.h - real mbufs for tests: EAL started once per program, a pool that must end full.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/base/bytes.h"

namespace pollux::test {

using Octets = std::vector<std::uint8_t>;

inline ConstBytes bytes_of(const Octets& octets) { return std::as_bytes(std::span(octets)); }

// A header as the octets it is.
template <typename T>
Octets octets_of(const T& value) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(&value);
  return Octets(at, at + sizeof value);
}

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// 0, 1, 2, ... so that a misplaced octet shows.
inline Octets pattern(std::size_t size, unsigned first = 0) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(first + i);
  return octets;
}

inline constexpr std::uint16_t kTestRoom = 2048;

// Of the whole program; made at the first use, never freed (EAL is not either).
inline PacketPool& test_pool() {
  static PacketPool* pool = [] {
    const DriverError error = start_eal({.use_hugepages = false, .memory_mb = 64});
    EXPECT_FALSE(error) << "EAL does not start";
    Result<PacketPool> made = PacketPool::create("test", 4095, kTestRoom);
    EXPECT_TRUE(made.ok());
    return std::make_unique<PacketPool>(std::move(*made)).release();
  }();
  return *pool;
}

// One segment, or several: `cuts` are the sizes of all but the last.
inline Packet packet_of(ConstBytes octets, std::initializer_list<std::size_t> cuts = {}) {
  std::vector<std::size_t> sizes(cuts);
  std::size_t at = 0;
  for (const std::size_t size : sizes) at += size;
  for (; octets.size() > at + kTestRoom; at += kTestRoom) sizes.push_back(kTestRoom);
  sizes.push_back(octets.size() - at);
  Packet whole;
  at = 0;
  for (const std::size_t size : sizes) {
    Packet piece = test_pool().allocate_from_reserve();
    std::byte* room = piece.put(static_cast<std::uint16_t>(size));
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

inline Packet packet_of(const Octets& octets, std::initializer_list<std::size_t> cuts = {}) {
  return packet_of(bytes_of(octets), cuts);
}

inline Octets octets_in(const Packet& packet) {
  Octets octets(packet.size());
  packet.copy_out(0, std::as_writable_bytes(std::span(octets)));
  return octets;
}

// Every test leaves the pool as it found it.
class PacketTest : public ::testing::Test {
 protected:
  PacketTest() : before_(test_pool().available()) {}
  // Not TearDown(): what the fixture of a test holds is gone by now.
  ~PacketTest() override { EXPECT_EQ(test_pool().available(), before_) << "a packet leaked"; }

 private:
  std::uint32_t before_;
};

}  // namespace pollux::test
