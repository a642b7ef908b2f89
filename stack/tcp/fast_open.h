// fast_open.h - TCP Fast Open inside a connection, and what clients remember of servers.
// RFC 7413 4.1.3, 4.2.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/segment.h"

namespace pollux::tcp {

// Bits of [tcp] fastopen, as net.ipv4.tcp_fastopen has them.
enum FastOpenBit : std::uint32_t {
  kFastOpenClient = 0x1,
  kFastOpenServer = 0x2,
  kFastOpenClientNoCookie = 0x4,
  kFastOpenServerNoCookie = 0x200,
  kFastOpenAllListeners = 0x400,
};

// Linux: TFO_COOKIE_UNAVAILABLE and so on; TCP_INFO's tcpi_fastopen_client_fail.
enum class FastOpenFailure : std::uint8_t { none, no_cookie, text_not_acked, syn_sent_again };

// Part of a Connection from its opening to the end of its handshake, if that is out of the
// ordinary.
struct FastOpen {
  FastOpenCookie cookie;  // a client's: of no octets to ask for one; a server's: the one it gives
  std::uint16_t syn_room = 0;    // octets of text that the client's SYN may carry
  bool has_option = false;       // the cookie, or the request for one, goes into the SYN
  bool is_experimental = false;  // in the option of before RFC 7413
  bool is_open = false;          // server: text passes both ways before the handshake ends
  bool takes_text = false;       // client: the SYN has not left, and send() may add to its text
  bool is_deferred = false;      // client: the SYN waits for send()
  bool has_text = false;         // client: the SYN that has left carried some
};

// What a SYN to a server may try.
struct FastOpenHint {
  bool may_try = true;    // false: it has failed lately
  std::uint16_t mss = 0;  // what the server's last SYN,ACK said; 0: not known
  FastOpenCookie cookie;  // of no octets: none is known
};

// Of the servers last spoken to. A cookie is an address's, a failure a port's: what has failed is
// left alone for a minute, then for two, four ... 64 (7413-4.1.3.1). Four places for each of 64
// hashes; the oldest gives way. Owned by Shared.
class FastOpenCache {
 public:
  FastOpenHint lookup(const Endpoint& server, Instant now) const;
  void note_cookie(const Endpoint& server, const FastOpenCookie& cookie, std::uint16_t mss,
                   Instant now);
  void note_success(const Endpoint& server);
  void note_failure(const Endpoint& server, Instant now);

 private:
  static constexpr std::size_t kWays = 4, kSets = 64;
  struct Entry {
    Endpoint server;  // with a port: what has failed; unspecified: free
    FastOpenCookie cookie;
    std::uint8_t failures = 0;  // in a row
    std::uint16_t mss = 0;
    Instant written;
    Instant not_before;
  };
  static std::size_t first_way(const Endpoint& server);
  const Entry* find(const Endpoint& server) const;
  Entry& find_or_make(const Endpoint& server, Instant now);

  std::array<Entry, kWays * kSets> entries_{};
};

}  // namespace pollux::tcp
