// control_block.h - ControlBlock: RFC 9293's TCB, the variables of one connection.
// RFC 9293 3.3.1. Data only; what they mean together is in connection.h, which alone uses them.
#pragma once

#include <cstdint>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/delayed_ack.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/events.h"
#include "stack/tcp/new_reno.h"
#include "stack/tcp/receive_buffer.h"
#include "stack/tcp/rtt.h"
#include "stack/tcp/send_buffer.h"
#include "stack/tcp/shared.h"
#include "stack/tcp/state.h"
#include "stack/tcp/tcb.h"

namespace pollux::tcp {

// The base of a Connection and of nothing else; lives as long as it.
class ControlBlock {
 protected:
  ControlBlock(Shared& shared, std::uint32_t ts_offset) : shared_(shared), ts_offset_(ts_offset) {}

  Shared& shared_;
  SendSequence snd_;
  ReceiveSequence rcv_;
  SeqNum iss_, irs_;
  // What follows a part that is declared like this one uses the part's padding.
  [[no_unique_address]] Congestion congestion_;
  std::uint8_t error_ = 0;  // the errno value that is pending; all of them are below 256
  SeqNum small_end_;        // the end of the last segment below one MSS: Nagle as Minshall has it
  Instant retransmit_at_ = Instant::never();  // or the next window probe
  Instant idle_at_ = Instant::never();        // keepalive, or the end of an orphan's FIN-WAIT-2
  SendBuffer send_;
  ReceiveBuffer receive_;
  [[no_unique_address]] DelayedAck ack_;
  std::uint8_t soft_error_ = 0;  // what ICMP has said since the last ACK
  [[no_unique_address]] Rtt rtt_;
  std::uint16_t own_mss_ = 0;         // what our SYN says
  std::uint32_t send_limit_ = 0;      // SO_SNDBUF as it is now
  Reassembly* reassembly_ = nullptr;  // null: nothing out of order
  Scoreboard* scoreboard_ = nullptr;  // null: the peer has told of no hole
  FastOpen* fast_open_ = nullptr;     // null: an ordinary handshake, or it is over
  FourTuple tuple_;
  UserOptions options_;
  std::uint32_t receive_limit_ = 0;                            // SO_RCVBUF as it is now
  std::uint32_t ts_offset_, ts_recent_ = 0, ts_recent_s_ = 0;  // the last: when, seconds
  std::uint32_t last_receive_ms_ = 0, last_send_ms_ = 0, challenge_ms_ = 0;
  std::uint32_t stalled_ms_ = 0;  // since when nothing moves; meaningful if retries_ or persist_
  std::uint32_t tuned_us_ = 0, tuned_position_ = 0, total_retrans_ = 0;
  SeqNum reset_seq_;
  [[no_unique_address]] Ecn ecn_;
  std::uint8_t urgent_octet_ = 0;
  std::uint16_t mtu_probe_ = 0;  // which of Shared::mtu_probes, plus 1; 0: none
  std::uint16_t path_mss_ = 0, peer_mss_ = 0, snd_mss_ = 536, gso_limit_ = 0;
  State state_ = State::CLOSED;
  std::uint8_t snd_scale_ = 0, rcv_scale_ = 0, retries_ = 0, probes_ = 0;
  Urgent urgent_ = Urgent::none;
  EventSet events_;
  bool timestamps_ok_ : 1 = false, sack_ok_ : 1 = false, scale_ok_ : 1 = false;
  bool is_passive_ : 1 = false, is_orphan_ : 1 = false, receive_shutdown_ : 1 = false;
  bool send_shutdown_ : 1 = false, fin_queued_ : 1 = false, fin_taken_ : 1 = false;
  bool reset_owed_ : 1 = false, reset_has_ack_ : 1 = false, retransmit_owed_ : 1 = false;
  bool rescued_ : 1 = false, probe_owed_ : 1 = false, keepalive_owed_ : 1 = false;
  bool force_owed_ : 1 = false, persist_ : 1 = false, syn_lost_ : 1 = false;
  bool no_space_ : 1 = false, more_ : 1 = false, quick_ack_seen_ : 1 = true;
  bool syn_text_acked_ : 1 = false;  // of ours, or that of the peer was taken
  FastOpenFailure fast_open_failure_ : 2 = FastOpenFailure::none;
  bool full_acked_ : 1 = false;  // a segment of snd_mss_ octets
};

}  // namespace pollux::tcp
