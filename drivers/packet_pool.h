// packet_pool.h - PacketPool: the mbufs of one queue; packets, and writable text, are made here.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/packet.h"
#include "stack/base/result.h"
#include "stack/base/text.h"

struct rte_mempool;

namespace pollux {

// Owns one mempool. Used inside one Stack's entry (with its lcore id set, see dpdk/eal.h).
class PacketPool {
 public:
  // `packets`: how many, 255 to 2^22. `data_room`: octets of payload per packet behind the head
  // room. Memory is reserved now. ENOMEM: hugepages or --no-huge memory do not suffice.
  static Result<PacketPool> create(const std::string& name, std::uint32_t packets,
                                   std::uint16_t data_room);
  PacketPool(PacketPool&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        reserve_(other.reserve_),
        data_room_(other.data_room_) {}
  PacketPool& operator=(PacketPool&&) = delete;
  ~PacketPool();

  // An empty packet, its PacketMeta unknown; false when nothing but the reserve is left. The
  // reserve (1/16 of the pool, at most 1,024) is for those that make progress without growing: ACK,
  // RST, ARP.
  Packet allocate();
  Packet allocate_from_reserve();
  // Writable text with data_room octets of tail room; empty when the pool is below its reserve.
  Text allocate_text();
  TextMemory text_memory();
  // A packet whose only segment refers to `size` octets of `node` at `offset`, without copying; the
  // node's mbuf stays until the packet is gone. Empty when nothing but the reserve is left. Marks
  // the node shared. `node` lives in an mbuf (of any pool). The packet has no room in front or
  // behind.
  Packet refer(TextNode& node, std::uint32_t offset, std::uint32_t size);
  // Chains `tail` behind `head`.
  static void chain(Packet& head, Packet tail);

  std::uint32_t available() const;  // exact only when nothing runs
  std::uint32_t capacity() const;
  bool is_full() const { return available() == capacity(); }
  // Below a quarter: received text is copied rather than kept in its packet (design.md 4).
  bool is_low() const;
  // Scarce: who holds much takes no more, so that others can go on. That is below three times the
  // reserve, or where it is in the lowest quarter, below a packet for each of `users` beside it.
  // Exhausted: nothing but the reserve is left.
  struct Shortage {
    bool is_low, is_scarce, is_exhausted;
  };
  Shortage shortage(std::uint32_t users = 0) const;
  std::uint16_t data_room() const { return data_room_; }
  rte_mempool* mempool() { return pool_; }

 private:
  PacketPool(rte_mempool* pool, std::uint16_t data_room);
  bool refill_credit();

  rte_mempool* pool_;
  std::uint32_t reserve_ = 0;
  std::uint16_t data_room_ = 0;
  std::uint16_t credit_ = 0;  // allocations that need no look at the pool's level
};

}  // namespace pollux
