// packet.h - Packet: move-only owner of one mbuf chain (push, pull, put, trim).
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "stack/base/bytes.h"
#include "stack/base/check.h"
#include "stack/base/text.h"

namespace pollux {

// What is known of a received checksum.
enum class Checksum : std::uint8_t {
  unknown,  // verify in software
  good,     // the device verified it
  bad,      // the device found it wrong: drop
  valid,    // the data is right although the field is not filled in (same host, loopback)
};

// What the device is asked to do when it transmits; lengths of the headers in front of the payload.
struct TxOffload {
  bool ipv4_checksum = false;
  bool tcp_checksum = false;  // the field holds the pseudo-header's sum
  bool udp_checksum = false;
  std::uint16_t tso_mss = 0;  // not 0: cut into segments of that much payload
  std::uint8_t link_length = 0;
  std::uint8_t ip_length = 0;
  std::uint8_t tcp_length = 0;
};

// Lives in each mbuf's private area, behind the TextNode (so of the mbuf's own struct nothing is
// borrowed). Layout of one element of a PacketPool:
//
//   rte_mbuf | TextNode | PacketMeta | pad | head room 128 | data room
//              '------ private area ------'
struct PacketMeta {
  Checksum ip_checksum;
  Checksum l4_checksum;
  std::uint16_t vlan_tci;  // meaningful if has_vlan
  bool has_vlan;           // received: the tag was taken off; to send: DeviceCaps::tx_vlan_insert
};
inline constexpr PacketMeta kNothingKnown{Checksum::unknown, Checksum::unknown, 0, false};

inline constexpr std::uint16_t kPacketHeadRoom = 128;
inline constexpr std::uint16_t kPacketPrivateSize = 128;
static_assert(sizeof(TextNode) + sizeof(PacketMeta) <= kPacketPrivateSize);

// Every drop is safe: the destructor frees the chain. push and pull work on the first segment.
class Packet {
 public:
  Packet() = default;
  explicit Packet(rte_mbuf* mbuf) : mbuf_(mbuf) {}  // takes ownership
  Packet(Packet&& other) noexcept : mbuf_(std::exchange(other.mbuf_, nullptr)) {}
  Packet& operator=(Packet&& other) noexcept {
    if (this != &other) {
      reset();
      mbuf_ = std::exchange(other.mbuf_, nullptr);
    }
    return *this;
  }
  ~Packet() { reset(); }
  explicit operator bool() const { return mbuf_ != nullptr; }
  void reset() {
    if (mbuf_) rte_pktmbuf_free(std::exchange(mbuf_, nullptr));
  }

  std::uint32_t size() const { return mbuf_->pkt_len; }  // of the whole chain
  std::uint16_t segments() const { return mbuf_->nb_segs; }
  // The first segment's octets; headers are read and written here.
  std::byte* data() { return rte_pktmbuf_mtod(mbuf_, std::byte*); }
  const std::byte* data() const { return rte_pktmbuf_mtod(mbuf_, const std::byte*); }
  std::uint16_t head_size() const { return mbuf_->data_len; }
  Bytes head() { return Bytes(data(), head_size()); }
  ConstBytes head() const { return ConstBytes(data(), head_size()); }

  // A header laid over the first octets; null if the first segment is shorter.
  template <typename Header>
  const Header* peek(std::size_t offset = 0) const {
    if (head_size() < offset + sizeof(Header)) return nullptr;
    return reinterpret_cast<const Header*>(data() + offset);
  }
  // Makes `n` octets in front; they are uninitialised. CHECKs that there is head room. Never on a
  // packet of PacketPool::refer: what is in front belongs to another.
  std::byte* push(std::uint16_t n) {
    DCHECK(RTE_MBUF_DIRECT(mbuf_));
    char* front = rte_pktmbuf_prepend(mbuf_, n);
    CHECK(front != nullptr);
    return reinterpret_cast<std::byte*>(front);
  }
  template <typename Header>
  Header* push() {
    return reinterpret_cast<Header*>(push(sizeof(Header)));
  }
  // Removes `n` octets in front; n <= head_size().
  void pull(std::uint16_t n) { CHECK(rte_pktmbuf_adj(mbuf_, n) != nullptr); }
  // Appends `n` uninitialised octets to the last segment; null if it has no room.
  std::byte* put(std::uint16_t n) {
    return reinterpret_cast<std::byte*>(rte_pktmbuf_append(mbuf_, n));
  }
  // What put() has room for.
  std::uint16_t tail_room() const { return rte_pktmbuf_tailroom(rte_pktmbuf_lastseg(mbuf_)); }
  // Cuts the chain down to `size` octets (link padding). size <= size().
  void trim(std::uint32_t size);
  // Makes the first `n` octets contiguous (headers split over segments). False: the packet is
  // shorter, or the first segment has no room or is shared.
  bool linearize(std::uint32_t n);
  // Copies size() octets, or fewer if `out` is smaller; returns how many.
  std::uint32_t copy_out(std::uint32_t offset, Bytes out) const;

  // Turns the chain into a chain of texts (next), one for each segment that has octets. The packet
  // is empty afterwards. Each text frees its own segment.
  Text into_text() &&;

  PacketMeta& meta() { return *meta_of(mbuf_); }
  const PacketMeta& meta() const { return *meta_of(mbuf_); }
  // Asks the device; all headers lie in the first segment, data() at the link header.
  void request(const TxOffload& offload);

  // The mbuf whose private area holds `node`.
  static rte_mbuf* mbuf_of(TextNode* node) {
    return reinterpret_cast<rte_mbuf*>(reinterpret_cast<std::byte*>(node)) - 1;
  }
  // The text that a fresh or isolated single mbuf holds; its owner frees that mbuf.
  static TextNode* make_text(rte_mbuf* mbuf);

  rte_mbuf* mbuf() { return mbuf_; }
  const rte_mbuf* mbuf() const { return mbuf_; }
  rte_mbuf* release() { return std::exchange(mbuf_, nullptr); }

 private:
  static PacketMeta* meta_of(const rte_mbuf* mbuf) {
    return reinterpret_cast<PacketMeta*>(
        const_cast<std::byte*>(reinterpret_cast<const std::byte*>(mbuf + 1)) + sizeof(TextNode));
  }
  rte_mbuf* mbuf_ = nullptr;
};

static_assert(sizeof(Packet) == sizeof(void*));

}  // namespace pollux
