// heard.h - what a host hears in the octets of a packet, read by another hand than the stack's.
#pragma once

#include <optional>
#include <utility>

#include "tests/systematic/fields.h"

namespace pollux::systematic {

struct HeardOptions {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> timestamps;  // TSval, TSecr
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sack;          // left, right
  bool is_clean = true;  // every length right, the padding behind the end zero
};

struct Heard {
  std::uint32_t source = 0, destination = 0;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0, reserved = 0;
  std::uint16_t window = 0, urgent = 0;
  HeardOptions options;
  Octets raw_options;
  Octets text;
  bool has(std::uint8_t bit) const { return (flags & bit) != 0; }
  std::uint32_t text_length() const { return static_cast<std::uint32_t>(text.size()); }
  std::uint32_t len() const {
    return text_length() + (has(kSyn) ? 1u : 0u) + (has(kFin) ? 1u : 0u);
  }
};

// RFC 9293 3.2: an illegal length ends the walk; what was found before it counts. MSS, window scale
// and SACK-permitted belong to a SYN, SACK to everything else.
HeardOptions read_options(const Octets& options, bool is_syn);

// The segment in octets that begin with TCP's header, from `source` to `destination`; nothing if
// lengths or checksum are wrong.
std::optional<Heard> hear_segment(std::uint32_t source, std::uint32_t destination,
                                  const Octets& segment);

// What the host at kUs, alone in 198.18.0.0/24, hears in an IPv4 packet; nothing if the packet is
// not for it, no TCP, a fragment, or wrong.
std::optional<Heard> hear_packet(const Octets& packet);

}  // namespace pollux::systematic
