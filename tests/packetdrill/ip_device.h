// ip_device.h - IpDevice: a network card whose cable ends in IP packets; ARP is answered at once.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "stack/base/bytes.h"
#include "stack/base/clock.h"

namespace pollux::packetdrill {

using Octets = std::vector<std::byte>;

// Every address but the stack's own has the same hardware address. Owned by the World.
class IpDevice final : public NetDevice {
 public:
  struct Sent {
    Instant at;
    Octets packet;  // from the IP header on
  };

  IpDevice(PacketPool& pool, Clock& clock, std::uint16_t mtu);
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return caps_; }
  Instant next_event() const override { return arriving_.empty() ? Instant::never() : Instant(); }
  int rx_interrupt_fd() const override { return 0; }  // asked by nobody: nothing sleeps on it

  void arrive(ConstBytes ip_packet);
  bool has_arriving() const { return !arriving_.empty(); }
  std::deque<Sent> sent;

 private:
  void answer_arp(ConstBytes frame);

  PacketPool& pool_;
  Clock& clock_;
  DeviceCaps caps_;
  std::deque<Octets> arriving_;
};

}  // namespace pollux::packetdrill
