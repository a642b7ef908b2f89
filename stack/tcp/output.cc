// output.cc - next_segment(): what may be sent now, and what it says.
// RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (silly windows), 3.8.2; RFC 6675 4 (NextSeg).
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr StateSet kSends =
    State::ESTABLISHED | State::CLOSE_WAIT | State::FIN_WAIT_1 | State::CLOSING | State::LAST_ACK;
constexpr std::uint32_t kSackHeader = 4;  // two NOPs, kind, length
constexpr std::uint32_t kSackBlock = 8;
}  // namespace

// Filled where the caller will read it: moved once more it would wait for its own stores, 4 ns.
std::optional<Segment> Connection::next_segment(Instant now) {
  std::optional<Segment> seg(std::in_place);
  if (!next_segment(*seg, now)) seg.reset();
  DCHECK(snd_.una <= snd_.nxt && snd_.nxt <= snd_.max);
  return seg;
}

bool Connection::next_segment(Segment& seg, Instant now) {
  if (reset_owed_) return make_reset(seg, now);
  if (in(State::CLOSED | State::LISTEN)) return false;
  if (in(kSynchronizing) && snd_.nxt == iss_) {
    if (is_syn_deferred()) return false;
    ++shared_.counters.tcp_segments_out;
    return make_syn(seg, now);
  }
  if (ack_.duplicates() != 0) return make_ack(seg, reset_seq(), now);
  if (in(kSends) || (in(State::SYN_RECEIVED) && !is_opening())) {
    if (next_retransmission(seg, now) || next_text(seg, now)) return true;
    if (probe_owed_ && next_probe(seg, now)) return true;
  }
  if (keepalive_owed_) {
    keepalive_owed_ = false;
    return make_ack(seg, snd_.nxt - 1, now);  // SHLD-12
  }
  if (ack_.is_due()) return make_ack(seg, reset_seq(), now);
  arm_persist(now);
  return false;
}

// The usual end of a pull: all text is in the network and nothing else is owed. Spares the second
// next_segment of a small write, 250 of its 3,700 instructions.
bool Connection::has_said_all() const {
  const bool is_owing = reset_owed_ || retransmit_owed_ || probe_owed_ || keepalive_owed_;
  return in(State::ESTABLISHED) && snd_.nxt == text_end() && snd_.nxt == snd_.max && !is_owing &&
         !ack_.is_due() && congestion_.phase == Phase::open && mtu_probe_ == 0;
}

// What fast recovery sends before new text. RFC 6675 4, NextSeg.
bool Connection::next_retransmission(Segment& seg, Instant now) {
  if (retransmit_owed_) {
    retransmit_owed_ = false;
    if (snd_.una != snd_.max) return retransmit(seg, snd_.una, now);
  }
  if (mtu_probe_ != 0 && next_resend(seg, now)) return true;
  if (congestion_.phase != Phase::recovery || !scoreboard_ || scoreboard_->empty()) return false;
  if (snd_.nxt != snd_.max || congestion_room() < snd_mss_) return false;
  const SeqNum hole = scoreboard_->next_hole(later(snd_.una, congestion_.high_rxt));
  if (hole < scoreboard_->lost_edge(snd_.una, snd_mss_))
    return retransmit(seg, hole, now);  // rule 1
  const bool has_new = text_end() > snd_.max && snd_.una + snd_.wnd > snd_.max;
  if (has_new) return false;                                             // rule 2: next_text
  if (hole < scoreboard_->highest()) return retransmit(seg, hole, now);  // rule 3
  if (rescued_ || scoreboard_->highest() == snd_.max) return false;
  rescued_ = true;  // rule 4: the last segment, once in a recovery; HighRxt stays
  const SeqNum high_rxt = congestion_.high_rxt;
  const SeqNum tail = snd_.max - std::min(static_cast<std::uint32_t>(snd_mss_),
                                          static_cast<std::uint32_t>(snd_.max - snd_.una));
  retransmit(seg, later(tail, scoreboard_->highest()), now);
  congestion_.high_rxt = high_rxt;
  return true;
}

bool Connection::retransmit(Segment& seg, SeqNum seq, Instant now) {
  SeqNum limit = sent_end();
  if (scoreboard_) limit = scoreboard_->hole_end(seq, limit);
  const std::int32_t most = limit - seq;  // below 0: only the FIN is left
  const std::uint32_t length =
      most > 0 ? std::min<std::uint32_t>(static_cast<std::uint32_t>(most), snd_mss_) : 0;
  make_text(seg, {seq, length}, now);
  congestion_.high_rxt = later(congestion_.high_rxt, seq + seg.len());
  return true;
}

