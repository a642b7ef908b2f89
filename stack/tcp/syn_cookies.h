// syn_cookies.h - SYN cookies: what a SYN said, kept by the peer in the number that it
// acknowledges. RFC 4987 3.6; Linux: __cookie_v4_init_sequence(), cookie_timestamp_decode().
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/segment.h"

namespace pollux::tcp {

// A cookie is good in the period in which it was made and in the next one: 60 to 120 s.
inline constexpr Duration kCookiePeriod = Duration::seconds(60);
inline constexpr Duration kCookieLife = kCookiePeriod * 2;

// What a cookie is for; nobody else's ACK brings it back.
struct CookieSubject {
  FourTuple tuple;
  SeqNum irs;  // SEG.SEQ of the SYN
};

// An initial sequence number that tells, to us alone, when it was made and how long the peer's
// segments may be. One in 2^27 of the numbers that others make up passes in each period.
SeqNum make_cookie(const CookieSubject& subject, std::uint16_t mss, const CookieKeys& keys,
                   Instant now);
// The MSS, rounded down to one of eight; none: it is not one of ours, or an old one.
std::optional<std::uint16_t> check_cookie(const CookieSubject& subject, SeqNum cookie,
                                          const CookieKeys& keys, Instant now);

// The clock of a TSval (before the tuple's offset) with the SYN's other options, and whether it
// asks for ECN, in its low bits: up to 63 ms late, never early. The peer echoes it.
std::uint32_t timestamp_with_options(std::uint32_t clock_ms, const Segment& syn);
// Adds what timestamp_with_options put in.
void read_options(std::uint32_t clock_ms, Segment& syn);

}  // namespace pollux::tcp
