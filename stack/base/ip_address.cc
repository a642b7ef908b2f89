// ip_address.cc - addresses as text, and what a prefix contains.
#include "stack/base/ip_address.h"

#include <arpa/inet.h>
#include <endian.h>

#include <charconv>

namespace pollux {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  in_addr v4_address{};
  if (inet_pton(AF_INET, copy.c_str(), &v4_address) == 1) return v4(ntohl(v4_address.s_addr));
  IpAddress address;
  if (inet_pton(AF_INET6, copy.c_str(), address.octet_.data()) == 1) return address;
  return std::nullopt;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  const bool mapped = is_v4();
  const void* octets = mapped ? &octet_[12] : octet_.data();
  return inet_ntop(mapped ? AF_INET : AF_INET6, octets, text, sizeof(text));
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const unsigned longest = address->is_v4() ? 32 : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || length > longest)
    return std::nullopt;
  return Prefix{*address, static_cast<std::uint8_t>(length)};
}

// As words in the order of the wire; a shift by all 64 bits is none.
bool Prefix::contains(const IpAddress& other) const {
  if (address.is_v4() != other.is_v4()) return false;
  const unsigned bits = address.is_v4() ? 96u + length : length;
  const IpAddress::Words a = address.words(), b = other.words();
  const std::uint64_t high = be64toh(a[0] ^ b[0]), low = be64toh(a[1] ^ b[1]);
  if (bits == 0) return true;
  if (bits <= 64) return high >> (64 - bits) == 0;
  return high == 0 && low >> (128 - bits) == 0;
}

IpAddress Prefix::broadcast_v4() const {
  if (!address.is_v4() || length >= 31) return IpAddress::any_v4();
  return IpAddress::v4(address.v4_bits() | 0xffffffffu >> length);
}

std::string Endpoint::to_string() const {
  const std::string text = address.to_string();
  return (address.is_v4() ? text : "[" + text + "]") + ":" + std::to_string(port);
}

}  // namespace pollux