// New text, text again after a timeout, and the FIN.
bool Connection::next_text(Segment& seg, Instant now) {
  if (scoreboard_ && snd_.nxt != snd_.max) {
    const SeqNum hole = scoreboard_->next_hole(snd_.nxt);
    snd_.nxt = hole < snd_.max ? hole : snd_.max;
  }
  const std::int32_t left = text_end() - snd_.nxt;
  if (left < 0 || (left == 0 && !fin_queued_)) return false;
  const std::int32_t window = snd_.una + snd_.wnd - snd_.nxt;
  if (window <= 0) return false;
  const auto unsent = static_cast<std::uint32_t>(left);
  if (unsent == 0) return make_text(seg, {snd_.nxt, 0}, now);  // the FIN alone
  if (snd_.nxt == snd_.una && congestion_.phase == Phase::open) {
    const std::int64_t idle_ms = milliseconds(now) - last_send_ms_;
    if (Duration::ms(idle_ms) > rtt_.rto(shared_.config)) congestion_.restart(snd_mss_);
  }
  const auto most = static_cast<std::uint32_t>(window);
  if (const std::uint32_t probe = mtu_probe_ != 0 ? probe_length(unsent, most) : 0) {
    return congestion_room() >= probe && make_probe(seg, probe, now);  // ACKs make room
  }
  std::uint32_t length = sendable(unsent, most);
  if (length == 0) return false;
  if (scoreboard_ && snd_.nxt != snd_.max) {
    const SeqNum end = scoreboard_->hole_end(snd_.nxt, snd_.nxt + length);
    length = static_cast<std::uint32_t>(end - snd_.nxt);
  }
  force_owed_ = false;
  return make_text(seg, {snd_.nxt, length}, now);
}

// How much of `unsent` may leave in one segment; 0: nothing for now.
std::uint32_t Connection::sendable(std::uint32_t unsent, std::uint32_t window) {
  const std::uint32_t mss = snd_mss_;
  std::uint32_t length = std::min(unsent, window);
  const std::uint32_t room = congestion_room();
  if (length > room) {
    congestion_.is_limited = true;
    length = room - room % mss;  // no crumbs for want of cwnd
    if (length == 0) return 0;
  } else if (2 * (room - length) <= congestion_.cwnd) {
    congestion_.is_limited = true;  // more than half is in use: it may grow
  }
  if (length < mss) return force_owed_ || may_send_partial(length, unsent) ? length : 0;
  // CWR is of one segment only, whatever a device makes of the flags of those it cuts.
  const bool is_alone = snd_.up > snd_.nxt || ecn_.owes_cwr();
  const std::uint32_t most = is_alone ? mss : std::max<std::uint32_t>(gso_limit_, mss);
  length = std::min(length, most);
  return length - length % mss;
}

// Nagle (SHLD-7, MUST-17) as Minshall has it, corks, and the sender's silly windows (MUST-38).
bool Connection::may_send_partial(std::uint32_t length, std::uint32_t unsent) const {
  if (snd_.nxt != snd_.max) return true;                   // sent before
  if (length < unsent) return length >= snd_.max_wnd / 2;  // as much as the window lets out
  if (fin_queued_ || snd_.up > snd_.nxt) return true;
  if (options_.cork || more_) return false;  // until the persist timer (MUST-60)
  return options_.no_delay || small_end_ <= snd_.una;
}

// One octet beyond the window, or the FIN.
bool Connection::next_probe(Segment& seg, Instant now) {
  probe_owed_ = false;
  const std::uint32_t length = text_end() > snd_.una ? 1 : 0;
  if (length == 0 && !fin_queued_) return false;
  snd_.nxt = snd_.una;
  return make_text(seg, {snd_.una, length}, now);
}

// These octets, with the FIN if it follows them and the window has room for it.
bool Connection::make_text(Segment& seg, const TextRange& range, Instant now) {
  const auto [seq, length] = range;
  const SeqNum end = seq + length;
  const bool is_last = end == text_end();
  const bool fin_fits = snd_.una + snd_.wnd > end || length == 0;
  Control control = ACK;
  if (is_last && length != 0) control = control | PSH;  // MUST-61
  if (is_last && fin_queued_ && fin_fits) control = control | FIN;
  if (snd_.up > seq) control = control | URG;
  ack_.text_sent(now);
  last_send_ms_ = milliseconds(now);
  make(seg, control, seq, now);
  seg.text_length = length;
  if (length > snd_mss_) seg.gso_size = snd_mss_;
  if (control.has(URG)) {
    seg.up = static_cast<std::uint16_t>(std::min<std::int32_t>(snd_.up - seq, 65535));
  }
  if (reassembly_) put_sack(seg, snd_mss_ > length ? snd_mss_ - length : 0);
  const SeqNum after = seq + seg.len();
  if (seq < snd_.max) {
    rtt_.stop_timing();  // Karn
    ++shared_.counters.tcp_retransmitted;
    ++total_retrans_;
  } else {
    rtt_.start_timing(after, now);
    if (length < snd_mss_ && length != 0) small_end_ = end;
    const bool is_probe = persist_ && snd_.wnd == 0;
    if (length != 0 && ecn_.is_agreed() && !is_probe) mark_capable(seg);
  }
  if (seq == snd_.nxt) snd_.nxt = after;
  snd_.max = later(snd_.max, snd_.nxt);
  if (retransmit_at_.is_never()) arm_retransmission(now);
  if (!persist_) return true;
  if (snd_.wnd != 0) {  // the override of the silly-window rule: from here on it is ordinary text
    persist_ = false;
    arm_retransmission(now);
  }
  return true;
}

