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
  // Of one chain at most, and of one that the device cuts.
  std::uint16_t tx_segments = UINT16_MAX;
  std::uint16_t tx_tso_segments = UINT16_MAX;
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
  // May cost a system call or reads of registers: not for every packet.
  virtual bool is_link_up() const { return true; }
  // It has been taken away: it gives and takes nothing any more. next_event() is past until
  // let_go(), after which nobody may be using it.
  virtual bool is_gone() const { return false; }
  virtual void let_go() {}
  // Readable once it is gone; -1: it will not be, or has been let go of.
  virtual int removal_fd() const { return -1; }
  // A descriptor that becomes readable when a packet arrives while armed; -1: none, poll it.
  virtual int rx_interrupt_fd() const { return -1; }
  // No packet has come with an interrupt so far: sleep on it, but not for long.
  virtual bool doubts_interrupt() const { return false; }
  // Before a sleep: ask for an interrupt. After arming, poll once more: a packet from before raises
  // none.
  virtual void arm_rx_interrupt() {}
  // After a sleep; takes back the request and clears the descriptor where that is needed.
  virtual void disarm_rx_interrupt() {}
  // When it next has something to do without a packet arriving (impair's delays); never() usually.
  virtual Instant next_event() const { return Instant::never(); }
};

}  // namespace pollux
