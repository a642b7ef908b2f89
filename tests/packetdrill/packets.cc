// packets.cc - headers and options written and read here, not by what is tested.
#include "tests/packetdrill/packets.h"

#include <fmt/format.h>

#include <cstring>

#include "stack/wire/headers.h"

namespace pollux::packetdrill {
namespace {

using Kind = TcpOption::Kind;

void append(Octets& to, const void* from, std::size_t size) {
  const auto* octets = static_cast<const std::byte*>(from);
  to.insert(to.end(), octets, octets + size);
}

// RFC 1071, the slow way.
std::uint16_t internet_sum(ConstBytes octets, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto octet = std::to_integer<std::uint32_t>(octets[i]);
    sum += i % 2 == 0 ? octet << 8 : octet;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

struct Direction {
  IpAddress source, destination;
  std::uint8_t protocol = 0;
};

std::uint16_t transport_sum(const Direction& direction, ConstBytes octets) {
  Octets pseudo;
  const be32 source = direction.source.v4_bits(), destination = direction.destination.v4_bits();
  const be16 protocol = direction.protocol, length = static_cast<std::uint16_t>(octets.size());
  append(pseudo, &source, sizeof source);
  append(pseudo, &destination, sizeof destination);
  append(pseudo, &protocol, sizeof protocol);
  append(pseudo, &length, sizeof length);
  return internet_sum(octets, internet_sum(pseudo));
}

Octets with_ip_header(const Direction& direction, const PacketMarks& marks, ConstBytes payload) {
  wire::Ipv4Header header{};
  header.version_ihl = 0x45;
  header.tos = marks.tos.value_or(0);
  header.total_length = static_cast<std::uint16_t>(sizeof header + payload.size());
  header.fragment = wire::kIpv4DontFragment;
  header.ttl = marks.ttl.value_or(64);
  header.protocol = direction.protocol;
  header.source = direction.source.v4_bits();
  header.destination = direction.destination.v4_bits();
  const auto octets = std::as_bytes(std::span(&header, 1));
  header.checksum = static_cast<std::uint16_t>(~internet_sum(octets));
  Octets packet;
  append(packet, &header, sizeof header);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

void append_number(Octets& to, std::uint32_t value, unsigned size) {
  for (unsigned i = size; i-- > 0;) to.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void build_option(const TcpOption& option, const Bases& bases, Octets& out) {
  const auto head = [&out](unsigned kind, unsigned length) {
    append_number(out, kind << 8 | length, 2);
  };
  switch (option.kind) {
    case Kind::end:
      return append_number(out, 0, 1);
    case Kind::nop:
      return append_number(out, 1, 1);
    case Kind::mss:
      head(2, 4);
      return append_number(out, option.value.value_or(0), 2);
    case Kind::wscale:
      head(3, 3);
      return append_number(out, option.value.value_or(0), 1);
    case Kind::sack_ok:
      return head(4, 2);
    case Kind::timestamps:
      head(8, 10);
      append_number(out, option.value.value_or(0), 4);
      // An echo of nothing is nothing.
      return append_number(out, option.echo.value_or(0) ? *option.echo + bases.timestamp : 0, 4);
    case Kind::sack:
      head(5, static_cast<unsigned>(2 + 8 * option.blocks.size()));
      for (const auto& [left, right] : option.blocks) {
        append_number(out, left + bases.seq, 4);
        append_number(out, right + bases.seq, 4);
      }
      return;
    case Kind::fast_open: {
      const std::size_t size = option.value.value_or(0) != 0 ? bases.cookie.size() : 0;
      head(34, static_cast<unsigned>(2 + size));
      return append(out, bases.cookie.data(), size);
    }
    case Kind::raw:
      return append(out, option.octets.data(), option.octets.size());
  }
}

// Padded with zeros, as after an end of options.
Octets build_options(const TcpPacket& packet, const Bases& bases) {
  Octets out;
  for (const TcpOption& option : packet.options) build_option(option, bases, out);
  while (out.size() % 4 != 0) out.push_back(std::byte{0});
  if (out.size() > wire::kTcpMaxOptions) throw Failure{0, "more options than a header holds"};
  return out;
}

Octets build_tcp(const TcpPacket& packet, const FourTuple& ends, const Bases& bases,
                 std::uint32_t peer_syn) {
  const Octets options = build_options(packet, bases);
  wire::TcpHeader header{};
  header.source_port = ends.remote.port;
  header.destination_port = ends.local.port;
  header.seq = packet.seq;
  header.ack = packet.ack ? *packet.ack + bases.seq : 0;
  header.data_offset = static_cast<std::uint8_t>((sizeof header + options.size()) << 2);
  header.control = packet.control;
  header.window = packet.window.value_or(65535);
  header.urgent_pointer = packet.urgent.value_or(0);
  Octets segment;
  append(segment, &header, sizeof header);
  append(segment, options.data(), options.size());
  const std::uint32_t first = packet.seq + ((packet.control & 2) != 0) - peer_syn - 1;
  for (std::uint32_t i = 0; i < packet.length; ++i) segment.push_back(stream_octet(first + i));
  const Direction direction{ends.remote.address, ends.local.address, wire::kProtocolTcp};
  const be16 sum = static_cast<std::uint16_t>(~transport_sum(direction, segment));
  std::memcpy(segment.data() + offsetof(wire::TcpHeader, checksum), &sum, sizeof sum);
  return segment;
}

Octets build_udp(const UdpPacket& packet, const FourTuple& ends) {
  wire::UdpHeader header{};
  header.source_port = ends.remote.port;
  header.destination_port = ends.local.port;
  header.length = static_cast<std::uint16_t>(sizeof header + packet.length);
  Octets datagram;
  append(datagram, &header, sizeof header);
  for (std::uint32_t i = 0; i < packet.length; ++i) datagram.push_back(stream_octet(i));
  const Direction direction{ends.remote.address, ends.local.address, wire::kProtocolUdp};
  const be16 sum = static_cast<std::uint16_t>(~transport_sum(direction, datagram));
  std::memcpy(datagram.data() + offsetof(wire::UdpHeader, checksum), &sum, sizeof sum);
  return datagram;
}

// Quotes the whole header of a segment of ours, without its options.
Octets build_icmp(const IcmpPacket& packet, const FourTuple& ends, const Bases& bases) {
  wire::TcpHeader quoted{};
  quoted.source_port = ends.local.port;
  quoted.destination_port = ends.remote.port;
  quoted.seq = packet.seq + bases.seq;
  quoted.data_offset = 5 << 4;
  quoted.control = kAck;
  const Direction direction{ends.local.address, ends.remote.address, wire::kProtocolTcp};
  Octets inner = with_ip_header(direction, PacketMarks{}, std::as_bytes(std::span(&quoted, 1)));
  const be16 length = static_cast<std::uint16_t>(inner.size() + packet.length);
  std::memcpy(inner.data() + offsetof(wire::Ipv4Header, total_length), &length, sizeof length);
  wire::IcmpHeader header{};
  header.type = packet.type;
  header.code = packet.code;
  header.sequence = packet.mtu;
  Octets message;
  append(message, &header, sizeof header);
  append(message, inner.data(), inner.size());
  const be16 sum = static_cast<std::uint16_t>(~internet_sum(message));
  std::memcpy(message.data() + offsetof(wire::IcmpHeader, checksum), &sum, sizeof sum);
  return message;
}

[[noreturn]] void refuse(const std::string& what) {
  throw Failure{0, "the stack sent what is no packet: " + what};
}

template <typename Header>
Header header_of(ConstBytes octets) {
  Header header{};
  if (octets.size() < sizeof header) refuse("shorter than its headers");
  std::memcpy(&header, octets.data(), sizeof header);
  return header;
}

std::uint32_t number_at(ConstBytes octets, std::size_t at, unsigned size) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(octets[at + i]);
  }
  return value;
}

TcpOption read_option(ConstBytes octets) {
  const std::uint32_t kind = number_at(octets, 0, 1), size = number_at(octets, 1, 1);
  TcpOption option;
  if (kind == 2 && size == 4) {
    option = {.kind = Kind::mss, .value = number_at(octets, 2, 2)};
  } else if (kind == 3 && size == 3) {
    option = {.kind = Kind::wscale, .value = number_at(octets, 2, 1)};
  } else if (kind == 4 && size == 2) {
    option.kind = Kind::sack_ok;
  } else if (kind == 8 && size == 10) {
    option = {.kind = Kind::timestamps, .value = number_at(octets, 2, 4)};
    option.echo = number_at(octets, 6, 4);
  } else if (kind == 34) {
    option = {.kind = Kind::fast_open, .value = size > 2};
    for (const std::byte octet : octets.subspan(2)) {
      option.octets.push_back(std::to_integer<std::uint8_t>(octet));
    }
  } else if (kind == 5 && size > 2 && size % 8 == 2) {
    option.kind = Kind::sack;
    for (std::size_t at = 2; at < size; at += 8) {
      option.blocks.emplace_back(number_at(octets, at, 4), number_at(octets, at + 4, 4));
    }
  } else {
    refuse(fmt::format("a TCP option of kind {} and length {}", kind, size));
  }
  return option;
}

std::vector<TcpOption> read_options(ConstBytes octets) {
  std::vector<TcpOption> options;
  while (!octets.empty()) {
    const auto kind = std::to_integer<unsigned>(octets[0]);
    if (kind < 2) {
      options.push_back({.kind = kind == 0 ? Kind::end : Kind::nop});
      octets = octets.subspan(1);
      continue;
    }
    const std::size_t size = octets.size() < 2 ? 0 : number_at(octets, 1, 1);
    if (size < 2 || size > octets.size()) refuse("a TCP option that runs out of the header");
    options.push_back(read_option(octets.first(size)));
    octets = octets.subspan(size);
  }
  return options;
}

void read_tcp(ConstBytes segment, SeenPacket& seen) {
  const auto header = header_of<wire::TcpHeader>(segment);
  if (header.header_length() < sizeof header || header.header_length() > segment.size()) {
    refuse("a TCP header longer than the segment");
  }
  TcpPacket packet{.control = header.control, .seq = header.seq};
  packet.length = static_cast<std::uint32_t>(segment.size() - header.header_length());
  if ((header.control & kAck) != 0) packet.ack = header.ack;
  packet.window = header.window;
  packet.urgent = header.urgent_pointer;
  packet.options = read_options(segment.first(header.header_length()).subspan(sizeof header));
  seen.ends.local.port = header.source_port;
  seen.ends.remote.port = header.destination_port;
  const ConstBytes text = segment.subspan(header.header_length());
  seen.text.assign(text.begin(), text.end());
  seen.content = packet;
}

std::string describe(const TcpOption& option) {
  const auto text = [](const std::optional<std::uint32_t>& value) {
    return value ? std::to_string(*value) : "*";
  };
  switch (option.kind) {
    case Kind::end:
      return "eol";
    case Kind::nop:
      return "nop";
    case Kind::mss:
      return "mss " + text(option.value);
    case Kind::wscale:
      return "wscale " + text(option.value);
    case Kind::sack_ok:
      return "sackOK";
    case Kind::timestamps:
      return "TS val " + text(option.value) + " ecr " + text(option.echo);
    case Kind::sack: {
      std::string blocks = "sack";
      for (const auto& [left, right] : option.blocks) blocks += fmt::format(" {}:{}", left, right);
      return blocks;
    }
    case Kind::fast_open:
      return "FO" + (option.value == 0u ? "" : " " + text(option.value));
    case Kind::raw:
      return "raw";
  }
  return "";
}

}  // namespace

Octets build_packet(const PacketEvent& event, const FourTuple& ends, const Bases& bases,
                    std::uint32_t peer_syn) {
  Direction direction{ends.remote.address, ends.local.address, wire::kProtocolTcp};
  Octets payload;
  if (const auto* tcp = std::get_if<TcpPacket>(&event.content)) {
    payload = build_tcp(*tcp, ends, bases, peer_syn);
  } else if (const auto* udp = std::get_if<UdpPacket>(&event.content)) {
    direction.protocol = wire::kProtocolUdp;
    payload = build_udp(*udp, ends);
  } else {
    direction.protocol = wire::kProtocolIcmp;
    payload = build_icmp(std::get<IcmpPacket>(event.content), ends, bases);
  }
  return with_ip_header(direction, event.marks, payload);
}

SeenPacket take_apart(ConstBytes packet) {
  const auto ip = header_of<wire::Ipv4Header>(packet);
  if (ip.version_ihl != 0x45) refuse("not IPv4 without options");
  if (ip.total_length != packet.size()) refuse("another length than the IP header's");
  if (internet_sum(packet.first(sizeof ip)) != 0xffff) refuse("its IP header's checksum is wrong");
  SeenPacket seen{.tos = ip.tos, .ttl = ip.ttl};
  seen.ends = {{IpAddress::v4(ip.source), 0}, {IpAddress::v4(ip.destination), 0}};
  const Direction direction{seen.ends.local.address, seen.ends.remote.address, ip.protocol};
  const ConstBytes payload = packet.subspan(sizeof ip);
  if (ip.protocol == wire::kProtocolIcmp) {
    const auto header = header_of<wire::IcmpHeader>(payload);
    seen.content = IcmpPacket{.type = header.type, .code = header.code};
    return seen;
  }
  if (transport_sum(direction, payload) != 0xffff) refuse("its checksum is wrong");
  if (ip.protocol == wire::kProtocolTcp) {
    if ((ip.fragment & wire::kIpv4DontFragment) == 0) refuse("TCP that may be fragmented");
    read_tcp(payload, seen);
  } else {
    const auto header = header_of<wire::UdpHeader>(payload);
    seen.ends.local.port = header.source_port;
    seen.ends.remote.port = header.destination_port;
    seen.content = UdpPacket{static_cast<std::uint32_t>(payload.size() - sizeof header)};
  }
  return seen;
}

std::string describe(const TcpPacket& packet) {
  std::string text;
  for (unsigned bit = 0; bit < 8; ++bit) {
    if ((packet.control >> bit & 1) != 0) text += "FSRP.UEW"[bit];
  }
  if (text.empty()) text = "-";
  text += fmt::format(" {}:{}({})", packet.seq, packet.seq + packet.length, packet.length);
  if (packet.ack) text += fmt::format(" ack {}", *packet.ack);
  if (packet.window) text += fmt::format(" win {}", *packet.window);
  if (packet.urgent.value_or(0) != 0) text += fmt::format(" urg {}", *packet.urgent);
  if (packet.has_any_options) return text + " <...>";
  std::string options;
  for (const TcpOption& option : packet.options) {
    options += (options.empty() ? "" : ",") + describe(option);
  }
  return options.empty() ? text : text + " <" + options + ">";
}

std::string describe(const SeenPacket& packet) {
  if (const auto* tcp = std::get_if<TcpPacket>(&packet.content)) return describe(*tcp);
  if (const auto* udp = std::get_if<UdpPacket>(&packet.content)) {
    return fmt::format("udp ({})", udp->length);
  }
  const auto& icmp = std::get<IcmpPacket>(packet.content);
  return fmt::format("icmp type {} code {}", icmp.type, icmp.code);
}

}  // namespace pollux::packetdrill
