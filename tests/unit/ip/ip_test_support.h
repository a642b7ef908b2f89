// ip_test_support.h - IPv4 packets as octets, a world of two interfaces, for the tests of stack/ip.
#pragma once

#include "stack/ip/ipv4.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/support/test_packets.h"

namespace pollux::test {

inline constexpr InterfaceId kA = 1, kB = 2;
inline const IpAddress kUs = IpAddress::v4(198, 18, 0, 1), kUsOnB = IpAddress::v4(198, 19, 0, 1),
                       kPeer = IpAddress::v4(198, 18, 0, 2);

inline Routes two_interfaces() {
  Routes routes;
  routes.add_interface(kLoopbackInterface, 65535);
  routes.add_interface(kA, 1500);
  routes.add_interface(kB, 9000);
  routes.add_address(kA, {kUs, 24});
  routes.add_address(kB, {kUsOnB, 24});
  routes.add_gateway({IpAddress::any_v4(), 0}, IpAddress::v4(198, 18, 0, 254));
  return routes;
}

struct Header {
  IpAddress source = kPeer;
  IpAddress destination = kUs;
  std::uint8_t protocol = wire::kProtocolUdp;
  std::uint8_t ttl = 64;
  std::uint16_t id = 7;
  std::uint16_t fragment = 0;  // the field: flags and offset / 8
  Octets options = {};         // a multiple of 4
  int total_length = -1;       // -1: the right one
  int version_ihl = -1;
  std::uint8_t tos = 0x2e;
};

inline Octets ip_packet(const Header& h, const Octets& payload) {
  wire::Ipv4Header header{};
  const std::size_t length = sizeof header + h.options.size();
  header.version_ihl =
      static_cast<std::uint8_t>(h.version_ihl >= 0 ? h.version_ihl : 0x40 | length / 4);
  header.tos = h.tos;
  header.total_length = static_cast<std::uint16_t>(
      h.total_length >= 0 ? static_cast<std::size_t>(h.total_length) : length + payload.size());
  header.id = h.id;
  header.fragment = h.fragment;
  header.ttl = h.ttl;
  header.protocol = h.protocol;
  header.checksum = 0;
  header.source = h.source.v4_bits();
  header.destination = h.destination.v4_bits();
  header.checksum = wire::checksum(bytes_of(octets_of(header) + h.options));
  return octets_of(header) + h.options + payload;
}

// The packet as ipv4::accept() gives it.
inline ipv4::Arrived arrive(const Octets& octets, InterfaceId interface = kA) {
  static const Routes routes = two_interfaces();
  auto arrived = ipv4::accept(packet_of(octets), {routes, interface, false});
  EXPECT_TRUE(arrived.ok()) << "dropped: " << (arrived ? -1 : static_cast<int>(arrived.error()));
  if (!arrived) return {};
  return std::move(*arrived);
}

}  // namespace pollux::test
