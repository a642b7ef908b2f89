// loopback.h - two NetDevices back to back in one process, without EAL devices.
#pragma once

#include "drivers/net_device.h"
#include "stack/base/ring.h"

namespace pollux {

// What one end transmits the other receives, the same mbufs, marked Checksum::unknown. Both ends
// belong to one thread.
class LoopbackPair {
 public:
  LoopbackPair(std::size_t capacity_packets, std::uint16_t mtu);
  NetDevice& a();
  NetDevice& b();

 private:
  class End final : public NetDevice {
   public:
    End(std::size_t capacity, const DeviceCaps& caps) : queue_(capacity), caps_(caps) {}
    std::size_t rx_burst(std::span<Packet> out) override;
    std::size_t tx_burst(std::span<Packet> packets) override;
    const DeviceCaps& caps() const override { return caps_; }
    End* peer = nullptr;

   private:
    Ring<Packet> queue_;  // what this end will receive
    DeviceCaps caps_;
  };
  End a_;
  End b_;
};

}  // namespace pollux
