// queue.cc - bursts: mbufs to packets with what the device knows, packets to what the device takes.
#include "drivers/dpdk/queue.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <utility>

namespace pollux {
namespace {

constexpr std::size_t kMaxBurst = 256;
constexpr std::uint64_t kChecksumFlags = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
constexpr std::uint64_t kVlanStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
constexpr std::uint64_t kAlwaysHeard = kVlanStripped | RTE_MBUF_F_RX_LRO;

// A span of empty Packets is a row of mbuf pointers to fill.
rte_mbuf** mbufs_of(Packet* packets) { return reinterpret_cast<rte_mbuf**>(packets); }

Checksum ip_checksum(std::uint64_t flags) {
  switch (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
    case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
      return Checksum::good;
    case RTE_MBUF_F_RX_IP_CKSUM_BAD:
      return Checksum::bad;
    case RTE_MBUF_F_RX_IP_CKSUM_NONE:
      return Checksum::valid;
    default:
      return Checksum::unknown;
  }
}

Checksum l4_checksum(std::uint64_t flags) {
  switch (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
      return Checksum::good;
    case RTE_MBUF_F_RX_L4_CKSUM_BAD:
      return Checksum::bad;
    case RTE_MBUF_F_RX_L4_CKSUM_NONE:
      return Checksum::valid;
    default:
      return Checksum::unknown;
  }
}

// A device merges only segments whose checksums it has verified, and the header that is left may
// still have the first one's.
void note_merged(PacketMeta& meta) {
  if (meta.ip_checksum == Checksum::unknown) meta.ip_checksum = Checksum::valid;
  if (meta.l4_checksum == Checksum::unknown) meta.l4_checksum = Checksum::valid;
}

void note_received(Packet& packet, std::uint64_t heard) {
  const rte_mbuf& mbuf = *packet.mbuf();
  const std::uint64_t flags = mbuf.ol_flags & heard;
  if (flags == 0) [[likely]] {
    packet.meta() = kNothingKnown;
    return;
  }
  const bool has_vlan = (flags & kVlanStripped) == kVlanStripped;
  packet.meta() = {ip_checksum(flags), l4_checksum(flags),
                   has_vlan ? mbuf.vlan_tci : std::uint16_t{0}, has_vlan};
  if ((flags & RTE_MBUF_F_RX_LRO) != 0) note_merged(packet.meta());
}

}  // namespace

Queue::Queue(QueueId id, const DeviceCaps& caps, PacketPool& pool, RxInterrupt interrupt)
    : caps_(caps),
      pool_(pool),
      interrupt_(std::move(interrupt)),
      rx_flags_(kAlwaysHeard | (caps.rx_checksum ? kChecksumFlags : 0)),
      id_(id),
      takes_all_(caps.tx_multi_segments && !caps.tx_vlan_insert &&
                 std::min(caps.tx_segments, caps.tx_tso_segments) == UINT16_MAX) {}

void Queue::watch(DeviceWatch& watch) {
  watch_ = &watch;
  watch.add_user();
}

void Queue::let_go() {
  if (!is_gone() || std::exchange(has_let_go_, true)) return;
  watch_->release();
}

// What one queue of a device has shown holds for the others, some of which may get no packet.
bool Queue::doubts_interrupt() const {
  if (!watch_) return interrupt_.is_on_trial();
  if (interrupt_.has_passed()) watch_->note_interrupts_work();
  return interrupt_.is_on_trial() && !watch_->has_interrupts_that_work();
}

void Queue::arm_rx_interrupt() {
  if (!is_gone()) interrupt_.arm();
}

void Queue::disarm_rx_interrupt() {
  if (is_gone()) return;
  interrupt_.disarm();
  if (watch_ && interrupt_.has_lost_device()) watch_->note_gone();
}

std::size_t Queue::rx_burst(std::span<Packet> out) {
  if (is_gone()) return 0;
  const auto wanted = static_cast<std::uint16_t>(std::min(out.size(), kMaxBurst));
  const std::size_t n = rte_eth_rx_burst(id_.port, id_.index, mbufs_of(out.data()), wanted);
  for (std::size_t i = 0; i < n; ++i) note_received(out[i], rx_flags_);
  interrupt_.note_burst(n);
  return n;
}

std::size_t Queue::tx_burst(std::span<Packet> packets) {
  std::size_t done = 0;
  if (is_gone()) {
    for (Packet& packet : packets) packet.reset();
    return packets.size();
  }
  while (done < packets.size()) {
    const std::span<Packet> rest =
        packets.subspan(done, std::min(packets.size() - done, kMaxBurst));
    const Ready ready = make_ready(rest);
    const std::size_t sent = rte_eth_tx_burst(id_.port, id_.index, mbufs_of(rest.data()),
                                              static_cast<std::uint16_t>(ready.packets));
    std::fill_n(mbufs_of(rest.data()), sent, nullptr);  // theirs now: forgotten, not freed
    done += sent;
    if (sent < ready.packets || ready.next == Fit::no_memory) break;
    if (ready.next == Fit::never) {
      packets[done++].reset();
      ++tx_dropped_;
    }
  }
  return done;
}

// Doing this again to a packet that was refused meanwhile changes nothing.
Queue::Ready Queue::make_ready(std::span<Packet> packets) {
  Ready ready{packets.size(), Fit::ready};
  if (!takes_all_) {
    ready.packets = 0;
    while (ready.packets < packets.size() && ready.next == Fit::ready) {
      ready.next = fit(packets[ready.packets]);
      if (ready.next == Fit::ready) ++ready.packets;
    }
  }
  std::uint64_t flags = 0;
  for (const Packet& packet : packets.first(ready.packets)) flags |= packet.mbuf()->ol_flags;
  if ((flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0) return ready;
  // Drivers put the pseudo-header's sum as their hardware wants it, and name what it cannot do.
  const auto n = static_cast<std::uint16_t>(ready.packets);
  const std::size_t good = rte_eth_tx_prepare(id_.port, id_.index, mbufs_of(packets.data()), n);
  return good == ready.packets ? ready : Ready{good, Fit::never};
}

Queue::Fit Queue::fit(Packet& packet) {
  if (caps_.tx_vlan_insert && packet.meta().has_vlan) {
    packet.mbuf()->ol_flags |= RTE_MBUF_F_TX_VLAN;
    packet.mbuf()->vlan_tci = packet.meta().vlan_tci;
  }
  // A driver without chains may also look for the octets in the element itself (net_af_xdp).
  const bool is_fine = caps_.tx_multi_segments || RTE_MBUF_DIRECT(packet.mbuf());
  if (is_fine && packet.segments() <= most_segments(packet)) return Fit::ready;
  return copy_tightly(packet);
}

std::uint16_t Queue::most_segments(const Packet& packet) const {
  if (!caps_.tx_multi_segments) return 1;
  const bool is_cut = (packet.mbuf()->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
  return is_cut ? caps_.tx_tso_segments : caps_.tx_segments;
}

// Text that was sent in small pieces and is sent again together can be a chain of very many.
Queue::Fit Queue::copy_tightly(Packet& packet) {
  const std::uint32_t size = packet.size(), room = pool_.data_room();
  if ((size + room - 1) / room > most_segments(packet)) return Fit::never;
  Packet copy;
  for (std::uint32_t done = 0; done < size;) {
    Packet piece = size <= room ? pool_.allocate_from_reserve() : pool_.allocate();
    if (!piece) return Fit::no_memory;
    const auto step = static_cast<std::uint16_t>(std::min(size - done, room));
    std::byte* to = piece.put(step);
    CHECK(to != nullptr && packet.copy_out(done, Bytes(to, step)) == step);
    done += step;
    if (copy) {
      PacketPool::chain(copy, std::move(piece));
    } else {
      copy = std::move(piece);
    }
  }
  const std::uint64_t asked = packet.mbuf()->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
  copy.mbuf()->ol_flags |= asked;
  copy.mbuf()->tx_offload = packet.mbuf()->tx_offload;
  copy.mbuf()->vlan_tci = packet.mbuf()->vlan_tci;
  copy.meta() = packet.meta();
  packet = std::move(copy);
  ++tx_copied_;
  return Fit::ready;
}

bool Queue::is_link_up() const {
  if (watch_) return watch_->is_up();
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_.port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace pollux
