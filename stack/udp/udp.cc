// udp.cc - the UDP header, off and on.
#include "stack/udp/udp.h"

#include "stack/base/check.h"
#include "stack/ip/transport_checksum.h"
#include "stack/wire/headers.h"

namespace pollux::udp {

using wire::UdpHeader;

Accepted<Datagram> decode(const IpInfo& info, Packet packet) {
  if (packet.size() < sizeof(UdpHeader)) return Drop::too_short;
  if (packet.head_size() < sizeof(UdpHeader) && !packet.linearize(sizeof(UdpHeader))) {
    return Drop::no_memory;
  }
  const UdpHeader header = *packet.peek<UdpHeader>();
  if (header.length < sizeof(UdpHeader) || header.length > packet.size()) return Drop::bad_length;
  packet.trim(header.length);
  // 0: the sender left it out (RFC 1122 4.1.3.4), as it may over IPv4 (RFC 8200 8.1).
  const bool is_summed = header.checksum != 0 || !info.source.is_v4();
  const TransportAddresses addresses{info.source, info.destination, wire::kProtocolUdp};
  if (is_summed && !is_transport_checksum_right(packet, addresses)) return Drop::bad_checksum;
  packet.pull(sizeof(UdpHeader));
  const FourTuple tuple{{info.destination, header.destination_port},
                        {info.source, header.source_port}};
  return Datagram{tuple, info, std::move(packet)};
}

void encode(Packet& packet, const FourTuple& tuple, const EncodeOptions& options) {
  CHECK(packet.size() <= kMaxPayload);
  auto* header = packet.push<UdpHeader>();
  header->source_port = tuple.local.port;
  header->destination_port = tuple.remote.port;
  header->length = static_cast<std::uint16_t>(packet.size());
  header->checksum = 0;
  if (options.no_checksum) return;
  const TransportAddresses addresses{tuple.local.address, tuple.remote.address, wire::kProtocolUdp};
  if (options.checksum_by_device) {
    header->checksum = transport_pseudo_sum(packet, addresses);
    return;
  }
  const std::uint16_t checksum = transport_checksum(packet, addresses);
  header->checksum = checksum != 0 ? checksum : std::uint16_t{0xffff};  // RFC 768
}

}  // namespace pollux::udp
