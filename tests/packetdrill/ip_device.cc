// ip_device.cc - frames to IP packets and back.
#include "tests/packetdrill/ip_device.h"

#include <algorithm>
#include <cstring>

#include "stack/wire/headers.h"

namespace pollux::packetdrill {
namespace {

constexpr MacAddress kOwn = {2, 0, 0, 0, 0, 2}, kPeer = {2, 0, 0, 0, 0, 1};
constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806;
constexpr std::uint16_t kRequest = 1, kReply = 2;

template <typename Header>
Header read_header(ConstBytes octets, std::size_t at) {
  Header header{};
  std::memcpy(&header, octets.data() + at, sizeof header);
  return header;
}

Octets frame_of(std::uint16_t type, const void* payload, std::size_t size) {
  wire::EthernetHeader header{};
  std::copy(kOwn.begin(), kOwn.end(), header.destination);
  std::copy(kPeer.begin(), kPeer.end(), header.source);
  header.type = be16(type);
  Octets frame(sizeof header + size);
  std::memcpy(frame.data(), &header, sizeof header);
  std::memcpy(frame.data() + sizeof header, payload, size);
  return frame;
}

}  // namespace

IpDevice::IpDevice(PacketPool& pool, Clock& clock, std::uint16_t mtu) : pool_(pool), clock_(clock) {
  caps_.mtu = mtu;
  caps_.mac = kOwn;
  caps_.tx_multi_segments = true;
}

std::size_t IpDevice::rx_burst(std::span<Packet> out) {
  std::size_t n = 0;
  for (; n < out.size() && !arriving_.empty(); ++n, arriving_.pop_front()) {
    const Octets& frame = arriving_.front();
    out[n] = pool_.allocate();
    CHECK(out[n]);
    std::byte* const room = out[n].put(static_cast<std::uint16_t>(frame.size()));
    CHECK(room != nullptr);
    std::memcpy(room, frame.data(), frame.size());
    out[n].meta() = kNothingKnown;
  }
  return n;
}

std::size_t IpDevice::tx_burst(std::span<Packet> packets) {
  for (Packet& packet : packets) {
    Octets frame(packet.size());
    packet.copy_out(0, frame);
    packet.reset();
    const auto ethernet = read_header<wire::EthernetHeader>(frame, 0);
    if (ethernet.type == kTypeArp) answer_arp(frame);
    if (ethernet.type != kTypeIpv4) continue;
    frame.erase(frame.begin(), frame.begin() + sizeof ethernet);
    sent.push_back({clock_.now(), std::move(frame)});
  }
  return packets.size();
}

void IpDevice::arrive(ConstBytes ip_packet) {
  arriving_.push_back(frame_of(kTypeIpv4, ip_packet.data(), ip_packet.size()));
}

void IpDevice::answer_arp(ConstBytes frame) {
  const auto asked = read_header<wire::ArpPacket>(frame, sizeof(wire::EthernetHeader));
  const bool is_probe = asked.sender_ip == 0;
  if (asked.operation != kRequest || is_probe || asked.sender_ip == asked.target_ip) return;
  wire::ArpPacket reply = asked;
  reply.operation = be16(kReply);
  std::copy(kPeer.begin(), kPeer.end(), reply.sender_mac);
  reply.sender_ip = asked.target_ip;
  std::copy(kOwn.begin(), kOwn.end(), reply.target_mac);
  reply.target_ip = asked.sender_ip;
  arriving_.push_back(frame_of(kTypeArp, &reply, sizeof reply));
}

}  // namespace pollux::packetdrill
