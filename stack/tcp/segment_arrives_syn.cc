// segment_arrives_syn.cc - SEGMENT ARRIVES while the handshake goes on.
// RFC 9293 3.10.7.3 (SYN-SENT), 3.10.7.4's parts for SYN-RECEIVED, figures 6 to 9; RFC 5961 3.2.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace pollux::tcp {

void Connection::segment_arrives_syn_sent(const Segment& seg, Instant now) {
  const bool ack_is_acceptable = seg.ctl.has(ACK) && iss_ < seg.ack && seg.ack <= snd_.max;
  if (seg.ctl.has(ACK) && !ack_is_acceptable) {  // first
    if (!seg.ctl.has(RST)) owe_reset(seg.ack, false);
    return;
  }
  if (seg.ctl.has(RST)) {  // second
    if (ack_is_acceptable) fail(Errno::connection_refused);
    return;
  }
  if (!seg.ctl.has(SYN)) return;  // fourth, fifth
  take_syn_options(seg, now);
  last_receive_ms_ = milliseconds(now);
  if (!ack_is_acceptable) {  // simultaneous open: figure 7 (MUST-10)
    enter(State::SYN_RECEIVED);
    send_shutdown_ = fin_queued_ = options_.is_send_shut;
    snd_.nxt = iss_;  // the SYN goes again, with the ACK
    retries_ = 0;
    return pend();
  }
  if (fast_open_) note_fast_open_answer(seg, now);
  establish(seg, now);
  acknowledge(seg, now);
  ack_.owe_now();
}

// The peer's SYN again: our SYN,ACK was lost, or both opened at once, and this is the peer's
// SYN,ACK, whose SYN we know. Deviation: the former gets the SYN,ACK again, as on Linux; RFC
// 9293 3.10.7.4, first, would answer with an ACK, which does not help a peer in SYN-SENT.
void Connection::strip_repeated_syn(Segment& seg) {
  // ECE and CWR of a SYN were an offer, no echo (RFC 3168 6.1.1).
  seg.ctl = Control(static_cast<std::uint8_t>(seg.ctl.bits() & ~(SYN | ECE | CWR).bits()));
  seg.seq += 1;
  seg.wnd >>= snd_scale_;  // a SYN's window is not scaled; what follows takes it as scaled
  if (seg.ctl.has(ACK)) return;
  rtt_.stop_timing();
  snd_.nxt = iss_;
  pend();
}

// Our SYN is acknowledged; the caller goes on to acknowledge().
void Connection::establish(const Segment& seg, Instant now) {
  const bool closing = fin_queued_;
  enter(closing ? State::FIN_WAIT_1 : State::ESTABLISHED);
  if (is_passive_) ++shared_.counters.tcp_passive_opens;
  snd_.wnd = seg.ctl.has(SYN) ? seg.wnd : seg.wnd << snd_scale_;
  snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
  snd_.wl1 = seg.seq;
  const bool starts_small = packet_size() > MtuProbe::kBase && may_probe();
  if (shared_.config.mtu_probing == kProbingAlways && starts_small) {
    search_path_mtu(packet_size());
  }
  // RFC 5681 3.1: one segment if the SYN was lost.
  congestion_.cwnd = syn_lost_ ? snd_mss_ : Congestion::initial_window(snd_mss_);
  if (syn_lost_) rtt_.set_initial_rto(Duration::seconds(3));  // RFC 6298 5.7; a sample replaces it
  rtt_.end_back_off();
  retries_ = 0;
  if (!is_passive_) snd_.nxt = seg.ack;  // what is left of the SYN's text goes again
  release_fast_open();
  ack_.start_quick();
  if (options_.keepalive) arm_keepalive(now);
  raise(Event::state_change);  // 17.5
}

}  // namespace pollux::tcp
