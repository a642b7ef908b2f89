// ipv4.cc - what is taken for an IPv4 packet to us, and the header of those we send.
#include "stack/ip/ipv4.h"

#include <algorithm>

#include "stack/base/check.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "stack/wire/ip_options.h"

namespace pollux::ipv4 {
namespace {

using wire::Ipv4Header;

// Lengths and version; makes the whole header contiguous and cuts link padding off (V24).
Accepted<const Ipv4Header*> check_shape(Packet& packet) {
  if (packet.size() < sizeof(Ipv4Header)) return Drop::too_short;
  if (packet.head_size() < sizeof(Ipv4Header) && !packet.linearize(sizeof(Ipv4Header))) {
    return Drop::no_memory;
  }
  const auto* header = packet.peek<Ipv4Header>();
  if (header->version() != 4) return Drop::bad_version;
  const std::uint16_t length = header->header_length(), total = header->total_length;
  if (length < sizeof(Ipv4Header)) return Drop::bad_header_length;
  if (total < length || total > packet.size()) return Drop::bad_length;
  if (packet.head_size() < length && !packet.linearize(length)) return Drop::no_memory;
  packet.trim(total);
  return packet.peek<Ipv4Header>();
}

bool is_checksum_right(const Packet& packet, std::uint16_t length) {
  switch (packet.meta().ip_checksum) {
    case Checksum::good:
    case Checksum::valid:
      return true;
    case Checksum::bad:
      return false;
    case Checksum::unknown:
      break;
  }
  return wire::is_checksum_right(packet.head().first(length));
}

// RFC 1122 3.2.1.3, RFC 1812 5.3.7: what no packet from a wire may call its source (V20).
bool is_martian(const IpAddress& source, const AcceptContext& context) {
  if (source.is_multicast() || context.routes.is_broadcast(source)) return true;
  if (source.v4_bits() >> 24 == 0) return true;
  if (context.interface == kLoopbackInterface) return false;
  return source.is_loopback() || context.routes.is_local(source);
}

enum class Audience : std::uint8_t { us, group, others };

Audience audience_of(const IpAddress& destination, const AcceptContext& context) {
  const Routes& routes = context.routes;
  if (routes.is_local_on(context.interface, destination)) return Audience::us;
  if (routes.is_broadcast_on(context.interface, destination)) return Audience::group;
  if (destination.is_multicast() && routes.is_member(context.interface, destination)) {
    return Audience::group;
  }
  return Audience::others;
}

Accepted<void> take_addresses(const Ipv4Header& header, const AcceptContext& context,
                              IpInfo& info) {
  info.source = IpAddress::v4(header.source);
  info.destination = IpAddress::v4(header.destination);
  if (is_martian(info.source, context)) return Drop::martian_source;
  const Audience audience = audience_of(info.destination, context);
  if (audience == Audience::others) return Drop::not_for_us;
  // RFC 1122 3.3.6: a broadcast frame must be a broadcast packet.
  if (context.is_link_broadcast && audience == Audience::us) return Drop::not_for_us;
  info.is_broadcast = audience == Audience::group;
  return {};
}

Accepted<void> check_options(ConstBytes options) {
  switch (wire::check_ip_options(options)) {
    case wire::IpOptions::malformed:
      return Drop::bad_options;
    case wire::IpOptions::source_route:
      // Deviation: RFC 9293 3.9.2.1 (MUST-51 to MUST-53, SHLD-24); as Linux and RFC 7126 4.3
      // and 4.4 advise.
      return Drop::source_route;
    case wire::IpOptions::harmless:
      break;
  }
  return {};
}

// The header's length.
Accepted<std::uint16_t> check_header(Packet& packet) {
  const Accepted<const Ipv4Header*> shape = check_shape(packet);
  if (!shape) return shape.error();
  const std::uint16_t length = (*shape)->header_length();
  if (!is_checksum_right(packet, length)) return Drop::bad_checksum;
  const ConstBytes options = packet.head().first(length).subspan(sizeof(Ipv4Header));
  if (const Accepted<void> taken = check_options(options); !taken) return taken.error();
  return length;
}

}  // namespace

Accepted<Arrived> accept(Packet packet, const AcceptContext& context) {
  Accepted<Arrived> result = Drop::too_short;
  const Accepted<std::uint16_t> length = check_header(packet);
  if (!length) {
    result = length.error();
    return result;
  }
  const auto& header = *packet.peek<Ipv4Header>();
  Arrived& arrived = result.emplace();
  const Accepted<void> taken = take_addresses(header, context, arrived.info);
  if (!taken) {
    result = taken.error();
    return result;
  }
  arrived.info.protocol = header.protocol;
  arrived.info.tos = header.tos;
  arrived.info.ttl = header.ttl;
  arrived.info.interface = context.interface;
  arrived.info.header_length = static_cast<std::uint8_t>(*length);
  const std::uint16_t fragment = header.fragment;
  arrived.id = header.id;
  arrived.fragment_offset = static_cast<std::uint16_t>((fragment & wire::kIpv4OffsetMask) * 8);
  arrived.more_fragments = (fragment & wire::kIpv4MoreFragments) != 0;
  arrived.is_fragment = arrived.more_fragments || arrived.fragment_offset != 0;
  packet.pull(*length);
  arrived.packet = std::move(packet);
  return result;
}

void prepend(Packet& packet, const IpSend& send, std::uint16_t id, bool checksum_by_device) {
  const std::uint32_t total = packet.size() + static_cast<std::uint32_t>(sizeof(Ipv4Header));
  CHECK(total <= wire::kIpv4MaxLength);
  auto* header = packet.push<Ipv4Header>();
  header->version_ihl = 0x45;
  header->tos = send.tos;
  header->total_length = static_cast<std::uint16_t>(total);
  header->id = id;
  header->fragment = send.dont_fragment ? wire::kIpv4DontFragment : std::uint16_t{0};
  header->ttl = std::max(send.ttl, std::uint8_t{1});  // RFC 1122 3.2.1.7: never 0
  header->protocol = send.protocol;
  const std::uint32_t source = send.source.v4_bits(), destination = send.destination.v4_bits();
  header->source = source;
  header->destination = destination;
  // From the values: reading back with wide loads what narrow stores just wrote costs 15 ns.
  const std::uint64_t sum = (0x4500u | send.tos) + std::uint64_t{total} + id + header->fragment +
                            (header->ttl * 256u + send.protocol) + source + destination;
  header->checksum = checksum_by_device ? std::uint16_t{0} : wire::checksum_of(sum);
}

}  // namespace pollux::ipv4
