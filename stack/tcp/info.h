// info.h - Info: what TCP_INFO tells of a connection, in plain fields.
#pragma once

#include <cstdint>

#include "stack/tcp/state.h"

namespace pollux::tcp {

// The names are those of struct tcp_info without "tcpi_"; times in microseconds unless they end in
// _ms; numbers of segments where Linux has segments. Without tcpi_segs_in and _out: no room for
// them.
struct Info {
  State state = State::CLOSED;
  std::uint8_t ca_state = 0;  // Linux: TCP_CA_Open 0, Recovery 3, Loss 4
  std::uint8_t retransmits = 0;
  std::uint8_t probes = 0;
  std::uint8_t backoff = 0;
  bool has_timestamps = false;
  bool has_sack = false;
  bool has_window_scale = false;
  bool has_ecn = false;
  bool has_seen_ecn = false;
  bool has_syn_text = false;  // TCPI_OPT_SYN_DATA: text in the SYN was acknowledged
  std::uint8_t fastopen_client_fail = 0;
  std::uint8_t snd_wscale = 0;
  std::uint8_t rcv_wscale = 0;
  std::uint32_t rto = 0;
  std::uint32_t ato = 0;
  std::uint32_t snd_mss = 0;
  std::uint32_t rcv_mss = 0;
  std::uint32_t unacked = 0;
  std::uint32_t sacked = 0;
  std::uint32_t lost = 0;
  std::uint32_t last_data_sent_ms = 0;
  std::uint32_t last_data_recv_ms = 0;
  std::uint32_t last_ack_recv_ms = 0;
  std::uint32_t pmtu = 0;
  std::uint32_t rcv_ssthresh = 0;
  std::uint32_t rtt = 0;
  std::uint32_t rttvar = 0;
  std::uint32_t snd_ssthresh = 0;
  std::uint32_t snd_cwnd = 0;
  std::uint32_t advmss = 0;
  std::uint32_t reordering = 3;
  std::uint32_t rcv_rtt = 0;
  std::uint32_t rcv_space = 0;
  std::uint32_t total_retrans = 0;
  std::uint32_t notsent_bytes = 0;
  std::uint32_t min_rtt = 0;
  std::uint32_t snd_wnd = 0;
  std::uint32_t rcv_wnd = 0;
  std::uint64_t bytes_acked = 0;
  std::uint64_t bytes_received = 0;
};

}  // namespace pollux::tcp
