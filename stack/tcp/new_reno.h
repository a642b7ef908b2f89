// new_reno.h - Congestion: how much may be in the network. RFC 5681, RFC 6582, RFC 3465, RFC 6928.
#pragma once

#include <cstdint>

#include "stack/tcp/seq_num.h"
#include "stack/tcp/tcb.h"

namespace pollux::tcp {

// MUST-19. A member of Connection; all in octets.
struct Congestion {
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = 0xffffffff;
  std::uint32_t acked = 0;      // octets acknowledged since cwnd last grew in congestion avoidance
  SeqNum recover;               // RecoveryPoint: SND.MAX when the loss was noticed
  SeqNum high_rxt;              // HighRxt: the end of what was sent again in this recovery
  std::uint8_t duplicates = 0;  // duplicate ACKs since SND.UNA last moved
  Phase phase = Phase::open;
  bool is_limited = false;  // cwnd held text back since the last ACK; else it must not grow

  // RFC 6928 2: ten segments, within 14,600 octets unless two segments are more.
  static std::uint32_t initial_window(std::uint32_t mss);
  // Outside recovery. Slow start below ssthresh, congestion avoidance above; octets are counted, so
  // that splitting ACKs gains nothing (RFC 3465).
  void grow(std::uint32_t octets, std::uint32_t mss);
  // RFC 5681 3.1, equation 4.
  void halve(std::uint32_t flight, std::uint32_t mss);
  // RFC 3168 6.1.2: a mark.
  void on_echo(std::uint32_t mss);
  // RFC 5681 4.1: after an idle time longer than the timeout.
  void restart(std::uint32_t mss);
};

}  // namespace pollux::tcp
