// fast_open_server.cc - cookies by libsodium, and the queue of requests.
#include "stack/tcp/fast_open_server.h"

#include <sodium/crypto_shorthash.h>
#include <sodium/utils.h>

#include <cstring>

namespace pollux::tcp {
namespace {
std::uint32_t seconds_of(Instant t) {
  return static_cast<std::uint32_t>(t.to_ns() / 1'000'000'000);
}
}  // namespace

FastOpenCookie make_fast_open_cookie(const FourTuple& tuple, const HashKey& key) {
  const std::array<IpAddress, 2> addresses = {tuple.remote.address, tuple.local.address};
  unsigned char octets[sizeof addresses];
  std::memcpy(octets, addresses.data(), sizeof octets);
  FastOpenCookie cookie;
  cookie.size = crypto_shorthash_BYTES;
  static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<HashKey>);
  crypto_shorthash(cookie.octets.data(), octets, sizeof octets, key.data());
  return cookie;
}

CookieVerdict check_fast_open_cookie(const FourTuple& tuple, const FastOpenCookie& cookie,
                                     const FastOpenKeys& keys) {
  for (std::size_t i = 0; i < keys.count; ++i) {
    const FastOpenCookie ours = make_fast_open_cookie(tuple, keys.key[i]);
    if (cookie.size != ours.size) return CookieVerdict::bad;
    if (sodium_memcmp(cookie.octets.data(), ours.octets.data(), ours.size) != 0) continue;
    return i == 0 ? CookieVerdict::good : CookieVerdict::old;
  }
  return CookieVerdict::bad;
}

bool FastOpenQueue::has_room(std::uint32_t max_requests, Instant now) {
  const std::uint32_t now_s = seconds_of(now);
  std::uint32_t pending = open_;
  for (const Resets& some : resets_) {
    if (static_cast<std::int32_t>(some.until_s - now_s) > 0) pending += some.count;
  }
  return pending < max_requests;
}

void FastOpenQueue::note_reset(Instant now) {
  const std::uint32_t span = seconds_of(now) / kSpanS;
  const std::uint32_t until_s = (span + 1) * kSpanS + kResetLifeS;
  Resets& place = resets_[span % kPlaces];
  if (place.until_s != until_s) place = {until_s, 0};
  ++place.count;
}

}  // namespace pollux::tcp
