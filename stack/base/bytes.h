// bytes.h - integers as they stand on the wire: big-endian, alignment 1, host order when read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace pollux {

struct be16 {
  std::uint8_t octet[2];
  constexpr be16() = default;
  constexpr be16(std::uint16_t v)  // NOLINT: implicit, so that headers are written like structs
      : octet{static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)} {}
  constexpr operator std::uint16_t() const {  // NOLINT: implicit
    return static_cast<std::uint16_t>(octet[0] << 8 | octet[1]);
  }
};

struct be32 {
  std::uint8_t octet[4];
  constexpr be32() = default;
  constexpr be32(std::uint32_t v)  // NOLINT: implicit
      : octet{static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16),
              static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)} {}
  constexpr operator std::uint32_t() const {  // NOLINT: implicit
    return std::uint32_t{octet[0]} << 24 | std::uint32_t{octet[1]} << 16 |
           std::uint32_t{octet[2]} << 8 | octet[3];
  }
};

static_assert(sizeof(be16) == 2 && alignof(be16) == 1);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

}  // namespace pollux
