// fast_open_server.h - a listener's TCP Fast Open: its cookies, and how many requests may be open.
// RFC 7413 4.1.2, 4.2, 5.1. Linux: tcp_fastopen_cookie_gen(), tcp_fastopen_queue_check().
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/segment.h"

namespace pollux::tcp {

// TCP_FASTOPEN_KEY: cookies are made with the first; those of the second are good, but renewed.
struct FastOpenKeys {
  std::array<HashKey, 2> key{};
  std::uint8_t count = 0;  // 0: the world's own
};

// What a program may set of a listener.
struct FastOpenOptions {
  std::uint32_t max_requests = 0;  // TCP_FASTOPEN; 0: off (7413-2/4.2)
  bool needs_no_cookie = false;    // TCP_FASTOPEN_NO_COOKIE
  FastOpenKeys keys;
};

// 8 octets: SipHash-2-4 of both addresses, so that nobody has one without answering from there
// (7413-4.1).
FastOpenCookie make_fast_open_cookie(const FourTuple& tuple, const HashKey& key);

enum class CookieVerdict : std::uint8_t { bad, good, old };
CookieVerdict check_fast_open_cookie(const FourTuple& tuple, const FastOpenCookie& cookie,
                                     const FastOpenKeys& keys);

// RFC 7413 4.2: PendingFastOpenRequests. A request counts from its SYN to the end of its handshake;
// one that a RST ended counts for about a minute more, so that who spoofs SYNs of a host that
// answers with RSTs (5.1) fills the queue and nothing else.
class FastOpenQueue {
 public:
  bool has_room(std::uint32_t max_requests, Instant now);
  void add() { ++open_; }
  void remove() { --open_; }
  void note_reset(Instant now);
  std::uint32_t open() const { return open_; }

 private:
  // Those of the same few seconds share a place.
  struct Resets {
    std::uint32_t until_s = 0;
    std::uint32_t count = 0;
  };
  static constexpr std::uint32_t kResetLifeS = 60, kSpanS = 8;
  static constexpr std::size_t kPlaces = 10;  // kResetLifeS / kSpanS, one begun and one ending

  std::uint32_t open_ = 0;
  std::array<Resets, kPlaces> resets_{};
};

}  // namespace pollux::tcp
