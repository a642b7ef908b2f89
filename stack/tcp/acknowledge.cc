// acknowledge.cc - what an ACK tells: text delivered, time taken, loss, the peer's window.
// RFC 9293 3.10.7.4 fifth check; RFC 5681, RFC 6582, RFC 6675, RFC 3042, RFC 6298 5.
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {

// SND.UNA < SEG.ACK =< SND.MAX.
void Connection::acknowledge(const Segment& seg, Instant now) {
  const SeqNum before = snd_.una;
  sample_rtt(seg, now);
  const bool has_small = before == iss_ || small_end_ > before;
  if (!has_small && seg.ack - before >= snd_mss_) full_acked_ = true;
  snd_.una = seg.ack;
  snd_.nxt = later(snd_.nxt, snd_.una);
  if (snd_.up < snd_.una) snd_.up = snd_.una;  // stays within half the circle
  if (small_end_ < snd_.una) small_end_ = snd_.una;
  ecn_.acknowledged(snd_.una);
  if (mtu_probe_ != 0) note_path(now);
  if (snd_.una - congestion_.recover > 1 << 30) congestion_.recover = snd_.una - (1u << 30);
  const SeqNum end = text_end();
  const SeqNum text_una =
      seg.ack < end ? seg.ack : end;  // the SYN's and FIN's octets are not there
  if (iss_ + 1 + static_cast<std::uint32_t>(send_.begin()) < text_una) {
    send_.acknowledge(send_.end() - static_cast<std::uint32_t>(end - text_una));
  }
  retries_ = 0;
  if (before != iss_) update_congestion(static_cast<std::uint32_t>(snd_.una - before));
  if (scoreboard_) {
    scoreboard_->acknowledge(snd_.una);
    if (scoreboard_->empty() && congestion_.phase == Phase::open) release_scoreboard();
  }
  if (snd_.una == snd_.max) {
    retransmit_at_ = Instant::never();  // RFC 6298 5.2
    persist_ = false;
  } else if (!persist_) {
    arm_retransmission(now);  // 5.3
  }
  if (no_space_ && is_writable()) {  // 17.10
    no_space_ = false;
    raise(Event::writable);
  }
}

// RFC 6298 3: a timed segment that was sent once; RFC 7323 4.1: else the echoed timestamp.
void Connection::sample_rtt(const Segment& seg, Instant now) {
  if (const auto timed = rtt_.acknowledged(seg.ack, now)) {
    rtt_.sample(*timed, shared_.config);
    return;
  }
  if (!timestamps_ok_ || !seg.options.has_timestamps || seg.options.ts_ecr == 0) return;
  if (retries_ == 0 && congestion_.phase == Phase::open && rtt_.has_sample()) return;
  const auto ms = static_cast<std::int32_t>(timestamp(now) - seg.options.ts_ecr);
  if (ms >= 0) rtt_.sample(Duration::ms(ms), shared_.config);
}

void Connection::update_congestion(std::uint32_t acked) {
  Congestion& c = congestion_;
  const std::uint32_t mss = snd_mss_;
  if (c.phase == Phase::recovery && snd_.una < c.recover) {             // a partial ACK
    if (!scoreboard_ || scoreboard_->empty()) retransmit_owed_ = true;  // RFC 6582 3.2 step 3
    // One of those was the segment sent again; the others had been told of by duplicates.
    const std::uint32_t told = std::max(acked / mss, 1u) - 1;
    c.duplicates = static_cast<std::uint8_t>(c.duplicates > told ? c.duplicates - told : 0);
    return pend();
  }
  c.duplicates = 0;
  if (c.phase == Phase::recovery) {
    c.phase = Phase::open;
    const auto flight = static_cast<std::uint32_t>(snd_.nxt - snd_.una);
    c.cwnd = std::min(c.ssthresh, std::max(flight, mss) + mss);  // RFC 6582: no burst
  } else {
    if (c.is_limited) c.grow(acked, mss);
    if (c.phase == Phase::loss && snd_.una >= c.recover) c.phase = Phase::open;
  }
  c.is_limited = false;
  if (options_.send_buffer != 0 || shared_.memory_is_low) return;
  // Two windows fit: one in the network, one that the program writes meanwhile.
  const std::uint32_t wanted =
      std::min(3 * std::min(c.cwnd, 1u << 29), shared_.config.send_buffer_max);
  send_limit_ = std::max(send_limit_, wanted);
}

// Returns how many octets the blocks told of that we did not know to have arrived. Blocks that are
// empty, turned round, or outside what is in flight are not believed (RFC 2018 hardening); one
// below SEG.ACK reports a duplicate (RFC 2883).
std::uint32_t Connection::note_sack(const Segment& seg) {
  if (!sack_ok_) return 0;
  const auto in_flight = static_cast<std::uint32_t>(snd_.max - seg.ack);
  std::uint32_t sacked = 0;
  for (unsigned i = 0; i < seg.options.sack_count; ++i) {
    const SackBlock& block = seg.options.sack[i];
    // As distances from SEG.ACK: on the circle, left < right =< max does not imply left < max.
    const auto left = static_cast<std::uint32_t>(block.left - seg.ack);
    const auto right = static_cast<std::uint32_t>(block.right - seg.ack);
    if (left == 0 || left >= right || right > in_flight) continue;
    if (!scoreboard_) scoreboard_ = shared_.scoreboards.create();
    if (!scoreboard_) return sacked;
    sacked += scoreboard_->add(block);
  }
  return sacked;
}

// RFC 5681 2's definition; with SACK, an ACK that tells of something new (RFC 6675 2).
void Connection::note_duplicate_ack(const Segment& seg, std::uint32_t sacked, bool window_moved) {
  if (snd_.una == snd_.max || persist_) return;
  const bool by_sack = scoreboard_ && !scoreboard_->empty();
  if (by_sack ? sacked == 0 : seg.len() != 0 || window_moved) return;
  Congestion& c = congestion_;
  if (c.duplicates != 255) ++c.duplicates;
  pend();
  if (c.phase != Phase::open) return;
  const bool enough = c.duplicates >= Scoreboard::kDupThresh;
  if (by_sack ? enough || scoreboard_->lost_edge(snd_.una, snd_mss_) != snd_.una
              : enough && snd_.una > c.recover) {  // RFC 6582 3.2 step 2
    if (mtu_probe_ == 0 || !is_probe_missing()) enter_recovery();
  }
}

void Connection::enter_recovery() {
  Congestion& c = congestion_;
  // RFC 5681 3.2: what limited transmit sent beyond cwnd does not count.
  const auto flight = std::min(static_cast<std::uint32_t>(snd_.nxt - snd_.una), c.cwnd);
  c.halve(flight, snd_mss_);
  c.cwnd = c.ssthresh;
  c.recover = snd_.max;
  c.high_rxt = snd_.una;
  c.phase = Phase::recovery;
  ecn_.reduced(snd_.max);
  retransmit_owed_ = true;
  rescued_ = false;
  pend();
}

// RFC 3168 6.1.2: as for a loss, but nothing has to be sent again. Once for a window of text, be it
// marks or losses.
void Connection::note_echo() {
  if (congestion_.phase != Phase::open || !ecn_.may_reduce() || persist_) return;
  congestion_.on_echo(snd_mss_);
  ecn_.reduced(snd_.max);
  ++shared_.counters.tcp_ecn_reductions;
}

// RFC 9293 3.10.7.4. SND.WL2 =< SEG.ACK holds always: it was SND.UNA once. Deviation: a segment
// that acknowledges something new is new whatever its SEQ, as Linux has it; a retransmission would
// leave the old window standing at a later place. True if the window changed. It may shrink: what
// lies behind it waits (MUST-34, SHLD-15).
bool Connection::update_send_window(const Segment& seg, bool is_new, Instant now) {
  if (!is_new && snd_.wl1 > seg.seq) return false;
  const std::uint32_t wnd = seg.wnd << snd_scale_;
  const bool has_moved = wnd != snd_.wnd;
  snd_.wl1 = seg.seq;
  snd_.wnd = wnd;
  snd_.max_wnd = std::max(snd_.max_wnd, wnd);
  if (persist_ && wnd != 0) {
    // It opens: what the probe carried goes again, in a segment of proper size.
    persist_ = probe_owed_ = false;
    rtt_.end_back_off();
    retries_ = 0;
    retransmit_at_ = Instant::never();
    if (snd_.una != snd_.max) arm_retransmission(now);
    snd_.nxt = snd_.una;
    pend();
  }
  return has_moved;
}

// True if the connection is over with it.
bool Connection::fin_acknowledged(Instant now) {
  if (!fin_queued_ || snd_.una != text_end() + 1) return false;
  if (in(State::FIN_WAIT_1)) {
    enter(State::FIN_WAIT_2);
    raise(Event::state_change);  // 17.6
    if (is_orphan_) arm_fin_wait_2(now);
    return in(State::CLOSED);
  }
  if (!in(State::CLOSING | State::LAST_ACK)) return false;
  enter(in(State::CLOSING) ? State::TIME_WAIT : State::CLOSED);
  raise(Event::state_change);  // 17.7
  return true;
}

void Connection::release_scoreboard() {
  if (scoreboard_) shared_.scoreboards.destroy(std::exchange(scoreboard_, nullptr));
}

// Octets thought to be in the network. RFC 6675's pipe; without SACK every duplicate ACK tells of a
// segment that has left (RFC 6582, RFC 3042), but of no more than had been sent: who repeats ACKs
// gains nothing.
std::uint32_t Connection::pipe() const {
  const auto flight = static_cast<std::uint32_t>(snd_.nxt - snd_.una);
  if (scoreboard_ && !scoreboard_->empty()) {
    if (congestion_.phase != Phase::recovery) return flight - scoreboard_->octets_up_to(snd_.nxt);
    return scoreboard_->pipe({snd_.una, snd_.nxt, congestion_.high_rxt}, snd_mss_);
  }
  if (congestion_.phase == Phase::loss) return flight;
  const std::uint32_t told = std::uint32_t{congestion_.duplicates} * snd_mss_;
  const bool recovers = congestion_.phase == Phase::recovery;
  const auto most = recovers ? static_cast<std::uint32_t>(congestion_.recover - snd_.una) : flight;
  return flight - std::min({told, most, flight});
}

std::uint32_t Connection::congestion_room() const {
  const std::uint32_t in_network = pipe();
  return congestion_.cwnd > in_network ? congestion_.cwnd - in_network : 0;
}

}  // namespace pollux::tcp
