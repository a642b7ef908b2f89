// syn_cookies.cc - SYN cookies: SipHash-2-4 by libsodium over all that the number is to vouch for.
#include "stack/tcp/syn_cookies.h"

#include <sodium/crypto_shorthash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "stack/tcp/ecn.h"

namespace pollux::tcp {
namespace {

// Before the mask of the tuple, which keeps the upper bits from being foretold, and IRS are added,
// so that the numbers of one tuple move as its peer's do:
//
//   31 30   29    27   26                        0
//   period  size class          MAC
constexpr unsigned kPeriodShift = 30;
constexpr unsigned kSizeShift = 27;
constexpr std::uint32_t kMac = (1u << kSizeShift) - 1;

// The smallest is what Connection takes any smaller one for; the others are what the Internet and
// jumbo frames have, less what tunnels take.
constexpr std::array<std::uint16_t, 8> kSizes = {48, 536, 1220, 1300, 1380, 1440, 1460, 8960};

// Low bits of the timestamp.
constexpr std::uint32_t kScale = 0x0f;  // kNoScale: the option was absent
constexpr std::uint32_t kNoScale = 0x0f;
constexpr std::uint32_t kSackBit = 0x10;
constexpr std::uint32_t kEcnBit = 0x20;
constexpr std::uint32_t kOptionBits = kScale | kSackBit | kEcnBit;
constexpr std::uint8_t kMostScale = 14;

std::uint32_t size_class(std::uint16_t mss) {
  const auto above = std::upper_bound(kSizes.begin() + 1, kSizes.end(), mss);
  return static_cast<std::uint32_t>(above - kSizes.begin() - 1);
}

std::uint32_t period_at(Instant t) {
  return static_cast<std::uint32_t>(t.to_ns() / kCookiePeriod.to_ns());
}

std::uint32_t cookie_mac(const CookieSubject& subject, std::uint32_t period, std::uint32_t size,
                         const HashKey& key) {
  struct {
    CookieSubject subject;
    std::uint32_t period, size;
  } const vouched{subject, period, size};
  static_assert(sizeof vouched == sizeof(FourTuple) + 12);  // no padding: all of it is hashed
  unsigned char octets[sizeof vouched];
  std::memcpy(octets, &vouched, sizeof octets);
  unsigned char out[sizeof(std::uint64_t)];
  crypto_shorthash(out, octets, sizeof octets, key.data());
  std::uint32_t mac;
  std::memcpy(&mac, out, sizeof mac);
  return mac & kMac;
}

std::uint32_t mask(const CookieSubject& subject, const CookieKeys& keys) {
  return static_cast<std::uint32_t>(keyed_hash(subject.tuple, keys.mask)) + subject.irs.value();
}

}  // namespace

SeqNum make_cookie(const CookieSubject& subject, std::uint16_t mss, const CookieKeys& keys,
                   Instant now) {
  const std::uint32_t period = period_at(now);
  const std::uint32_t size = size_class(mss);
  const std::uint32_t bits =
      period << kPeriodShift | size << kSizeShift | cookie_mac(subject, period, size, keys.mac);
  return SeqNum(bits + mask(subject, keys));
}

std::optional<std::uint16_t> check_cookie(const CookieSubject& subject, SeqNum cookie,
                                          const CookieKeys& keys, Instant now) {
  const std::uint32_t bits = cookie.value() - mask(subject, keys);
  const std::uint32_t age = (period_at(now) - (bits >> kPeriodShift)) & 3;
  if (age > 1) return std::nullopt;
  const std::uint32_t size = bits >> kSizeShift & 7;
  const std::uint32_t mac = cookie_mac(subject, period_at(now) - age, size, keys.mac);
  if (mac != (bits & kMac)) return std::nullopt;
  return kSizes[size];
}

std::uint32_t timestamp_with_options(std::uint32_t clock_ms, const Segment& syn) {
  const TcpOptions& options = syn.options;
  std::uint32_t bits = kNoScale;
  if (options.has_window_scale) bits = std::min(options.window_scale, kMostScale);
  if (options.sack_permitted) bits |= kSackBit;
  if (Ecn::is_asked_by(syn.ctl)) bits |= kEcnBit;
  const std::uint32_t told = (clock_ms & ~kOptionBits) | bits;
  return static_cast<std::int32_t>(told - clock_ms) > 0 ? told - (kOptionBits + 1) : told;
}

void read_options(std::uint32_t clock_ms, Segment& syn) {
  TcpOptions& options = syn.options;
  options.has_window_scale = (clock_ms & kScale) != kNoScale;
  if (options.has_window_scale) options.window_scale = static_cast<std::uint8_t>(clock_ms & kScale);
  options.sack_permitted = (clock_ms & kSackBit) != 0;
  if ((clock_ms & kEcnBit) != 0) syn.ctl = syn.ctl | ECE | CWR;
}

}  // namespace pollux::tcp