// RFC 3168 6.1.2, 6.1.4 to 6.1.6: new text only, no bare ACK, retransmission or window probe.
void Connection::mark_capable(Segment& seg) {
  seg.ecn = Ecn::kEct0;
  if (ecn_.take_cwr()) seg.ctl = seg.ctl | CWR;
}

// Everything that every segment has.
void Connection::make(Segment& seg, Control control, SeqNum seq, Instant now) {
  seg.seq = seq;
  seg.ack = rcv_.nxt;
  seg.ctl = control | ACK;
  if (ecn_.echoes()) seg.ctl = seg.ctl | ECE;
  seg.wnd = window_field();
  if (timestamps_ok_) {  // RFC 7323 3.2
    seg.options.has_timestamps = true;
    seg.options.ts_val = timestamp(now);
    seg.options.ts_ecr = ts_recent_;
  }
  if (ack_.duplicates() != 0) {
    ack_.duplicate_sent();
  } else {
    ack_.ack_sent();
  }
  rcv_.acked = rcv_.nxt;
  ++shared_.counters.tcp_segments_out;
}

bool Connection::make_ack(Segment& seg, SeqNum seq, Instant now) {
  make(seg, ACK, seq, now);
  put_sack(seg, 40);
  return true;
}

// RFC 2018 4, RFC 2883 4: a duplicate first, then the blocks, the latest first; as many as fit.
// Of several duplicate ACKs in one burst the earlier ones lead with the earlier blocks.
void Connection::put_sack(Segment& seg, std::uint32_t room) {
  if (!reassembly_ || !sack_ok_) return;
  const std::uint32_t free = std::min(room, seg.options.has_timestamps ? 28u : 40u);
  const std::uint32_t most = free > kSackHeader ? (free - kSackHeader) / kSackBlock : 0;
  const std::uint32_t fits = std::min<std::uint32_t>(most, 4);
  TcpOptions& options = seg.options;
  if (fits == 0) return;
  SackBlock& report = reassembly_->to_report;
  if (report.left < report.right) {
    options.sack[options.sack_count++] = report;
    report = SackBlock();
  }
  const unsigned count = reassembly_->blocks.count();
  const unsigned first = count != 0 ? std::min(ack_.duplicates(), count - 1) : 0;  // still owed
  for (unsigned i = 0; i < count && options.sack_count < fits; ++i) {
    options.sack[options.sack_count++] = reassembly_->blocks[(first + i) % count];
  }
  release_reassembly(false);
}

bool Connection::make_syn(Segment& seg, Instant now) {
  const bool answers = in(State::SYN_RECEIVED);
  seg.seq = iss_;
  seg.ctl = answers ? SYN | ACK : Control(SYN);
  if (answers && ecn_.is_agreed()) seg.ctl = seg.ctl | ECE;
  // RFC 3168 6.1.1.1: whoever drops a SYN for that gets the next one without.
  if (!answers && asks_for_ecn()) seg.ctl = seg.ctl | ECE | CWR;
  seg.ack = answers ? rcv_.nxt : SeqNum(0);
  seg.wnd = window_field();
  seg.options.mss = advertised_mss();  // MUST-14, MUST-65
  seg.options.sack_permitted = sack_ok_;
  seg.options.has_window_scale = scale_ok_;
  seg.options.window_scale = rcv_scale_;
  seg.options.has_timestamps = timestamps_ok_;
  seg.options.ts_val = timestamp(now);
  seg.options.ts_ecr = answers ? ts_recent_ : 0;
  if (fast_open_) put_fast_open(seg);
  if (snd_.max == iss_) rtt_.start_timing(iss_ + 1, now);
  snd_.max = later(snd_.max, iss_ + seg.len());
  snd_.nxt = snd_.max;  // text that left with a SYN, or behind one, waits for the answer
  last_send_ms_ = milliseconds(now);
  if (answers) {
    ack_.ack_sent();
    rcv_.acked = rcv_.nxt;
  }
  if (retransmit_at_.is_never()) arm_retransmission(now);
  return true;
}

bool Connection::make_reset(Segment& seg, Instant now) {
  reset_owed_ = false;
  seg.seq = reset_seq_;
  seg.ctl = reset_has_ack_ ? RST | ACK : Control(RST);
  if (reset_has_ack_) seg.ack = rcv_.nxt;
  if (reset_has_ack_ && timestamps_ok_) {  // RFC 7323 3.2
    seg.options.has_timestamps = true;
    seg.options.ts_val = timestamp(now);
    seg.options.ts_ecr = ts_recent_;
  }
  ++shared_.counters.tcp_segments_out;
  ++shared_.counters.tcp_resets_out;
  return true;
}

}  // namespace pollux::tcp
