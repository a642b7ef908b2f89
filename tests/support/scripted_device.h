// scripted_device.h - a NetDevice whose other end is the test: frames in, frames out, refusals.
#pragma once

#include <deque>
#include <vector>

#include "drivers/net_device.h"
#include "tests/support/packets.h"

namespace pollux::testing_support {

class ScriptedDevice final : public NetDevice {
 public:
  explicit ScriptedDevice(PacketPool& pool) : pool_(pool) {
    caps_.mac = {2, 0, 0, 0, 0, 2};
    caps_.tx_multi_segments = true;
  }
  std::size_t rx_burst(std::span<Packet> out) override {
    std::size_t n = 0;
    for (; n < out.size() && !arriving_.empty(); ++n, arriving_.pop_front()) {
      out[n] = packet_of(pool_, arriving_.front());
      out[n].meta() = PacketMeta{};
    }
    return n;
  }
  std::size_t tx_burst(std::span<Packet> packets) override {
    ++bursts_;
    if (refuses) return 0;
    for (Packet& packet : packets) {
      sent.push_back(octets_of(packet));
      packet.reset();
    }
    return packets.size();
  }
  const DeviceCaps& caps() const override { return caps_; }
  int rx_interrupt_fd() const override { return 0; }  // so that nothing is paced
  Instant next_event() const override { return next; }

  void arrive(Octets frame) { arriving_.push_back(std::move(frame)); }
  unsigned bursts() const { return bursts_; }
  std::vector<Octets> sent;
  bool refuses = false;
  Instant next = Instant::never();

 private:
  PacketPool& pool_;
  DeviceCaps caps_;
  std::deque<Octets> arriving_;
  unsigned bursts_ = 0;
};

}  // namespace pollux::testing_support
