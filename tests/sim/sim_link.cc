// sim_link.cc - what happens to a packet on its way; every draw comes from the world's generator.
#include "tests/sim/sim_link.h"

#include <algorithm>
#include <functional>

#include "stack/link/ethernet.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"

namespace pollux::sim {

SimLink::SimLink(const LinkParams& params, const Side& a, const Side& b, Rng& rng, SimClock& clock)
    : params_(params), rng_(rng), clock_(clock), a_(*this, a), b_(*this, b) {
  a_.peer = &b_;
  b_.peer = &a_;
}

SimLink::End::End(SimLink& link, const Side& side) : link_(link), pool_(side.pool) {
  caps_.mtu = link.params_.mtu;
  caps_.mac = side.mac;
  caps_.tx_multi_segments = true;
}

std::size_t SimLink::End::rx_burst(std::span<Packet> out) {
  std::size_t n = 0;
  while (n < out.size() && !under_way_.empty() &&
         under_way_.front().arrives <= link_.clock_.now()) {
    std::pop_heap(under_way_.begin(), under_way_.end(), std::greater<>());
    out[n++] = std::move(under_way_.back().packet);
    under_way_.pop_back();
  }
  return n;
}

std::size_t SimLink::End::tx_burst(std::span<Packet> packets) {
  for (Packet& packet : packets) {
    link_.send(packet, *peer);
    packet.reset();
  }
  return packets.size();
}

Instant SimLink::End::next_event() const {
  return under_way_.empty() ? Instant::never() : under_way_.front().arrives;
}

void SimLink::End::receive_later(const Packet& packet, Instant arrives) {
  if (under_way_.size() >= link_.params_.queue) return;
  Packet copy = pool_.allocate();
  if (!copy) return;  // the receiver's ring is empty: lost, as on a real device
  std::byte* to = copy.put(static_cast<std::uint16_t>(packet.size()));
  CHECK(to != nullptr);
  packet.copy_out(0, Bytes(to, packet.size()));
  copy.meta() = PacketMeta{};
  if (link_.rng_.chance(link_.params_.mark)) link_.mark(copy);
  if (link_.rng_.chance(link_.params_.corrupt)) link_.corrupt(copy);
  under_way_.push_back({arrives, link_.numbers_++, std::move(copy)});
  std::push_heap(under_way_.begin(), under_way_.end(), std::greater<>());
}

void SimLink::send(const Packet& packet, End& to) {
  ++packets_;
  const auto note = [&](std::uint64_t value) {
    trace_hash_ = (trace_hash_ ^ value) * 0x100000001b3;
  };
  note(static_cast<std::uint64_t>(clock_.now().to_ns()));
  for (auto* segment = packet.mbuf(); segment; segment = segment->next) {
    const auto* octets = static_cast<const unsigned char*>(segment->buf_addr) + segment->data_off;
    for (unsigned i = 0; i < segment->data_len; ++i) note(octets[i]);
  }
  if (packet.size() > params_.largest + sizeof(wire::EthernetHeader)) return;
  if (rng_.chance(params_.loss)) return;
  to.receive_later(packet, arrival());
  if (rng_.chance(params_.duplicate)) to.receive_later(packet, arrival());
}

Instant SimLink::arrival() {
  Duration delay = params_.delay;
  if (rng_.chance(params_.reorder)) delay = delay * static_cast<std::int64_t>(1 + rng_.below(8));
  const auto jitter = static_cast<std::uint64_t>(params_.jitter.to_ns());
  if (jitter != 0) delay = delay + Duration::ns(static_cast<std::int64_t>(rng_.below(jitter)));
  return clock_.now() + delay;
}

void SimLink::corrupt(Packet& packet) {
  const auto at = rng_.below(packet.head_size());
  packet.data()[at] ^= static_cast<std::byte>(1u << rng_.below(8));
}

// As a congested router does, instead of dropping (RFC 3168 5).
void SimLink::mark(Packet& packet) {
  constexpr std::uint8_t kEcn = 3;
  const auto& ethernet = *reinterpret_cast<const wire::EthernetHeader*>(packet.data());
  if (ethernet.type != ethernet::kTypeIpv4) return;
  auto& header = *reinterpret_cast<wire::Ipv4Header*>(packet.data() + sizeof ethernet);
  if ((header.tos & kEcn) == 0) return;
  const auto word = [&] {
    return static_cast<std::uint16_t>(header.version_ihl << 8 | header.tos);
  };
  const std::uint16_t was = word();
  header.tos |= kEcn;
  header.checksum = wire::update_checksum(header.checksum, was, word());
}

void SimLink::clear() {
  a_.clear();
  b_.clear();
}

}  // namespace pollux::sim
