// queue.cc - bursts: mbufs to packets with what the device knows, packets to what the device takes.
#include "drivers/dpdk/queue.h"

#include <rte_ethdev.h>

#include <algorithm>

namespace pollux {
namespace {

constexpr std::size_t kMaxBurst = 256;
constexpr std::uint64_t kRxChecksums = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
constexpr std::uint64_t kVlanStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

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
}

}  // namespace

Queue::Queue(std::uint16_t port, const DeviceCaps& caps, PacketPool& pool, RxInterrupt interrupt)
    : caps_(caps),
      pool_(pool),
      interrupt_(std::move(interrupt)),
      rx_flags_(kVlanStripped | (caps.rx_checksum ? kRxChecksums : 0)),
      port_(port),
      takes_all_(caps.tx_multi_segments && !caps.tx_vlan_insert) {}

std::size_t Queue::rx_burst(std::span<Packet> out) {
  const auto wanted = static_cast<std::uint16_t>(std::min(out.size(), kMaxBurst));
  const std::size_t n = rte_eth_rx_burst(port_, 0, mbufs_of(out.data()), wanted);
  for (std::size_t i = 0; i < n; ++i) note_received(out[i], rx_flags_);
  return n;
}

std::size_t Queue::tx_burst(std::span<Packet> packets) {
  std::size_t done = 0;
  while (done < packets.size()) {
    const std::span<Packet> rest =
        packets.subspan(done, std::min(packets.size() - done, kMaxBurst));
    const Ready ready = make_ready(rest);
    const std::size_t sent = rte_eth_tx_burst(port_, 0, mbufs_of(rest.data()),
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
  const std::size_t good = rte_eth_tx_prepare(port_, 0, mbufs_of(packets.data()), n);
  return good == ready.packets ? ready : Ready{good, Fit::never};
}

Queue::Fit Queue::fit(Packet& packet) {
  if (caps_.tx_vlan_insert && packet.meta().has_vlan) {
    packet.mbuf()->ol_flags |= RTE_MBUF_F_TX_VLAN;
    packet.mbuf()->vlan_tci = packet.meta().vlan_tci;
  }
  // A driver without chains may also look for the octets in the element itself (net_af_xdp).
  if (caps_.tx_multi_segments) return Fit::ready;
  if (packet.segments() == 1 && RTE_MBUF_DIRECT(packet.mbuf())) return Fit::ready;
  return copy_into_one(packet);
}

Queue::Fit Queue::copy_into_one(Packet& packet) {
  const std::uint32_t size = packet.size();
  if (size > pool_.data_room()) return Fit::never;
  Packet copy = pool_.allocate_from_reserve();
  if (!copy) return Fit::no_memory;
  std::byte* to = copy.put(static_cast<std::uint16_t>(size));
  CHECK(to != nullptr && packet.copy_out(0, Bytes(to, size)) == size);
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
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace pollux
