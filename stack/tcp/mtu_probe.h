// mtu_probe.h - MtuProbe: what a connection finds out of its path's MTU beside what routers say.
// RFC 4821 7, RFC 5927 7.2, RFC 1191 6.4.
#pragma once

#include <cstdint>

#include "stack/tcp/seq_num.h"

namespace pollux::tcp {

// TcpConfig::mtu_probing, with Linux's numbers (tcp_mtu_probing).
inline constexpr std::uint32_t kProbingOff = 0, kProbingAfterBlackHole = 1, kProbingAlways = 2;

// Of the few connections whose path takes less than their first link, or is said to; lives in
// Shared::mtu_probes. Sizes are those of IP packets.
struct MtuProbe {
  static constexpr std::uint16_t kFloor = 552;        // Linux: min_pmtu; RFC 1191 3 allows 68
  static constexpr std::uint16_t kBase = 1024;        // RFC 4821 7.2: search_low
  static constexpr std::uint16_t kNearby = 8;         // Linux: tcp_probe_threshold
  static constexpr std::uint32_t kAgainMs = 600'000;  // Linux: tcp_probe_interval; RFC 1191 6.3
  static constexpr std::uint8_t kTries = 2;
  static constexpr std::uint32_t kFollowers = 3;  // segments behind a probe that tell of its loss

  // --- RFC 5927 7.2: a router's word that waits until the text it is about is missed.
  std::uint16_t told = 0;  // 0: none
  SeqNum told_about;

  // --- RFC 4821 7.3: the search between the size in use and this one, which may pass too.
  std::uint16_t high = 0;        // 0: there is none
  bool tries_high = false;       // the next probe is as large as that, else half-way
  std::uint8_t losses = 0;       // of probes of the next size
  std::uint16_t size = 0;        // of the probe in the network; 0: none
  SeqNum probe, probe_end;       // its text
  std::uint32_t settled_ms = 0;  // when the last probe was answered or lost

  // --- what was too large goes again, once, in smaller segments: from `again` to `again_end`
  bool resends = false;  // until it is acknowledged
  SeqNum again, again_end;

  void search(std::uint16_t most) {
    high = most;
    tries_high = true;
    losses = 0;
  }
  bool is_searching(std::uint16_t in_use) const { return high >= in_use + kNearby; }
  std::uint16_t next_size(std::uint16_t in_use) const {
    return tries_high ? high : static_cast<std::uint16_t>((in_use + high + 1) / 2);
  }
  // A router refused the probe. `most`: what passes.
  void refused(std::uint16_t most, std::uint32_t now_ms) {
    high = most;
    tries_high = true;
    size = losses = 0;
    settled_ms = now_ms;
  }
  // Nothing was heard of it. RFC 8899 5.1.2: it may have been something else, once.
  void lost(std::uint32_t now_ms) {
    settled_ms = now_ms;
    if (++losses == kTries) {
      high = static_cast<std::uint16_t>(size - 1);
      tries_high = false;
      losses = 0;
    }
    size = 0;
  }
  void resend(SeqNum from, SeqNum to) {
    resends = from < to;
    again = from;
    again_end = to;
  }
  bool is_idle() const { return told == 0 && high == 0 && !resends; }
};

}  // namespace pollux::tcp
