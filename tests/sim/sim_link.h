// sim_link.h - SimLink: a cable between two NetDevices that loses, delays, doubles and damages
// packets.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "stack/base/rng.h"
#include "tests/sim/sim_clock.h"

namespace pollux::sim {

struct LinkParams {
  double loss = 0;  // probability of each, per packet
  double duplicate = 0;
  double reorder = 0;  // the packet takes up to eight times the delay
  double corrupt = 0;  // one bit of the packet is flipped
  Duration delay = Duration::us(50);
  Duration jitter;             // up to so much more
  std::uint32_t queue = 1000;  // packets under way; more are lost
  std::uint16_t mtu = 1500;
  std::uint32_t largest = 65535;  // octets of an IP packet; what is larger vanishes: a black hole
  double mark = 0;                // congestion experienced, of packets that are ECN-capable
};

// Both ends belong to the simulation's one thread. What one end sends is copied into the receiver's
// pool, so that the pools of two hosts stay apart, as on two machines.
class SimLink {
 public:
  struct Side {
    MacAddress mac;
    PacketPool& pool;  // where received packets live
  };
  SimLink(const LinkParams& params, const Side& a, const Side& b, Rng& rng, SimClock& clock);
  NetDevice& a() { return a_; }
  NetDevice& b() { return b_; }
  // From now on (a black hole, a healed link).
  void change(const LinkParams& params) { params_ = params; }
  std::uint64_t trace_hash() const { return trace_hash_; }  // of all that was sent, and when
  std::uint64_t packets() const { return packets_; }
  void clear();  // drops what is under way

 private:
  struct UnderWay {
    Instant arrives;
    std::uint64_t number;
    Packet packet;
    friend bool operator>(const UnderWay& x, const UnderWay& y) {
      return x.arrives != y.arrives ? x.arrives > y.arrives : x.number > y.number;
    }
  };
  class End final : public NetDevice {
   public:
    End(SimLink& link, const Side& side);
    std::size_t rx_burst(std::span<Packet> out) override;
    std::size_t tx_burst(std::span<Packet> packets) override;
    const DeviceCaps& caps() const override { return caps_; }
    Instant next_event() const override;
    void receive_later(const Packet& packet, Instant arrives);
    void clear() { under_way_.clear(); }
    std::size_t under_way() const { return under_way_.size(); }
    End* peer = nullptr;

   private:
    SimLink& link_;
    PacketPool& pool_;
    DeviceCaps caps_;
    std::vector<UnderWay> under_way_;  // a heap, the earliest in front
  };

  void send(const Packet& packet, End& to);
  void corrupt(Packet& packet);
  void mark(Packet& packet);
  Instant arrival();

  LinkParams params_;
  Rng& rng_;
  SimClock& clock_;
  std::uint64_t numbers_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325;
  End a_;
  End b_;
};

}  // namespace pollux::sim
