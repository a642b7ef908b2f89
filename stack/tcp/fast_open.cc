// fast_open.cc - the cookies of servers, and their refusals.
#include "stack/tcp/fast_open.h"

#include <algorithm>

namespace pollux::tcp {

std::size_t FastOpenCache::first_way(const Endpoint& server) {
  const IpAddress::Words words = server.address.words();
  const std::uint64_t mixed = (words[0] ^ words[1] ^ server.port) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(mixed >> 58) * kWays;
}

const FastOpenCache::Entry* FastOpenCache::find(const Endpoint& server) const {
  const std::size_t first = first_way(server);
  for (std::size_t i = first; i < first + kWays; ++i) {
    if (entries_[i].server == server) return &entries_[i];
  }
  return nullptr;
}

FastOpenCache::Entry& FastOpenCache::find_or_make(const Endpoint& server, Instant now) {
  const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(first_way(server));
  const auto end = first + kWays;
  auto entry = std::find_if(first, end, [&](const Entry& e) { return e.server == server; });
  if (entry == end) {
    entry = std::min_element(first, end,
                             [](const Entry& a, const Entry& b) { return a.written < b.written; });
    *entry = Entry();
    entry->server = server;
  }
  entry->written = now;
  return *entry;
}

FastOpenHint FastOpenCache::lookup(const Endpoint& server, Instant now) const {
  FastOpenHint hint;
  if (const Entry* failed = find(server)) hint.may_try = now >= failed->not_before;
  if (const Entry* known = find({server.address, 0})) {
    hint.mss = known->mss;
    hint.cookie = known->cookie;
  }
  return hint;
}

void FastOpenCache::note_cookie(const Endpoint& server, const FastOpenCookie& cookie,
                                std::uint16_t mss, Instant now) {
  Entry& entry = find_or_make({server.address, 0}, now);
  entry.cookie = cookie;
  entry.mss = mss;
  note_success(server);
}

void FastOpenCache::note_success(const Endpoint& server) {
  if (const Entry* failed = find(server)) {
    entries_[static_cast<std::size_t>(failed - entries_.data())] = Entry();
  }
}

void FastOpenCache::note_failure(const Endpoint& server, Instant now) {
  constexpr std::uint8_t kMostDoublings = 6;
  Entry& entry = find_or_make(server, now);
  entry.not_before = now + Duration::seconds(std::int64_t{60} << entry.failures);
  if (entry.failures < kMostDoublings) ++entry.failures;
}

}  // namespace pollux::tcp
