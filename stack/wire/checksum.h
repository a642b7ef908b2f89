// checksum.h - the Internet checksum: sums of spans at any offset, pseudo-headers, updates.
// RFC 1071, RFC 1624.
#pragma once

#include <bit>
#include <cstdint>

#include "stack/base/bytes.h"
#include "stack/base/ip_address.h"

namespace pollux::wire {

// Down to 16 bits, end-around carry included.
constexpr std::uint16_t fold(std::uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// The checksum of a header whose 16-bit or 32-bit words add up to `sum`, the field itself left out.
constexpr std::uint16_t checksum_of(std::uint64_t sum) {
  return static_cast<std::uint16_t>(~fold(sum));
}

// The one's-complement sum of the span's 16-bit big-endian words, folded, not complemented. An odd
// last octet counts as the high half of a word.
std::uint16_t ones_sum(ConstBytes bytes);

// Copies `from` to `to` and returns ones_sum(from), in one pass over the memory.
std::uint16_t copy_and_sum(std::byte* to, ConstBytes from);

// A sum in progress over pieces that follow each other, of any length.
class Sum {
 public:
  constexpr Sum() = default;
  constexpr explicit Sum(std::uint64_t seed) : sum_(seed) {}
  void add(ConstBytes bytes) { add_folded(ones_sum(bytes), bytes.size()); }
  // `sum` is ones_sum() of `size` octets that follow what was added so far.
  constexpr void add_folded(std::uint16_t sum, std::size_t size) {
    sum_ += is_odd_ ? static_cast<std::uint16_t>(sum << 8 | sum >> 8) : sum;
    is_odd_ ^= (size & 1) != 0;
  }
  constexpr std::uint16_t folded() const { return fold(sum_); }
  constexpr std::uint16_t checksum() const { return static_cast<std::uint16_t>(~folded()); }

 private:
  std::uint64_t sum_ = 0;
  bool is_odd_ = false;
};

// What a header's checksum field must hold (the field itself being 0 or left out).
inline std::uint16_t checksum(ConstBytes bytes) {
  return static_cast<std::uint16_t>(~ones_sum(bytes));
}
// Octets that contain their own right checksum sum up to all ones.
inline bool is_checksum_right(ConstBytes bytes) { return ones_sum(bytes) == 0xffff; }

struct PseudoHeader {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint32_t length = 0;  // of the transport header and data
};
// RFC 9293 3.1, RFC 8200 8.1: folded, not complemented; what a device that fills in the checksum
// wants to find in the field.
std::uint16_t pseudo_header_sum(const PseudoHeader& pseudo);

// RFC 1624 3, equation 3: the checksum after one 16-bit word changed.
constexpr std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t was,
                                        std::uint16_t is) {
  const auto inverse = [](std::uint16_t v) { return std::uint32_t{0xffff} - v; };
  return static_cast<std::uint16_t>(~fold(inverse(checksum) + inverse(was) + is));
}

}  // namespace pollux::wire
