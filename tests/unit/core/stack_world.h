// stack_world.h - a whole Stack between a scripted device and the clock, and frames for it.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "stack/core/inside.h"
#include "stack/core/stack.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scripted_device.h"

namespace pollux::testing_support {

inline constexpr std::uint8_t kPeerMac[6] = {2, 0, 0, 0, 0, 1};
inline constexpr std::uint8_t kOurMac[6] = {2, 0, 0, 0, 0, 2};
inline const IpAddress kUs = IpAddress::v4(198, 18, 0, 2);
inline const IpAddress kPeer = IpAddress::v4(198, 18, 0, 1);

inline Octets octets(std::initializer_list<int> values) {
  Octets result;
  for (int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

template <typename T>
void append(Octets& to, const T& value) {
  const auto* from = reinterpret_cast<const std::byte*>(&value);
  to.insert(to.end(), from, from + sizeof(T));
}

template <typename T>
const T& at(const Octets& frame, std::size_t offset) {
  return *reinterpret_cast<const T*>(frame.data() + offset);
}

inline Octets ethernet_frame(std::uint16_t type, const std::uint8_t* to = kOurMac) {
  Octets frame;
  for (int i = 0; i < 6; ++i) frame.push_back(static_cast<std::byte>(to[i]));
  for (int i = 0; i < 6; ++i) frame.push_back(static_cast<std::byte>(kPeerMac[i]));
  append(frame, be16(type));
  return frame;
}

// An IPv4 packet from the peer to us with a right header checksum.
inline Octets ip_frame(std::uint8_t protocol, const Octets& payload) {
  Octets frame = ethernet_frame(0x0800);
  wire::Ipv4Header header{};
  header.version_ihl = 0x45;
  header.total_length = static_cast<std::uint16_t>(20 + payload.size());
  header.ttl = 64;
  header.protocol = protocol;
  header.source = kPeer.v4_bits();
  header.destination = kUs.v4_bits();
  wire::Sum sum;
  sum.add(ConstBytes(reinterpret_cast<const std::byte*>(&header), sizeof(header)));
  header.checksum = sum.checksum();
  append(frame, header);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

inline Octets tcp_frame(Octets segment) {
  wire::Sum sum(wire::pseudo_header_sum(
      {kPeer, kUs, wire::kProtocolTcp, static_cast<std::uint32_t>(segment.size())}));
  sum.add(segment);
  const be16 checksum(sum.checksum());
  std::memcpy(segment.data() + 16, &checksum, 2);
  return ip_frame(wire::kProtocolTcp, segment);
}

inline Octets arp_request() {
  const std::uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  Octets frame = ethernet_frame(0x0806, all);
  const Octets arp = octets(
      {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 198, 18, 0, 1, 0, 0, 0, 0, 0, 0, 198, 18, 0, 2});
  frame.insert(frame.end(), arp.begin(), arp.end());
  return frame;
}

inline Octets echo_request() {
  Octets message = octets({8, 0, 0, 0, 0x12, 0x34, 0, 1, 'h', 'i'});
  wire::Sum sum;
  sum.add(message);
  const be16 checksum(sum.checksum());
  std::memcpy(message.data() + 2, &checksum, 2);
  return ip_frame(wire::kProtocolIcmp, message);
}

// A datagram of one octet from the peer; its checksum is right plus `error`.
inline Octets datagram_to(std::uint16_t port, std::uint16_t error) {
  constexpr std::uint16_t kPeerPort = 9, kLength = 9;
  Octets datagram;
  for (const std::uint16_t field : {kPeerPort, port, kLength, std::uint16_t{0}}) {
    append(datagram, be16(field));
  }
  datagram.push_back(std::byte{'x'});
  wire::Sum sum;
  Octets pseudo;
  append(pseudo, be32(kPeer.v4_bits()));
  append(pseudo, be32(kUs.v4_bits()));
  append(pseudo, be16(wire::kProtocolUdp));
  append(pseudo, be16(kLength));
  pseudo.insert(pseudo.end(), datagram.begin(), datagram.end());
  sum.add(pseudo);
  const be16 checksum(static_cast<std::uint16_t>(sum.checksum() + error));
  std::memcpy(datagram.data() + 6, &checksum, 2);
  return ip_frame(wire::kProtocolUdp, datagram);
}

class StackTest : public PoolEndsFull {
 protected:
  StackTest() : ports_(64, {}, 1), device_(test_pool()) {
    config_.connections = 64;
    config_.listeners = 4;
    config_.time_waits = 64;
    config_.sockets = 64;
    configure_sockets(64);
    stack_ = std::make_unique<Stack>(config_, Stack::Parts{test_pool(), ports_, clock_, 0}, 1,
                                     tcp::Secret{});
    PortConfig port;
    port.addresses = {{kUs, 24}};
    stack_->add_interface(device_, port);
  }
  void TearDown() override {
    stack_.reset();
    PoolEndsFull::TearDown();
  }
  void poll() {
    Inside inside(*stack_);
    stack_->poll(64, inside.now());
  }
  // The peer has asked for our address, so that we know its own; announcements are forgotten.
  void introduce_peer() {
    device_.arrive(arp_request());
    poll();
    device_.sent.clear();
  }
  Socket& udp_socket() {
    Inside inside(*stack_);
    const auto socket = create_socket(stack_->world(), {AF_INET, SOCK_DGRAM, IPPROTO_UDP});
    CHECK(socket.ok());
    return **socket;
  }
  Socket& tcp_socket() {
    Inside inside(*stack_);
    const auto socket = create_socket(stack_->world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    CHECK(socket.ok());
    return **socket;
  }
  // A stream whose SYN is on its way, or waits for the neighbour.
  Socket& connecting_to(const IpAddress& address) {
    Socket& socket = tcp_socket();
    Inside inside(*stack_);
    EXPECT_EQ(socket.connect({address, 80}, inside.now()).error(), Errno::in_progress);
    return socket;
  }
  Result<std::size_t> send_to(Socket& socket, const IpAddress& address) {
    char text[] = "x";
    const iovec vector{text, 1};
    const Endpoint to{address, 9};
    Inside inside(*stack_);
    return socket.send({{&vector, 1}, 1, 0, &to, {}}, inside.now());
  }

  ManualClock clock_;
  Config config_;
  tcp::Ports ports_;
  ScriptedDevice device_;
  std::unique_ptr<Stack> stack_;
};

}  // namespace pollux::testing_support
