// raw_frames.h - frames with every field to choose, for a Stack of two interfaces.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "tests/unit/core/stack_world.h"

namespace pollux::testing_support {

inline const IpAddress kUsOnB = IpAddress::v4(198, 19, 0, 2);
inline const IpAddress kGateway = IpAddress::v4(198, 19, 0, 254);
inline constexpr std::uint8_t kAllMac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
inline constexpr std::uint8_t kGroupMac[6] = {0x01, 0x00, 0x5e, 0, 0, 1};
inline constexpr std::size_t kIpAt = 14, kTransportAt = 34;  // in a frame without options

// What is left out is right.
struct Raw {
  IpAddress source = kPeer;
  IpAddress destination = kUs;
  std::uint8_t protocol = wire::kProtocolUdp;
  std::uint8_t ttl = 64;
  std::uint16_t id = 7;
  std::uint16_t fragment = 0;  // the field: flags, and offset / 8
  Octets options = {};         // a multiple of 4
  int total_length = -1;
  int version_ihl = -1;
  const std::uint8_t* to_mac = kOurMac;
};

inline Octets raw_frame(const Raw& raw, const Octets& payload) {
  Octets frame = ethernet_frame(0x0800, raw.to_mac);
  wire::Ipv4Header header{};
  const std::size_t length = sizeof header + raw.options.size();
  const std::size_t total = length + payload.size();
  header.version_ihl =
      static_cast<std::uint8_t>(raw.version_ihl >= 0 ? raw.version_ihl : 0x40 | length / 4);
  header.total_length = static_cast<std::uint16_t>(
      raw.total_length >= 0 ? static_cast<std::size_t>(raw.total_length) : total);
  header.id = raw.id;
  header.fragment = raw.fragment;
  header.ttl = raw.ttl;
  header.protocol = raw.protocol;
  header.checksum = 0;
  header.source = raw.source.v4_bits();
  header.destination = raw.destination.v4_bits();
  wire::Sum sum;
  sum.add(ConstBytes(reinterpret_cast<const std::byte*>(&header), sizeof header));
  sum.add(raw.options);
  header.checksum = sum.checksum();
  append(frame, header);
  frame.insert(frame.end(), raw.options.begin(), raw.options.end());
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

// 0, 1, 2, ...: a misplaced octet shows.
inline Octets counted(std::size_t size) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::byte>(i);
  return octets;
}

// From port 9 of `raw.source`; `length`: of the header's field, -1 the right one.
inline Octets udp_octets(const Raw& raw, std::uint16_t port, const Octets& data, int length = -1) {
  wire::UdpHeader header{};
  const std::size_t right = sizeof header + data.size();
  header.source_port = 9;
  header.destination_port = port;
  header.length =
      static_cast<std::uint16_t>(length >= 0 ? static_cast<std::size_t>(length) : right);
  header.checksum = 0;
  Octets octets;
  append(octets, header);
  octets.insert(octets.end(), data.begin(), data.end());
  wire::Sum sum(wire::pseudo_header_sum({raw.source, raw.destination, wire::kProtocolUdp,
                                         static_cast<std::uint32_t>(octets.size())}));
  sum.add(octets);
  const be16 checksum(sum.checksum() != 0 ? sum.checksum() : std::uint16_t{0xffff});
  std::memcpy(octets.data() + 6, &checksum, 2);
  return octets;
}

inline Octets udp_frame(const Raw& raw, std::uint16_t port, const Octets& data) {
  return raw_frame(raw, udp_octets(raw, port, data));
}

// `rest`: the four octets behind the checksum.
inline Octets icmp_octets(std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                          const Octets& body) {
  Octets octets;
  append(octets, std::uint8_t{type});
  append(octets, std::uint8_t{code});
  append(octets, be16(0));
  append(octets, be32(rest));
  octets.insert(octets.end(), body.begin(), body.end());
  const be16 checksum(wire::checksum(octets));
  std::memcpy(octets.data() + 2, &checksum, 2);
  return octets;
}

inline Octets icmp_frame(Raw raw, const Octets& message) {
  raw.protocol = wire::kProtocolIcmp;
  return raw_frame(raw, message);
}

// A SYN from port 12345 to `port`.
inline Octets syn_frame(Raw raw, std::uint16_t port) {
  raw.protocol = wire::kProtocolTcp;
  wire::TcpHeader header{};
  header.source_port = 12345;
  header.destination_port = port;
  header.seq = 1;
  header.data_offset = 0x50;
  header.control = 2;
  header.window = 0xffff;
  Octets octets;
  append(octets, header);
  wire::Sum sum(wire::pseudo_header_sum({raw.source, raw.destination, wire::kProtocolTcp, 20}));
  sum.add(octets);
  const be16 checksum(sum.checksum());
  std::memcpy(octets.data() + 16, &checksum, 2);
  return raw_frame(raw, octets);
}

// A Stack with 198.18.0.2/24 on device_ and 198.19.0.2/24, with a gateway, on other_; both peers
// have introduced themselves.
class RawTest : public StackTest {
 protected:
  RawTest() : other_(test_pool(), 2) {
    PortConfig port;
    port.addresses = {{kUsOnB, 24}};
    port.gateway = kGateway;
    stack_->add_interface(other_, port);
    pass(Duration::seconds(3));  // our announcements
    introduce(device_, kPeer, kUs);
    introduce(other_, kGateway, kUsOnB);
  }

