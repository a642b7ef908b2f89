// checksum.cc - the sum of a span: 64 octets a step in the machine's own byte order, swapped at the
// end.
#include "stack/wire/checksum.h"

#include <cstring>

namespace pollux::wire {
namespace {

// Two 64-bit lanes. Each octet group adds its low and high 32 bits to lanes of their own, so that
// no carry is lost: 4 vector operations per 16 octets, SSE2 being all that x86-64 promises.
using Lanes __attribute__((vector_size(16))) = std::uint64_t;

Lanes load(const std::byte* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

struct Accumulator {
  Lanes low{};
  Lanes high{};
  void add(Lanes v) {
    constexpr Lanes kLow = {0xffffffff, 0xffffffff};
    low += v & kLow;
    high += v >> 32;
  }
};

// The order of octets in a word does not matter to the sum but for one swap (RFC 1071 2 B).
std::uint16_t to_wire_order(std::uint64_t sum) {
  const std::uint16_t folded = fold(sum);
  if constexpr (std::endian::native == std::endian::big) return folded;
  return static_cast<std::uint16_t>(folded << 8 | folded >> 8);
}

std::uint64_t sum_tail(const std::byte* at, std::size_t size) {
  std::uint64_t sum = 0;
  for (; size >= 4; size -= 4, at += 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (size == 0) return sum;
  std::uint32_t word = 0;  // what is missing counts as 0
  std::memcpy(&word, at, size);
  return sum + word;
}

// `touch(at, lanes)` sees every 16 octets on the way.
template <typename Touch>
std::uint64_t sum_blocks(const std::byte* at, std::size_t blocks, Touch&& touch) {
  Accumulator even, odd;
  for (std::size_t i = 0; i + 4 <= blocks; i += 4, at += 64) {
    const Lanes a = load(at), b = load(at + 16), c = load(at + 32), d = load(at + 48);
    touch(at, a), touch(at + 16, b), touch(at + 32, c), touch(at + 48, d);
    even.add(a), odd.add(b), even.add(c), odd.add(d);
  }
  for (std::size_t i = blocks & ~std::size_t{3}; i < blocks; ++i, at += 16) {
    const Lanes a = load(at);
    touch(at, a);
    even.add(a);
  }
  const Lanes low = even.low + odd.low, high = even.high + odd.high;
  // A lane holds at most 2^32 * blocks / 2: no overflow below 2^32 blocks.
  return std::uint64_t{fold(low[0])} + fold(low[1]) + fold(high[0]) + fold(high[1]);
}

}  // namespace

std::uint16_t ones_sum(ConstBytes bytes) {
  const std::size_t whole = bytes.size() & ~std::size_t{15};
  std::uint64_t sum = sum_tail(bytes.data() + whole, bytes.size() - whole);
  if (whole != 0) sum += sum_blocks(bytes.data(), whole / 16, [](const std::byte*, Lanes) {});
  return to_wire_order(sum);
}

std::uint16_t copy_and_sum(std::byte* to, ConstBytes from) {
  const std::size_t whole = from.size() & ~std::size_t{15}, rest = from.size() - whole;
  const std::byte* base = from.data();
  std::uint64_t sum = sum_tail(base + whole, rest);
  sum += sum_blocks(base, whole / 16, [to, base](const std::byte* at, Lanes lanes) {
    std::memcpy(to + (at - base), &lanes, sizeof lanes);
  });
  if (rest != 0) std::memcpy(to + whole, base + whole, rest);
  return to_wire_order(sum);
}

namespace {

std::uint64_t address_sum(const IpAddress& address) {
  if (address.is_v4()) return (address.v4_bits() >> 16) + (address.v4_bits() & 0xffff);
  return ones_sum(std::as_bytes(std::span(address.octets())));
}

}  // namespace

std::uint16_t pseudo_header_sum(const PseudoHeader& pseudo) {
  return fold(address_sum(pseudo.source) + address_sum(pseudo.destination) + pseudo.protocol +
              (pseudo.length >> 16) + (pseudo.length & 0xffff));
}

}  // namespace pollux::wire
