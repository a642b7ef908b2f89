// path_mtu.cc - estimates by destination: never raised by a message, never below the floor.
#include "stack/ip/path_mtu.h"

#include <algorithm>
#include <array>
#include <bit>

#include "stack/ip/address_hash.h"

namespace pollux {
namespace {

constexpr Duration kLifetime = Duration::seconds(600);  // RFC 1191 6.3
constexpr std::array<std::uint16_t, 10> kPlateaus{65535, 32000, 17914, 8166, 4352,
                                                  2002,  1492,  1006,  508,  296};

}  // namespace

std::uint16_t plateau_below(std::uint16_t length) {
  for (const std::uint16_t plateau : kPlateaus) {
    if (plateau < length) return plateau;
  }
  return 68;
}

PathMtu::PathMtu(std::uint32_t entries, Rng& rng)
    : key_(rng.next()), sets_(std::bit_ceil(std::max<std::size_t>(entries / kWays, 1))) {
  entries_.resize(sets_ * kWays);
}

std::size_t PathMtu::set_of(const IpAddress& destination) const {
  return (hash_address(destination, key_) & (sets_ - 1)) * kWays;
}

const PathMtu::Entry* PathMtu::find(const IpAddress& destination) const {
  const Entry* set = &entries_[set_of(destination)];
  const auto is_it = [&](const Entry& e) { return e.mtu != 0 && e.destination == destination; };
  const Entry* found = std::find_if(set, set + kWays, is_it);
  return found == set + kWays ? nullptr : found;
}

std::uint16_t PathMtu::lookup(const IpAddress& destination, std::uint16_t route_mtu,
                              Instant now) const {
  const Entry* entry = find(destination);
  if (entry == nullptr || entry->expires <= now) return route_mtu;
  return std::min(entry->mtu, route_mtu);
}

std::uint16_t PathMtu::report(const IpAddress& destination, const Report& report, Instant now) {
  const std::uint16_t current = lookup(destination, report.route_mtu, now);
  const std::uint16_t floor = std::min(kFloor, report.route_mtu);
  const std::uint16_t mtu = std::max(report.mtu, floor);
  if (mtu >= current) return current;
  Entry* set = &entries_[set_of(destination)];
  const Entry* known = find(destination);
  Entry* entry = known != nullptr
                     ? set + (known - set)
                     : std::min_element(set, set + kWays, [](const Entry& a, const Entry& b) {
                         return a.expires < b.expires;
                       });
  *entry = {destination, mtu, now + kLifetime};
  return mtu;
}

void PathMtu::forget(const IpAddress& destination) {
  const Entry* known = find(destination);
  if (known != nullptr) entries_[static_cast<std::size_t>(known - entries_.data())] = Entry{};
}

}  // namespace pollux
