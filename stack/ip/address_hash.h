// address_hash.h - a keyed hash of an address, for the small tables of stack/ip.
#pragma once

#include <cstdint>
#include <cstring>

#include "stack/base/ip_address.h"

namespace pollux {

// Two multiplications. The key keeps apart who shares a bucket from who could guess it; what
// depends on secrecy more than that uses SipHash.
inline std::uint64_t hash_address(const IpAddress& address, std::uint64_t key) {
  std::uint64_t half[2];
  std::memcpy(half, address.octets().data(), sizeof half);
  std::uint64_t mixed = (half[0] ^ key) * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ half[1] ^ (mixed >> 29)) * (key | 1);
  mixed = (mixed ^ (mixed >> 32)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

}  // namespace pollux
