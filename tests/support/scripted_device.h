// scripted_device.h - a NetDevice whose other end is the test: frames in, frames out, refusals.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "drivers/net_device.h"
#include "tests/support/packets.h"

namespace pollux::testing_support {

class ScriptedDevice final : public NetDevice {
 public:
  explicit ScriptedDevice(PacketPool& pool, std::uint8_t last_octet = 2) : pool_(pool) {
    caps_.mac = {2, 0, 0, 0, 0, last_octet};
    caps_.tx_multi_segments = true;
  }
  std::size_t rx_burst(std::span<Packet> out) override {
    std::size_t n = 0;
    for (; n < out.size() && !arriving_.empty(); ++n, arriving_.pop_front()) {
      out[n] = chain_of(arriving_.front().octets);
      out[n].meta() = arriving_.front().meta;
    }
    return n;
  }
  std::size_t tx_burst(std::span<Packet> packets) override {
    ++bursts_;
    if (refuses) return 0;
    for (Packet& packet : packets) {
      sent.push_back(octets_of(packet));
      tags.push_back(packet.meta().has_vlan ? packet.meta().vlan_tci : -1);
      packet.reset();
    }
    return packets.size();
  }
  const DeviceCaps& caps() const override { return caps_; }
  bool is_link_up() const override {
    ++looks;
    return has_link;
  }
  bool is_gone() const override { return is_taken_away; }
  void let_go() override { has_let_go = true; }
  int rx_interrupt_fd() const override { return interrupt_fd; }
  bool doubts_interrupt() const override { return is_doubtful; }
  Instant next_event() const override { return is_taken_away && !has_let_go ? Instant() : next; }

  void arrive(Octets frame, const PacketMeta& meta = kNothingKnown) {
    arriving_.push_back({std::move(frame), meta});
  }
  DeviceCaps& caps() { return caps_; }
  unsigned bursts() const { return bursts_; }
  bool has_link = true;
  mutable unsigned looks = 0;  // at the link
  bool is_taken_away = false;
  bool has_let_go = false;
  int interrupt_fd = 0;  // so that nothing is paced
  bool is_doubtful = false;
  std::vector<Octets> sent;
  std::vector<int> tags;  // of sent, that the device is to insert; -1: none
  bool refuses = false;
  Instant next = Instant::never();

 private:
  struct Arriving {
    Octets octets;
    PacketMeta meta;
  };
  // As many segments as a frame of that size needs.
  Packet chain_of(ConstBytes octets) {
    const std::size_t room = pool_.data_room();
    Packet packet = packet_of(pool_, octets.first(std::min(octets.size(), room)));
    for (std::size_t done = room; done < octets.size(); done += room) {
      const ConstBytes rest = octets.subspan(done);
      PacketPool::chain(packet, packet_of(pool_, rest.first(std::min(rest.size(), room))));
    }
    return packet;
  }

  PacketPool& pool_;
  DeviceCaps caps_;
  std::deque<Arriving> arriving_;
  unsigned bursts_ = 0;
};

}  // namespace pollux::testing_support
