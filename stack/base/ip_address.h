// ip_address.h - family-neutral addresses: 16 octets, IPv4 in its mapped form (RFC 4291 2.5.5.2).
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace pollux {

class IpAddress {
 public:
  constexpr IpAddress() = default;  // ::, the unspecified address of IPv6
  static constexpr IpAddress v4(std::uint32_t host_order) {
    IpAddress a;
    a.octet_[10] = a.octet_[11] = 0xff;
    for (unsigned i = 0; i < 4; ++i)
      a.octet_[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return a;
  }
  static constexpr IpAddress v4(unsigned a, unsigned b, unsigned c, unsigned d) {
    return v4(static_cast<std::uint32_t>(a << 24 | b << 16 | c << 8 | d));
  }
  static constexpr IpAddress any_v4() { return v4(0); }
  static std::optional<IpAddress> parse(std::string_view text);  // dotted decimal or RFC 4291 text
  std::string to_string() const;

  // Asked several times of every packet, and compared as often: by words, not octet by octet.
  constexpr bool is_v4() const {
    constexpr std::array<std::uint8_t, 4> kMapped = {0, 0, 0xff, 0xff};
    const auto word = std::bit_cast<std::array<std::uint32_t, 4>>(octet_);
    return (word[0] | word[1]) == 0 && word[2] == std::bit_cast<std::uint32_t>(kMapped);
  }
  constexpr std::uint32_t v4_bits() const {  // host order; meaningful if is_v4()
    return std::uint32_t{octet_[12]} << 24 | std::uint32_t{octet_[13]} << 16 |
           std::uint32_t{octet_[14]} << 8 | octet_[15];
  }
  constexpr bool is_unspecified() const { return *this == IpAddress() || *this == any_v4(); }
  constexpr bool is_loopback() const { return is_v4() && v4_bits() >> 24 == 127; }
  constexpr bool is_multicast() const {
    return is_v4() ? v4_bits() >> 28 == 0xe : octet_[0] == 0xff;
  }
  constexpr bool is_limited_broadcast() const { return is_v4() && v4_bits() == 0xffffffff; }
  constexpr const std::array<std::uint8_t, 16>& octets() const { return octet_; }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    const Words x = a.words(), y = b.words();
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
  // The octets in memory order, for comparisons and hashes.
  using Words = std::array<std::uint64_t, 2>;
  constexpr Words words() const { return std::bit_cast<Words>(octet_); }

 private:
  std::array<std::uint8_t, 16> octet_{};
};

// An address with the length of its network part, as 198.18.0.2/24. For IPv4, length is 0..32.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;
  static std::optional<Prefix> parse(std::string_view text);  // the length is required
  bool contains(const IpAddress& other) const;
  IpAddress broadcast_v4() const;  // the directed broadcast address; 0.0.0.0 for /31 and /32
  friend bool operator==(const Prefix&, const Prefix&) = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::string to_string() const;  // 198.18.0.2:80
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// A connection's name, seen from here.
struct FourTuple {
  Endpoint local;
  Endpoint remote;
  friend constexpr auto operator<=>(const FourTuple&, const FourTuple&) = default;
};

}  // namespace pollux