  void pass(Duration time) {
    clock_.advance(time);
    poll();
  }
  void introduce(ScriptedDevice& device, const IpAddress& peer, const IpAddress& us) {
    Octets frame = ethernet_frame(0x0806, kAllMac);
    wire::ArpPacket arp{};
    arp.hardware_type = 1;
    arp.protocol_type = 0x0800;
    arp.hardware_length = 6;
    arp.protocol_length = 4;
    arp.operation = 1;
    std::copy(std::begin(kPeerMac), std::end(kPeerMac), arp.sender_mac);
    arp.sender_ip = peer.v4_bits();
    arp.target_ip = us.v4_bits();
    append(frame, arp);
    device.arrive(frame);
    poll();
    device_.sent.clear();
    other_.sent.clear();
  }
  // The frames that an arriving one brings about, on the device it came to.
  std::vector<Octets> answers(ScriptedDevice& device, const Octets& frame,
                              const PacketMeta& meta = kNothingKnown) {
    device.sent.clear();
    device.arrive(frame, meta);
    poll();
    return std::exchange(device.sent, {});
  }
  // Whether it is dropped for that reason, and nobody hears of it.
  bool is_silent_drop(ScriptedDevice& device, const Octets& frame, Drop reason,
                      const PacketMeta& meta = kNothingKnown) {
    const std::uint64_t before = stack_->drops(reason);
    const bool is_silent = answers(device, frame, meta).empty() && other_.sent.empty();
    return is_silent && stack_->drops(reason) == before + 1;
  }
  // Bound to the port, of every address.
  Socket& udp_at(std::uint16_t port) {
    Socket& socket = udp_socket();
    Inside inside(*stack_);
    EXPECT_TRUE(socket.bind({IpAddress::any_v4(), port}, inside.now()).ok());
    return socket;
  }
  // The next datagram; none: nothing waits.
  std::optional<Octets> read(Socket& socket) {
    Octets room(70000);
    const iovec piece{room.data(), room.size()};
    ReceiveMessage message{{&piece, 1}, room.size(), MSG_DONTWAIT, false, {}, false, 0, {}};
    Inside inside(*stack_);
    const Result<std::size_t> n = socket.receive(message, inside.now());
    if (!n) return std::nullopt;
    room.resize(*n);
    return room;
  }

  ScriptedDevice other_;
};

}  // namespace pollux::testing_support
