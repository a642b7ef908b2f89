// isn.cc - initial sequence numbers and timestamp offsets: SipHash-2-4 by libsodium.
#include "stack/tcp/isn.h"

#include <sodium/crypto_shorthash.h>

#include <cstring>

namespace pollux::tcp {

std::uint64_t keyed_hash(const FourTuple& tuple, const HashKey& key) {
  static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<HashKey>);
  static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));
  static_assert(sizeof(FourTuple) == 36);  // no padding: all of it is hashed
  unsigned char octets[sizeof(FourTuple)];
  std::memcpy(octets, &tuple, sizeof octets);
  unsigned char out[sizeof(std::uint64_t)];
  crypto_shorthash(out, octets, sizeof octets, key.data());
  std::uint64_t hash;
  std::memcpy(&hash, out, sizeof hash);
  return hash;
}

SeqNum initial_sequence_number(const FourTuple& tuple, const HashKey& key, Instant now) {
  const auto ticks = static_cast<std::uint32_t>(now.to_ns() / 4'000);  // M
  return SeqNum(ticks + static_cast<std::uint32_t>(keyed_hash(tuple, key)));
}

std::uint32_t timestamp_offset(const FourTuple& tuple, const HashKey& key) {
  return static_cast<std::uint32_t>(keyed_hash(tuple, key) >> 32);
}

}  // namespace pollux::tcp
