// flood_device.cc - packets made up, and answers to nobody.
#include "tests/sim/flood_device.h"

#include <algorithm>
#include <cstring>

#include "stack/base/check.h"
#include "stack/tcp/segment.h"
#include "stack/wire/headers.h"
#include "stack/wire/tcp_options.h"

namespace pollux::sim {
namespace {

constexpr Duration kTurn = Duration::us(100);
constexpr std::uint32_t kNobody = 0xc6130000;  // 198.19.0.0/16
constexpr std::uint32_t kNobodyMask = 0xffff0000;

struct Headers {
  wire::EthernetHeader ethernet;
  wire::Ipv4Header ip;
  wire::TcpHeader tcp;
};

}  // namespace

void FloodDevice::flood(unsigned syns, unsigned acks) {
  syns_ = syns;
  acks_ = acks;
  next_turn_ = syns + acks == 0 ? Instant::never() : clock_.now();
}

Instant FloodDevice::next_event() const {
  return left_syns_ + left_acks_ != 0 ? clock_.now() : earlier(next_turn_, link_.next_event());
}

std::size_t FloodDevice::rx_burst(std::span<Packet> out) {
  std::size_t n = link_.rx_burst(out);
  if (next_turn_ <= clock_.now()) {
    left_syns_ += syns_;
    left_acks_ += acks_;
    next_turn_ = next_turn_ + kTurn;
  }
  for (; n < out.size() && left_syns_ + left_acks_ != 0; ++n) {
    const bool is_syn = left_syns_ != 0;
    --(is_syn ? left_syns_ : left_acks_);
    out[n] = spoofed(is_syn);
  }
  return n;
}

// A SYN with all options, as Linux sends it, or a bare ACK of a number that may be a cookie. The
// device says that the checksums are right.
Packet FloodDevice::spoofed(bool is_syn) {
  tcp::TcpOptions options;
  if (is_syn) {
    options = {.mss = 1460,
               .window_scale = 7,
               .has_window_scale = true,
               .sack_permitted = true,
               .has_timestamps = true,
               .ts_val = static_cast<std::uint32_t>(rng_.next())};
  }
  const std::size_t option_octets = wire::tcp_options_size(options);
  const auto size = static_cast<std::uint16_t>(sizeof(Headers) + option_octets);
  Packet packet = pool_.allocate();
  CHECK(packet);
  std::byte* const octets = packet.put(size);
  std::memset(octets, 0, size);
  auto& headers = *reinterpret_cast<Headers*>(octets);
  std::copy(target_.mac.begin(), target_.mac.end(), headers.ethernet.destination);
  headers.ethernet.source[0] = 2;
  headers.ethernet.type = 0x0800;
  headers.ip.version_ihl = 0x45;
  headers.ip.total_length = static_cast<std::uint16_t>(size - sizeof headers.ethernet);
  headers.ip.ttl = 64;
  headers.ip.protocol = wire::kProtocolTcp;
  headers.ip.source = kNobody | static_cast<std::uint32_t>(rng_.below(65536));
  headers.ip.destination = target_.listener.address.v4_bits();
  headers.tcp.source_port = static_cast<std::uint16_t>(1024 + rng_.below(64000));
  headers.tcp.destination_port = target_.listener.port;
  headers.tcp.seq = static_cast<std::uint32_t>(rng_.next());
  headers.tcp.ack = is_syn ? 0 : static_cast<std::uint32_t>(rng_.next());
  headers.tcp.data_offset = static_cast<std::uint8_t>((5 + option_octets / 4) << 4);
  headers.tcp.control = is_syn ? tcp::SYN : tcp::ACK;
  headers.tcp.window = 64240;
  wire::build_tcp_options(options, {octets + sizeof headers, option_octets});
  packet.meta() = {Checksum::good, Checksum::good, 0, false};
  ++(is_syn ? told_.syns : told_.acks);
  told_.octets_in += headers.ip.total_length;
  return packet;
}

std::size_t FloodDevice::tx_burst(std::span<Packet> packets) {
  honest_.clear();
  for (Packet& packet : packets) {
    if (!swallow(packet)) honest_.push_back(std::move(packet));
    packet.reset();
  }
  if (!honest_.empty()) CHECK(link_.tx_burst(honest_) == honest_.size());
  return packets.size();
}

bool FloodDevice::swallow(const Packet& packet) {
  const Headers* headers = packet.peek<Headers>();
  if (!headers || headers->ethernet.type != 0x0800) return false;
  if ((headers->ip.destination & kNobodyMask) != kNobody) return false;
  told_.octets_out += headers->ip.total_length;
  ++((headers->tcp.control & tcp::RST) != 0 ? told_.resets : told_.answers);
  return true;
}

}  // namespace pollux::sim
