// flood_device.h - FloodDevice: a server's card with honest traffic on it, and a flood of SYNs and
// ACKs from addresses that are nobody's.
#pragma once

#include <cstdint>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "stack/base/ip_address.h"
#include "stack/base/rng.h"
#include "tests/sim/sim_clock.h"

namespace pollux::sim {

// In front of one end of a SimLink. What leaves for 198.19.0.0/16, whose hosts do not exist, is
// counted and ends here; all else is the link's.
class FloodDevice final : public NetDevice {
 public:
  struct Target {
    Endpoint listener;
    MacAddress mac;
  };
  struct Told {
    std::uint64_t syns = 0, acks = 0;
    std::uint64_t octets_in = 0, octets_out = 0;  // of IP packets
    std::uint64_t answers = 0, resets = 0;
  };
  FloodDevice(NetDevice& link, PacketPool& pool, const Target& target, SimClock& clock)
      : link_(link), pool_(pool), target_(target), clock_(clock) {}
  // `syns` and `acks` in each 100 us, from now on; 0 and 0 end it.
  void flood(unsigned syns, unsigned acks);

  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return link_.caps(); }
  Instant next_event() const override;
  const Told& told() const { return told_; }

 private:
  Packet spoofed(bool is_syn);
  bool swallow(const Packet& packet);

  NetDevice& link_;
  PacketPool& pool_;
  const Target target_;
  SimClock& clock_;
  Rng rng_{4987};
  unsigned syns_ = 0, acks_ = 0;  // in each turn
  unsigned left_syns_ = 0, left_acks_ = 0;
  Instant next_turn_ = Instant::never();
  std::vector<Packet> honest_;
  Told told_;
};

}  // namespace pollux::sim
