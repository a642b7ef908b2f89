// fuzz_ip.cc - one packet through IPv4 to ICMP or UDP, and the ICMP error about it.
#include "stack/ip/icmp.h"
#include "stack/ip/ipv4.h"
#include "stack/udp/udp.h"
#include "tests/fuzz/fuzz_packets.h"

namespace pollux::fuzz {
namespace {

// The first octet: verdicts of the device, VLAN of nothing; the second: where the packet is cut.
Octets input_of(const wire::Ipv4Header& header, const Octets& payload) {
  Octets octets{0x0f, 0};
  append(octets, header);
  octets.insert(octets.end(), payload.begin(), payload.end());
  return octets;
}

Octets quote_of(std::uint8_t protocol) {
  wire::Ipv4Header header = ip_header(protocol, 8);
  std::swap(header.source, header.destination);
  Octets quote;
  append(quote, header);
  quote.insert(quote.end(), {8, 0, 0, 1, 0, 9, 0, 0});
  return quote;
}

const Routes& routes() {
  static const Routes kept = [] {
    Routes made;
    made.add_interface(1, 1500);
    made.add_address(1, {IpAddress::v4(198, 18, 0, 1), 24});
    return made;
  }();
  return kept;
}

void check_udp(const IpInfo& info, Packet packet) {
  const std::uint32_t size = packet.size();
  const auto datagram = udp::decode(info, std::move(packet));
  if (!datagram) return;
  CHECK(datagram->packet.size() + udp::kHeaderSize <= size);
  const icmp::ErrorToSend what{.pulled = udp::kHeaderSize};
  if (!icmp::may_send_error(info, datagram->packet, what)) return;
  const auto error = icmp::make_error(packet_pool(), info, datagram->packet, what);
  CHECK(error && error->size() <= 556);
}

void check_icmp(const IpInfo& info, Packet packet) {
  const auto arrived = icmp::decode(info, packet, routes());
  if (!arrived) return;
  if (arrived->kind == icmp::Kind::echo_request) {
    const std::uint32_t size = packet.size();
    icmp::make_echo_reply(packet);
    CHECK(packet.size() == size);
  }
  if (arrived->kind != icmp::Kind::error) return;
  CHECK(arrived->error.tuple.local.address == IpAddress::v4(198, 18, 0, 1) ||
        arrived->error.tuple.local.address.is_loopback());
}

}  // namespace

std::vector<Octets> seeds() {
  const Octets echo{8, 0, 0, 0, 0, 1, 0, 2, 'p', 'i', 'n', 'g'};
  const Octets datagram{0x9c, 0x40, 0, 53, 0, 11, 0, 0, 1, 2, 3};
  const Octets to_port_0{0x9c, 0x40, 0, 0, 0, 11, 0, 0, 1, 2, 3};
  std::vector<Octets> made{input_of(ip_header(1, echo.size()), echo),
                           input_of(ip_header(17, datagram.size()), datagram),
                           input_of(ip_header(17, to_port_0.size()), to_port_0)};
  for (const std::uint8_t protocol : {std::uint8_t{1}, std::uint8_t{6}, std::uint8_t{17}}) {
    for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t{11}, std::uint8_t{12}}) {
      Octets error{type, 4, 0, 0, 0, 0, 5, 0};
      const Octets quote = quote_of(protocol);
      error.insert(error.end(), quote.begin(), quote.end());
      made.push_back(input_of(ip_header(1, error.size()), error));
    }
  }
  wire::Ipv4Header with_options = ip_header(17, datagram.size() + 8);
  with_options.version_ihl = 0x47;
  Octets options{7, 7, 4, 0, 0, 0, 0, 0};
  options.insert(options.end(), datagram.begin(), datagram.end());
  made.push_back(input_of(with_options, options));
  return made;
}

}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pollux;  // NOLINT: the entry point has a C name
  const fuzz::PoolWatch watch;
  fuzz::Input input(data, size);
  const unsigned verdicts = input.octet();
  const std::size_t cut = input.octet();
  const fuzz::Octets octets = input.rest();
  Packet packet = fuzz::packet_of(octets, cut);
  packet.meta().ip_checksum = fuzz::verdict_of(verdicts);
  packet.meta().l4_checksum = fuzz::verdict_of(verdicts >> 2);
  auto arrived = ipv4::accept(std::move(packet), {fuzz::routes(), 1, (verdicts & 0x80) != 0});
  if (!arrived) return 0;
  CHECK(arrived->info.header_length >= 20 && arrived->info.header_length <= 60);
  CHECK(arrived->packet.size() + arrived->info.header_length <= octets.size());
  if (arrived->info.protocol == wire::kProtocolUdp) {
    fuzz::check_udp(arrived->info, std::move(arrived->packet));
  } else if (arrived->info.protocol == wire::kProtocolIcmp) {
    fuzz::check_icmp(arrived->info, std::move(arrived->packet));
  }
  return 0;
}
