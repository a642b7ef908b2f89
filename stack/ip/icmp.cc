// icmp.cc - what is believed of an ICMP message, and what is said in one.
#include "stack/ip/icmp.h"

#include <algorithm>
#include <array>

#include "stack/base/check.h"
#include "stack/ip/path_mtu.h"
#include "stack/ip/transport_checksum.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"

namespace pollux::icmp {

// RFC 1191 3 and 7.
std::uint16_t Error::next_hop_mtu() const { return mtu != 0 ? mtu : plateau_below(quoted_length); }

namespace {

using wire::IcmpHeader;
using wire::Ipv4Header;

constexpr std::uint16_t kQuotedTransport = 8;  // octets that every error quotes (RFC 792)
constexpr std::uint16_t kMaxIpHeader = 60;
constexpr std::uint32_t kMaxQuote = 576 - sizeof(Ipv4Header) - sizeof(IcmpHeader);

struct Meaning {
  int error;
  bool is_hard;
};
// Of type 3, by code; the values are Linux's (icmp_err_convert), seen by any program.
constexpr std::array<Meaning, 16> kUnreachableMeans{{{ENETUNREACH, false},
                                                     {EHOSTUNREACH, false},
                                                     {ENOPROTOOPT, true},
                                                     {ECONNREFUSED, true},
                                                     {EMSGSIZE, false},
                                                     {EOPNOTSUPP, false},
                                                     {ENETUNREACH, true},
                                                     {EHOSTDOWN, true},
                                                     {ENONET, true},
                                                     {ENETUNREACH, true},
                                                     {EHOSTUNREACH, true},
                                                     {ENETUNREACH, false},
                                                     {EHOSTUNREACH, false},
                                                     {EHOSTUNREACH, true},
                                                     {EHOSTUNREACH, true},
                                                     {EHOSTUNREACH, true}}};

Meaning meaning_of(std::uint8_t type, std::uint8_t code) {
  if (type == kUnreachable) return kUnreachableMeans[code];
  return type == kTimeExceeded ? Meaning{EHOSTUNREACH, false} : Meaning{EPROTO, true};
}

bool is_error_type(std::uint8_t type) {
  return type == kUnreachable || type == kTimeExceeded || type == kParameterProblem;
}

// The first octets of the quoted transport header: ports, sequence number, echo id.
bool read_transport(ConstBytes octets, Error& out) {
  switch (out.protocol) {
    case wire::kProtocolTcp:
    case wire::kProtocolUdp: {
      const auto* ports = reinterpret_cast<const be16*>(octets.data());
      out.tuple.local.port = ports[0];
      out.tuple.remote.port = ports[1];
      out.seq = *reinterpret_cast<const be32*>(octets.data() + 4);
      return true;
    }
    case wire::kProtocolIcmp: {
      const auto* echo = reinterpret_cast<const IcmpHeader*>(octets.data());
      if (echo->type != kEchoRequest) return false;
      out.tuple.local.port = echo->id;
      return true;
    }
    default:
      return false;  // we send nothing else
  }
}

// A packet as we sent it, or as much of it as was quoted: at least the header and 8 octets.
Accepted<Error> read_quote(ConstBytes octets) {
  if (octets.size() < sizeof(Ipv4Header)) return Drop::bad_icmp;
  const auto& header = *reinterpret_cast<const Ipv4Header*>(octets.data());
  const std::uint16_t length = header.header_length();
  if (header.version() != 4 || length < sizeof(Ipv4Header)) return Drop::bad_icmp;
  if (octets.size() < std::size_t{length} + kQuotedTransport) return Drop::bad_icmp;
  if (header.total_length < length + kQuotedTransport) return Drop::bad_icmp;
  // A piece other than the first has no ports, and nobody to tell.
  if ((header.fragment & wire::kIpv4OffsetMask) != 0) return Drop::bad_icmp;
  Error error;
  error.protocol = header.protocol;
  error.quoted_ttl = header.ttl;
  error.quoted_length = header.total_length;
  error.tuple.local.address = IpAddress::v4(header.source);
  error.tuple.remote.address = IpAddress::v4(header.destination);
  if (!read_transport(octets.subspan(length), error)) return Drop::unknown_protocol;
  return error;
}

Accepted<Arrived> decode_error(const IpInfo& info, const Packet& packet, const Routes& routes) {
  const auto& header = *packet.peek<IcmpHeader>();
  if (header.type == kUnreachable && header.code >= kUnreachableMeans.size()) return Drop::bad_icmp;
  // RFC 4884's length and extensions stand behind what is looked at here.
  std::byte quote[kMaxIpHeader + kQuotedTransport];
  const std::uint32_t size = packet.copy_out(sizeof(IcmpHeader), quote);
  Accepted<Error> error = read_quote(ConstBytes(quote, size));
  if (!error) return error.error();
  // Only about what we sent to one host (RFC 5927 4; CVE-2026-23398's class).
  if (!routes.is_local(error->tuple.local.address)) return Drop::bad_icmp;
  const IpAddress& remote = error->tuple.remote.address;
  if (remote.is_multicast() || routes.is_broadcast(remote)) return Drop::bad_icmp;
  Arrived arrived;
  arrived.error = *error;
  arrived.error.type = header.type;
  arrived.error.code = header.code;
  arrived.error.reporter = info.source;
  const Meaning meaning = meaning_of(header.type, header.code);
  arrived.error.error = static_cast<Errno>(meaning.error);
  arrived.error.is_hard = meaning.is_hard;
  arrived.error.is_too_big = header.type == kUnreachable && header.code == kFragmentationNeeded;
  if (arrived.error.is_too_big) arrived.error.mtu = header.sequence;
  // RFC 5927 7.2: it fitted.
  if (arrived.error.is_too_big && header.sequence >= error->quoted_length) return Drop::bad_icmp;
  return arrived;
}

// Devices check no ICMP sums: only what never left this host is believed unseen.
bool is_right(const Packet& packet) {
  return packet.meta().l4_checksum == Checksum::valid || ones_sum_of(packet) == 0xffff;
}

}  // namespace

Accepted<Arrived> decode(const IpInfo& info, Packet& packet, const Routes& routes) {
  if (packet.size() < sizeof(IcmpHeader)) return Drop::too_short;
  if (packet.head_size() < sizeof(IcmpHeader) && !packet.linearize(sizeof(IcmpHeader))) {
    return Drop::no_memory;
  }
  if (!is_right(packet)) return Drop::bad_checksum;
  // RFC 1122 3.2.2.6 leaves broadcast echoes to us: ignored, as Linux. Errors about them are
  // forged.
  if (info.is_broadcast) return Drop::not_for_us;
  const auto& header = *packet.peek<IcmpHeader>();
  if (is_error_type(header.type)) return decode_error(info, packet, routes);
  if (header.type != kEchoRequest && header.type != kEchoReply) return Drop::bad_icmp;
  Arrived arrived;
  arrived.kind = header.type == kEchoRequest ? Kind::echo_request : Kind::echo_reply;
  arrived.id = header.id;
  arrived.sequence = header.sequence;
  return arrived;
}

std::optional<Error> error_about(const Packet& sent, Errno error) {
  std::byte octets[kMaxIpHeader + kQuotedTransport];
  const std::uint32_t size = sent.copy_out(0, octets);
  Accepted<Error> about = read_quote(ConstBytes(octets, size));
  if (!about) return std::nullopt;
  about->type = kUnreachable;
  about->code = kHostUnreachable;
  about->reporter = about->tuple.local.address;
  about->error = error;
  return *about;
}

void make_echo_reply(Packet& request) {
  auto* header = reinterpret_cast<IcmpHeader*>(request.data());
  const auto word = [&] { return static_cast<std::uint16_t>(header->type << 8 | header->code); };
  const std::uint16_t was = word();
  header->type = kEchoReply;
  header->checksum = wire::update_checksum(header->checksum, was, word());
  // Of zeros and nothing else the equation gives 0, which nobody takes for right; the other zero is
  // right for them, and wherever 0 would be.
  if (header->checksum == 0) header->checksum = 0xffff;
}

void finish_echo_request(Packet& request, std::uint16_t id) {
  CHECK(request.head_size() >= sizeof(IcmpHeader));
  auto* header = reinterpret_cast<IcmpHeader*>(request.data());
  header->id = id;
  header->checksum = 0;
  header->checksum = static_cast<std::uint16_t>(~ones_sum_of(request));
}

bool may_send_error(const IpInfo& info, const Packet& original, const ErrorToSend& what) {
  if (info.is_broadcast) return false;
  const IpAddress& to = info.source;
  if (!to.is_v4() || to.v4_bits() >> 28 == 0xf || to.v4_bits() >> 24 == 0) return false;
  if (to.is_multicast()) return false;
  if (to.is_loopback() && info.interface != kLoopbackInterface) return false;
  if (info.protocol != wire::kProtocolIcmp) return true;
  if (what.pulled != 0) return false;  // nothing pulls an ICMP header
  const auto* type = original.peek<std::uint8_t>();
  return type != nullptr && (*type == kEchoRequest || *type == kEchoReply);
}

Accepted<Packet> make_error(PacketPool& pool, const IpInfo& info, const Packet& original,
                            const ErrorToSend& what) {
  const auto pulled = static_cast<std::uint16_t>(info.header_length + what.pulled);
  CHECK(original.mbuf()->data_off >= pulled);
  Packet packet = pool.allocate();
  if (!packet) return Drop::no_memory;
  const std::uint32_t quote = std::min<std::uint32_t>(pulled + original.size(), kMaxQuote);
  std::byte* room = packet.put(static_cast<std::uint16_t>(sizeof(IcmpHeader) + quote));
  if (room == nullptr) return Drop::no_memory;
  std::byte* at = room + sizeof(IcmpHeader);
  const std::uint32_t headers = std::min<std::uint32_t>(pulled, quote);
  std::copy(original.data() - pulled, original.data() - pulled + headers, at);
  original.copy_out(0, Bytes(at + headers, quote - headers));
  auto* header = reinterpret_cast<IcmpHeader*>(room);
  header->type = what.type;
  header->code = what.code;
  header->checksum = 0;
  header->id = 0;
  header->sequence = what.mtu;
  header->checksum = wire::checksum(packet.head());
  return packet;
}

}  // namespace pollux::icmp
