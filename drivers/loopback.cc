// loopback.cc - two ends, each with the queue of what it will receive.
#include "drivers/loopback.h"

#include <algorithm>

namespace pollux {
namespace {

DeviceCaps loopback_caps(std::uint16_t mtu, std::uint8_t end) {
  return {.mtu = mtu, .mac = {0x02, 0, 0, 0, 0, end}, .tx_multi_segments = true};
}

}  // namespace

LoopbackPair::LoopbackPair(std::size_t capacity_packets, std::uint16_t mtu)
    : a_(capacity_packets, loopback_caps(mtu, 1)), b_(capacity_packets, loopback_caps(mtu, 2)) {
  a_.peer = &b_;
  b_.peer = &a_;
}

NetDevice& LoopbackPair::a() { return a_; }
NetDevice& LoopbackPair::b() { return b_; }

std::size_t LoopbackPair::End::rx_burst(std::span<Packet> out) {
  const std::size_t n = std::min(out.size(), queue_.size());
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = queue_.pop();
    out[i].meta() = kNothingKnown;
  }
  return n;
}

std::size_t LoopbackPair::End::tx_burst(std::span<Packet> packets) {
  std::size_t n = 0;
  while (n < packets.size() && peer->queue_.push(std::move(packets[n]))) ++n;
  return n;
}

}  // namespace pollux
