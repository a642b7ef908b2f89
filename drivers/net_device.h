// net_device.h - NetDevice: one receive and one transmit queue of anything that moves packets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/packet.h"
#include "stack/base/instant.h"

namespace pollux {

using MacAddress = std::array<std::uint8_t, 6>;

// What the device does so that software need not. Read from the driver bit by bit.
struct DeviceCaps {
  std::uint16_t mtu = 1500;  // octets of an IP packet
  MacAddress mac{};
  bool tx_ipv4_checksum = false;
  bool tx_tcp_checksum = false;
  bool tx_udp_checksum = false;
  bool tx_tso = false;
  bool tx_multi_segments = false;  // takes chains; otherwise a packet must be one segment
  bool tx_vlan_insert = false;
  bool rx_checksum = false;  // what a driver says of a received packet's checksums is heard
};

// Implemented by dpdk/queue, loopback, impair, pcap_tap, pcap_replay and the simulation's links.
class NetDevice {
 public:
  virtual ~NetDevice() = default;
  // Fills the front of `out` (with PacketMeta set); returns how many.
  virtual std::size_t rx_burst(std::span<Packet> out) = 0;
  // Takes from the front of `packets` what it accepts; the rest stays the caller's.
  virtual std::size_t tx_burst(std::span<Packet> packets) = 0;
  virtual const DeviceCaps& caps() const = 0;
  virtual bool is_link_up() const { return true; }
  // A descriptor that becomes readable when a packet arrives while armed; -1: none, poll it.
  virtual int rx_interrupt_fd() const { return -1; }
  // Before a sleep: ask for an interrupt. After arming, poll once more: a packet from before raises
  // none.
  virtual void arm_rx_interrupt() {}
  // After a sleep; takes back the request and clears the descriptor where that is needed.
  virtual void disarm_rx_interrupt() {}
  // When it next has something to do without a packet arriving (impair's delays); never() usually.
  virtual Instant next_event() const { return Instant::never(); }
};

}  // namespace pollux
