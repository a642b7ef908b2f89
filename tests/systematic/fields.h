// fields.h - an IPv4 packet with a TCP segment, every field of it free to be wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace pollux::systematic {

using Octets = std::vector<std::uint8_t>;

inline constexpr std::uint32_t kUs = 0xc6120002;    // 198.18.0.2
inline constexpr std::uint32_t kThem = 0xc6120001;  // 198.18.0.1
inline constexpr std::uint16_t kOurPort = 80;

// The octet of the text that stands at a sequence number: what is misplaced shows.
constexpr std::uint8_t octet_at(std::uint32_t seq) {
  return static_cast<std::uint8_t>((seq * 0x9e3779b1u) >> 24);
}

// Control bits as the header has them.
inline constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32;

// What a packet says. Lengths, data offset and checksums are made right for what the rest says,
// unless a field here insists.
struct Fields {
  // RFC 791 3.1
  std::uint8_t version = 4;
  std::optional<std::uint8_t> ihl;
  std::uint8_t tos = 0;
  std::int32_t total_length_off_by = 0;
  std::uint16_t id = 1;
  std::uint16_t fragment = 0x4000;  // don't fragment
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 6;
  std::uint16_t ip_checksum_off_by = 0;
  std::uint32_t source = kThem;
  std::uint32_t destination = kUs;
  Octets ip_options;  // padded with zeros
  // RFC 9293 3.1
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = kOurPort;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::optional<std::uint8_t> data_offset;
  std::uint8_t reserved = 0;  // the low half of its octet
  std::uint8_t flags = kAck;
  std::uint16_t window = 0;
  std::uint16_t checksum_off_by = 0;
  std::uint16_t urgent = 0;
  Octets options;  // padded with zeros
  std::uint32_t text_length = 0;
};

// The checksum of the segment is right for the octets that the total length leaves of it.
Octets build(const Fields& fields);

// What TCP's checksum should say of `segment`, whose checksum field counts as 0; RFC 1071, octet by
// octet.
std::uint16_t checksum_of(std::uint32_t source, std::uint32_t destination, const Octets& segment);
// RFC 1071's sum, folded, not complemented.
std::uint16_t sum_of(const std::uint8_t* octets, std::size_t size, std::uint32_t start = 0);

}  // namespace pollux::systematic
