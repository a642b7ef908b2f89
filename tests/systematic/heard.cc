// heard.cc - RFC 791 3.1 and RFC 9293 3.1 and 3.2, from octets to fields.
#include "tests/systematic/heard.h"

#include <algorithm>

namespace pollux::systematic {
namespace {

std::uint16_t get16(const Octets& in, std::size_t at) {
  return static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]);
}
std::uint32_t get32(const Octets& in, std::size_t at) {
  return std::uint32_t{get16(in, at)} << 16 | get16(in, at + 2);
}
Octets part(const Octets& of, std::size_t begin, std::size_t end) {
  return Octets(of.begin() + static_cast<std::ptrdiff_t>(begin),
                of.begin() + static_cast<std::ptrdiff_t>(end));
}

void read_option(const Octets& o, bool is_syn, HeardOptions& to) {
  const std::uint8_t kind = o[0];
  if (kind == 2 && is_syn && o.size() == 4) to.mss = get16(o, 2);
  if (kind == 3 && is_syn && o.size() == 3) to.window_scale = o[2];
  if (kind == 4 && is_syn && o.size() == 2) to.sack_permitted = true;
  if (kind == 8 && o.size() == 10) to.timestamps = {get32(o, 2), get32(o, 6)};
  if (kind != 5 || is_syn || o.size() == 2 || (o.size() - 2) % 8 != 0) return;
  to.sack.clear();
  for (std::size_t at = 2; at < o.size(); at += 8) {
    to.sack.push_back({get32(o, at), get32(o, at + 4)});
  }
}

// RFC 791 3.1. False: lengths that lie, or a source route, which RFC 7126 says to drop.
bool may_pass_options(const Octets& options) {
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t kind = options[at];
    if (kind == 0) return true;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return false;
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return false;
    if (kind == 131 || kind == 137) return false;
    at += length;
  }
  return true;
}

// RFC 1122 3.2.1.3: what no packet from outside may call its source.
bool is_possible_source(std::uint32_t source) {
  const std::uint32_t net = source >> 24;
  const bool is_broadcast = source == 0xffffffff || source == (kUs | 0xff);
  return net != 0 && net != 127 && (net < 224 || net > 239) && !is_broadcast && source != kUs;
}

}  // namespace

HeardOptions read_options(const Octets& options, bool is_syn) {
  HeardOptions read;
  for (std::size_t at = 0; at < options.size();) {
    if (options[at] == 0) {
      read.is_clean = std::all_of(options.begin() + static_cast<std::ptrdiff_t>(at), options.end(),
                                  [](std::uint8_t octet) { return octet == 0; });
      return read;
    }
    if (options[at] == 1) {
      ++at;
      continue;
    }
    const std::size_t length = at + 1 < options.size() ? options[at + 1] : 0;
    if (length < 2 || at + length > options.size()) {
      read.is_clean = false;
      return read;
    }
    read_option(part(options, at, at + length), is_syn, read);
    at += length;
  }
  return read;
}

std::optional<Heard> hear_segment(std::uint32_t source, std::uint32_t destination,
                                  const Octets& segment) {
  if (segment.size() < 20) return std::nullopt;
  const std::size_t header = std::size_t{segment[12]} / 16 * 4;
  if (header < 20 || header > segment.size()) return std::nullopt;
  const std::uint16_t right = checksum_of(source, destination, segment);
  const std::uint16_t said = get16(segment, 16);
  const bool are_both_zero = right % 0xffff == 0 && said % 0xffff == 0;
  if (said != right && !are_both_zero) return std::nullopt;
  Heard heard;
  heard.source = source;
  heard.destination = destination;
  heard.source_port = get16(segment, 0);
  heard.destination_port = get16(segment, 2);
  heard.seq = get32(segment, 4);
  heard.ack = get32(segment, 8);
  heard.reserved = segment[12] & 15;
  heard.flags = segment[13];
  heard.window = get16(segment, 14);
  heard.urgent = get16(segment, 18);
  heard.raw_options = part(segment, 20, header);
  heard.options = read_options(heard.raw_options, heard.has(kSyn));
  heard.text = part(segment, header, segment.size());
  return heard;
}

std::optional<Heard> hear_packet(const Octets& packet) {
  if (packet.size() < 20 || packet[0] / 16 != 4) return std::nullopt;
  const std::size_t header = std::size_t{packet[0]} % 16 * 4, total = get16(packet, 2);
  if (header < 20 || total < header || total > packet.size()) return std::nullopt;
  if (sum_of(packet.data(), header) != 0xffff) return std::nullopt;
  if (!may_pass_options(part(packet, 20, header))) return std::nullopt;
  const std::uint32_t source = get32(packet, 12), destination = get32(packet, 16);
  if (destination != kUs || !is_possible_source(source)) return std::nullopt;
  if ((get16(packet, 6) & 0x3fff) != 0 || packet[9] != 6) return std::nullopt;
  return hear_segment(source, destination, part(packet, header, total));
}

}  // namespace pollux::systematic
