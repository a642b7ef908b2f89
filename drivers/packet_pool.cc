// packet_pool.cc - one mempool and the three things made of it: packets, text, references.
#include "drivers/packet_pool.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <algorithm>

namespace pollux {
namespace {

// The pool's memory is a ring, whose level reachable() reads.
constexpr const char* kHandler = "ring_mp_mc";
constexpr std::uint32_t kMinPackets = 255;
constexpr std::uint32_t kMaxPackets = 1U << 22;
constexpr std::uint32_t kMaxReserve = 1024;
constexpr std::uint16_t kMaxCredit = 64;

// Per lcore id, so that a burst is taken and given back without touching the shared ring. An idle
// cache holds at most 1.5 times its size: 3/16 of a small pool.
unsigned cache_size(std::uint32_t packets) { return std::min(256U, packets / 8); }

// What the calling lcore can take, without walking the caches of 128 lcores.
std::uint32_t reachable(rte_mempool* pool) {
  const rte_mempool_cache* cache = rte_mempool_default_cache(pool, rte_lcore_id());
  return rte_ring_count(static_cast<const rte_ring*>(pool->pool_data)) + (cache ? cache->len : 0);
}

Text allocate_from(void* pool) { return static_cast<PacketPool*>(pool)->allocate_text(); }

}  // namespace

Result<PacketPool> PacketPool::create(const std::string& name, std::uint32_t packets,
                                      std::uint16_t data_room) {
  if (packets < kMinPackets || packets > kMaxPackets) return Errno::invalid;
  if (data_room == 0 || data_room > UINT16_MAX - kPacketHeadRoom) return Errno::invalid;
  static_assert(kPacketHeadRoom == RTE_PKTMBUF_HEADROOM);
  static_assert(kPacketPrivateSize % RTE_MBUF_PRIV_ALIGN == 0);
  const auto room = static_cast<std::uint16_t>(kPacketHeadRoom + data_room);
  rte_mempool* pool =
      rte_pktmbuf_pool_create_by_ops(name.c_str(), packets, cache_size(packets), kPacketPrivateSize,
                                     room, SOCKET_ID_ANY, kHandler);
  if (!pool) return static_cast<Errno>(rte_errno != 0 ? rte_errno : ENOMEM);
  return PacketPool(pool, data_room);
}

PacketPool::PacketPool(rte_mempool* pool, std::uint16_t data_room)
    : pool_(pool), reserve_(std::min(kMaxReserve, pool->size / 16)), data_room_(data_room) {}

PacketPool::~PacketPool() { rte_mempool_free(pool_); }

bool PacketPool::refill_credit() {
  const std::uint32_t level = reachable(pool_);
  if (level <= reserve_) return false;
  credit_ = static_cast<std::uint16_t>(std::min<std::uint32_t>(level - reserve_, kMaxCredit));
  return true;
}

Packet PacketPool::allocate() {
  if (credit_ == 0 && !refill_credit()) return Packet();
  --credit_;
  return allocate_from_reserve();
}

Packet PacketPool::allocate_from_reserve() {
  Packet packet(rte_pktmbuf_alloc(pool_));
  if (packet) packet.meta() = kNothingKnown;
  return packet;
}

Text PacketPool::allocate_text() {
  Packet packet = allocate();
  return packet ? Text(Packet::make_text(packet.release())) : Text();
}

TextMemory PacketPool::text_memory() { return TextMemory(allocate_from, this); }

Packet PacketPool::refer(TextNode& node, std::uint32_t offset, std::uint32_t size) {
  CHECK(offset <= node.size && size <= node.size - offset);
  Packet packet = allocate();
  if (!packet) return packet;
  rte_mbuf* indirect = packet.mbuf();
  rte_mbuf* owner = Packet::mbuf_of(&node);
  rte_pktmbuf_attach(indirect, owner);
  // Of what attach copied, only the memory counts: no flags of the packet that brought the octets.
  indirect->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  indirect->tx_offload = 0;
  const auto* base = static_cast<const std::byte*>(indirect->buf_addr);
  indirect->data_off = static_cast<std::uint16_t>(node.data + offset - base);
  indirect->data_len = static_cast<std::uint16_t>(size);
  indirect->pkt_len = size;
  // No tail room: what follows is the text's. Detaching restores the element's own length.
  indirect->buf_len = static_cast<std::uint16_t>(indirect->data_off + size);
  node.is_shared = true;
  return packet;
}

void PacketPool::chain(Packet& head, Packet tail) {
  CHECK(rte_pktmbuf_chain(head.mbuf(), tail.mbuf()) == 0);
  tail.release();
}

std::uint32_t PacketPool::available() const { return rte_mempool_avail_count(pool_); }

std::uint32_t PacketPool::capacity() const { return pool_->size; }

bool PacketPool::is_low() const { return reachable(pool_) < pool_->size / 4; }

PacketPool::Shortage PacketPool::shortage(std::uint32_t users) const {
  const std::uint32_t level = reachable(pool_);
  const std::uint32_t low = pool_->size / 4;
  const std::uint32_t for_each = users < low - reserve_ ? reserve_ + users : 0;
  return {level < low, level < std::max(3 * reserve_, for_each), level <= reserve_};
}

}  // namespace pollux
