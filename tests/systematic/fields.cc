// fields.cc - octets of a packet from its fields, and the checksums of RFC 1071 as it is written.
#include "tests/systematic/fields.h"

#include <algorithm>

namespace pollux::systematic {
namespace {

void put16(Octets& to, std::uint32_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}
void put32(Octets& to, std::uint32_t value) {
  put16(to, value >> 16);
  put16(to, value & 0xffff);
}
void pad(Octets& to) {
  while (to.size() % 4 != 0) to.push_back(0);
}
void set16(Octets& in, std::size_t at, std::uint16_t value) {
  in[at] = static_cast<std::uint8_t>(value >> 8);
  in[at + 1] = static_cast<std::uint8_t>(value);
}

Octets build_segment(const Fields& f) {
  Octets made;
  put16(made, f.source_port);
  put16(made, f.destination_port);
  put32(made, f.seq);
  put32(made, f.ack);
  const std::size_t header = 20 + (f.options.size() + 3) / 4 * 4;
  const auto offset = static_cast<std::uint8_t>(f.data_offset.value_or(header / 4));
  made.push_back(static_cast<std::uint8_t>(offset << 4 | (f.reserved & 15)));
  made.push_back(f.flags);
  put16(made, f.window);
  put16(made, 0);
  put16(made, f.urgent);
  made.insert(made.end(), f.options.begin(), f.options.end());
  pad(made);
  const std::uint32_t first = f.seq + ((f.flags & kSyn) != 0 ? 1 : 0);
  for (std::uint32_t i = 0; i < f.text_length; ++i) made.push_back(octet_at(first + i));
  return made;
}

}  // namespace

std::uint16_t sum_of(const std::uint8_t* octets, std::size_t size, std::uint32_t start) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i + 1 < size; i += 2) sum += octets[i] << 8 | octets[i + 1];
  if (size % 2 != 0) sum += octets[size - 1] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t checksum_of(std::uint32_t source, std::uint32_t destination, const Octets& segment) {
  std::uint32_t start = 6 + static_cast<std::uint32_t>(segment.size());
  for (const std::uint32_t address : {source, destination}) {
    start += (address >> 16) + (address & 0xffff);
  }
  if (segment.size() >= 18) {  // the field itself counts as 0
    start += 0xffffu - sum_of(&segment[16], 2);
  }
  return static_cast<std::uint16_t>(~sum_of(segment.data(), segment.size(), start));
}

Octets build(const Fields& f) {
  Octets segment = build_segment(f);
  const std::size_t header = 20 + (f.ip_options.size() + 3) / 4 * 4;
  const auto said = static_cast<std::int32_t>(header + segment.size()) + f.total_length_off_by;
  Octets made;
  made.push_back(static_cast<std::uint8_t>(f.version << 4 | f.ihl.value_or(header / 4)));
  made.push_back(f.tos);
  put16(made, static_cast<std::uint32_t>(said) & 0xffff);
  put16(made, f.id);
  put16(made, f.fragment);
  made.push_back(f.ttl);
  made.push_back(f.protocol);
  put16(made, 0);
  put32(made, f.source);
  put32(made, f.destination);
  made.insert(made.end(), f.ip_options.begin(), f.ip_options.end());
  pad(made);
  // Over as much as a header length of at most 15 words may claim.
  const std::size_t claimed = std::size_t{f.ihl.value_or(header / 4)} % 16 * 4;
  Octets whole = made;
  whole.insert(whole.end(), segment.begin(), segment.end());
  const std::size_t summed = std::min(claimed, whole.size());
  const auto ip_sum = static_cast<std::uint16_t>(~sum_of(whole.data(), summed));
  set16(whole, 10, static_cast<std::uint16_t>(ip_sum + f.ip_checksum_off_by));
  const std::size_t begin = std::min(claimed < 20 ? header : claimed, whole.size());
  const auto left = static_cast<std::size_t>(std::max(said, 0));
  const std::size_t end = std::clamp(left, begin, whole.size());
  const Octets counted(whole.begin() + static_cast<std::ptrdiff_t>(begin),
                       whole.begin() + static_cast<std::ptrdiff_t>(end));
  if (counted.size() < 18) return whole;
  const std::uint16_t sum = checksum_of(f.source, f.destination, counted);
  set16(whole, begin + 16, static_cast<std::uint16_t>(sum + f.checksum_off_by));
  return whole;
}

}  // namespace pollux::systematic
