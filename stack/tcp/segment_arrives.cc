// segment_arrives.cc - SEGMENT ARRIVES: the checks, in the RFC's order.
// RFC 9293 3.10.7.4; RFC 5961 3 to 5; RFC 7323 5; RFC 6093. SYN-SENT is in segment_arrives_syn.cc.
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr StateSet kMayReceiveText = State::ESTABLISHED | State::FIN_WAIT_1 | State::FIN_WAIT_2;
constexpr std::uint32_t kChallengeIntervalMs = 500;        // as Linux, tcp_invalid_ratelimit
constexpr std::uint32_t kTimestampLifeS = 24 * 24 * 3600;  // RFC 7323 5.5
}  // namespace

void Connection::segment_arrives(Segment&& seg, Instant now) {
  if (in(State::CLOSED | State::LISTEN)) return;
  if (in(State::SYN_SENT)) {
    segment_arrives_syn_sent(seg, now);          // 3.10.7.3
  } else if (!predict_header(seg, now) &&        //
             check_timestamp(seg, now) &&        // RFC 7323 5.3: before the first
             check_sequence_number(seg, now) &&  // first
             check_rst(seg, now) &&              // second; third, security: obsolete
             check_syn(seg, now)) {              // fourth
    note_timestamp(seg, now);
    trim(seg);
    if (check_ack(seg, now)) {  // fifth
      note_marks(seg);
      process_urg(seg);        // sixth
      process_text(seg, now);  // seventh
      process_fin(seg, now);   // eighth
      more_ = false;           // it holds until the next segment; Linux: tcp_data_snd_check()
    }
  }
  const bool has_more = snd_.nxt != snd_.max || unsent_octets() != 0 || mtu_probe_ != 0;
  if (ack_.is_due() || has_more) pend();
  DCHECK(invariants_hold());
}

// Van Jacobson's header prediction. Nothing but the expected happens to an established connection
// that has neither holes nor urgent text: either the next text arrives and acknowledges nothing
// new, or what we sent is acknowledged, with or without an answer. All else takes the long way.
bool Connection::predict_header(Segment& seg, Instant now) {
  if (!in(State::ESTABLISHED) || seg.seq != rcv_.nxt || reassembly_ || scoreboard_) return false;
  if ((seg.ctl.bits() & ~PSH) != ACK || urgent_ != Urgent::none) return false;
  if (seg.text_length > rcv_.wnd || seg.ack < snd_.una || seg.ack > snd_.max) return false;
  if ((seg.wnd << snd_scale_) != snd_.wnd || congestion_.phase != Phase::open) return false;
  if (timestamps_ok_) {
    const bool is_newer = static_cast<std::int32_t>(seg.options.ts_val - ts_recent_) >= 0;
    if (!seg.options.has_timestamps || !is_newer) return false;
  }
  if (!ecn_.is_known(seg.ecn)) return false;
  if (seg.options.sack_count != 0 || (seg.ack == snd_.una && seg.text_length == 0)) return false;
  note_timestamp(seg, now);
  last_receive_ms_ = milliseconds(now);
  probes_ = soft_error_ = 0;
  if (seg.ack != snd_.una) acknowledge(seg, now);
  snd_.wl1 = seg.seq;
  if (seg.text_length != 0) process_text(seg, now);
  more_ = false;
  return true;
}

// RFC 7323 5.3: PAWS. A segment without the option passes: Linux and FreeBSD accept it (3.2,
// 7323-3.2b), old peers send such.
bool Connection::check_timestamp(const Segment& seg, Instant now) {
  if (!timestamps_ok_ || !seg.options.has_timestamps || seg.ctl.has(RST)) return true;
  if (static_cast<std::int32_t>(seg.options.ts_val - ts_recent_) >= 0) return true;
  if (milliseconds(now) / 1000 - ts_recent_s_ > kTimestampLifeS) return true;
  refuse(seg, now);
  return false;
}

// An unacceptable segment: an ACK, for text at once, otherwise at a bounded rate, so that two
// endpoints that disagree do not answer each other for ever.
void Connection::refuse(const Segment& seg, Instant now) {
  if (seg.ctl.has(RST)) return;
  if (seg.len() != 0 && !seg.ctl.has(SYN)) {
    ack_.owe_now();
    challenge_ms_ = milliseconds(now);  // it says all that a challenge would (RFC 5961 10)
  } else {
    challenge_ack(now);
  }
}

// RFC 5961 7; per connection, so that nobody can read another's count (CVE-2016-5696).
void Connection::challenge_ack(Instant now) {
  if (milliseconds(now) - challenge_ms_ < kChallengeIntervalMs) return;
  challenge_ms_ = milliseconds(now);
  ++shared_.counters.tcp_challenge_acks;
  ack_.owe_now();
}

// The four cases of the table in 3.10.7.4. Deviations, both as on Linux: an empty segment at the
// right edge passes (a peer that has filled our window and lost something sends its ACKs from
// there), and so does one that begins before the window and ends behind it.
bool Connection::check_sequence_number(Segment& seg, Instant now) {
  // With RST it repeats nothing: it lies before the window and is dropped there (5961-3.2a).
  const bool is_bare_syn = seg.ctl.has(SYN) && !seg.ctl.has(RST);
  if (in(State::SYN_RECEIVED) && is_bare_syn && seg.seq == irs_) strip_repeated_syn(seg);
  const SeqNum end = seg.seq + seg.len();
  const SeqNum right = rcv_.nxt + rcv_.wnd;
  const bool begins_inside = rcv_.nxt <= seg.seq && seg.seq < right;
  if (seg.len() == 0) {
    if (begins_inside || (rcv_.nxt <= seg.seq && seg.seq == right)) return true;
  } else if (rcv_.wnd == 0) {
    if (seg.seq == rcv_.nxt)
      return true;  // MUST-66: its ACK, URG and RST count; trim drops the text
  } else if (seg.seq < right && rcv_.nxt < end) {
    return true;
  }
  if (seg.text_length != 0 && end <= rcv_.nxt) note_duplicate(seg.seq, end);
  refuse(seg, now);
  return false;
}

// RFC 5961 3.2: only a RST at RCV.NXT resets (SHLD-2: with or without text), one inside the window
// is challenged. One before or at its end is neither, though its text may have passed: 5961-3.2b.
bool Connection::check_rst(const Segment& seg, Instant now) {
  if (!seg.ctl.has(RST)) return true;
  if (seg.seq != rcv_.nxt) {
    if (rcv_.nxt < seg.seq && seg.seq < rcv_.nxt + rcv_.wnd) challenge_ack(now);
    return false;
  }
  if (in(State::TIME_WAIT)) return false;  // RFC 1337: fix F1
  if (in(State::SYN_RECEIVED)) {           // MUST-11
    if (is_passive_ && is_opening()) {
      enter(State::CLOSED);
      raise(Event::state_change);
    } else {
      fail(is_passive_ ? Errno::connection_reset : Errno::connection_refused);
    }
    return false;
  }
  fail(in(State::CLOSE_WAIT) ? Errno::pipe : Errno::connection_reset);  // 16.24
  return false;
}

// RFC 5961 4.2: a SYN never resets, wherever it stands. Deviation: nor does it send a passive
// SYN-RECEIVED back to LISTEN (RFC 9293 3.10.7.4, fourth); who has to guess gains nothing there.
bool Connection::check_syn(const Segment& seg, Instant now) {
  if (!seg.ctl.has(SYN)) return true;
  challenge_ack(now);
  return false;
}

// "Tailored" to the window: what we have is cut off in front, what we have no room for behind.
void Connection::trim(Segment& seg) {
  if (seg.seq < rcv_.nxt) {
    const auto old = static_cast<std::uint32_t>(rcv_.nxt - seg.seq);
    note_duplicate(seg.seq, rcv_.nxt);
    seg.text.remove_prefix(old);
    seg.text_length -= old;
    if (seg.up <= old) seg.ctl = Control(static_cast<std::uint8_t>(seg.ctl.bits() & ~URG));
    seg.up = static_cast<std::uint16_t>(seg.up > old ? seg.up - old : 0);
    seg.seq = rcv_.nxt;
    ack_.owe_now();
  }
  const SeqNum right = rcv_.nxt + rcv_.wnd;
  if (seg.seq + seg.len() <= right) return;
  const std::int32_t room = right - seg.seq;
  const std::uint32_t kept = std::min(seg.text_length, static_cast<std::uint32_t>(room));
  seg.text.truncate(kept);
  seg.text_length = kept;
  seg.ctl = Control(static_cast<std::uint8_t>(seg.ctl.bits() & ~FIN & ~PSH));
  ack_.owe_now();
}

// RFC 7323 4.3: what the next ACK will answer, and no older one.
void Connection::note_timestamp(const Segment& seg, Instant now) {
  if (!timestamps_ok_ || !seg.options.has_timestamps || seg.seq > rcv_.acked) return;
  ts_recent_ = seg.options.ts_val;
  ts_recent_s_ = milliseconds(now) / 1000;
}

// RFC 3168 6.1.3; of what lies outside the window nobody gets here (6.1.5).
void Connection::note_marks(const Segment& seg) {
  if (ecn_.arrived(seg)) ack_.owe_now();
  if (ecn_.is_agreed() && seg.ecn == Ecn::kCe) ++shared_.counters.tcp_marked_in;
}

bool Connection::check_ack(const Segment& seg, Instant now) {
  if (!seg.ctl.has(ACK)) return false;
  if (in(State::SYN_RECEIVED)) {
    if (seg.ack <= snd_.una || seg.ack > snd_.max) {
      ack_.stop();  // the RST is the answer, also to what trim() found
      owe_reset(seg.ack, false);
      return false;
    }
    establish(seg, now);
  }
  // RFC 5961 5.2, MAY-12.
  const std::int32_t age = snd_.una - seg.ack;
  if (seg.ack > snd_.max || (age > 0 && static_cast<std::uint32_t>(age) > snd_.max_wnd)) {
    challenge_ack(now);
    return false;
  }
  last_receive_ms_ = milliseconds(now);
  probes_ = soft_error_ = 0;
  if (age > 0) return true;  // an old one: its text may still be wanted
  const std::uint32_t sacked = note_sack(seg);
  const bool is_new = age < 0;
  const bool is_echo = ecn_.is_echo(seg.ctl);
  if (is_echo) congestion_.is_limited = false;  // RFC 3168 6.1.2: it does not grow
  if (is_new) acknowledge(seg, now);
  const bool window_moved = update_send_window(seg, is_new, now);
  if (!is_new) note_duplicate_ack(seg, sacked, window_moved);
  if (is_new && sacked != 0) note_duplicate_ack(seg, sacked, true);
  if (is_echo) note_echo();
  return !is_new || !fin_acknowledged(now);
}

// MUST-30 to MUST-32; RFC 6093 3.1; Linux: tcp_check_urg(), tcp_urg(). The pointer is that of the
// octet behind.
void Connection::process_urg(const Segment& seg) {
  if (!in(kMayReceiveText)) return;
  if (seg.ctl.has(URG) && seg.up != 0) {
    const SeqNum octet = seg.seq + (seg.up - 1u);
    const bool is_news = urgent_ == Urgent::none || octet > rcv_.up;
    if (octet >= unread_seq() && octet >= rcv_.nxt && is_news) {
      if (is_at_mark() && !options_.oob_inline && receive_.octets() != 0) {
        receive_.consume(1);  // 16.66: the older one, next to be read, is dropped
      }
      rcv_.up = octet;
      urgent_ = Urgent::expected;
    }
  }
  if (urgent_ != Urgent::expected) return;
  const std::int32_t offset = rcv_.up - seg.seq;
  if (offset < 0 || static_cast<std::uint32_t>(offset) >= seg.text_length) return;
  urgent_octet_ = static_cast<std::uint8_t>(seg.text.at(static_cast<std::uint32_t>(offset)));
  urgent_ = Urgent::valid;
  raise(Event::readable);  // 17.2
}

void Connection::process_text(Segment& seg, Instant now) {
  if (seg.text_length == 0) return;
  if (!in(kMayReceiveText)) return;
  // SHLD-3; Linux: RFC 1122 4.2.2.13, also after shutdown(SHUT_RDWR).
  if (receive_shutdown_ && in(State::FIN_WAIT_1 | State::FIN_WAIT_2)) {
    const SeqNum seq = reset_seq();
    fail(Errno::connection_reset);
    owe_reset(seq, true);
    return;
  }
  // A segment unread is no hoard: its neighbour may have come in the same burst.
  const bool would_hoard = receive_.octets() >= advertised_mss() || seg.seq != rcv_.nxt;
  if (shared_.memory_is_exhausted || (shared_.memory_is_scarce && would_hoard)) {
    return drop_for_memory(seg);
  }
  if (seg.seq != rcv_.nxt) return keep_out_of_order(seg);
  take_in_order(seg, now);
}

void Connection::process_fin(const Segment& seg, Instant now) {
  if (in(State::TIME_WAIT)) {
    if (seg.ctl.has(FIN)) ack_.owe_now();
    return;
  }
  if (!in(kMayReceiveText)) return;
  const bool is_here = seg.ctl.has(FIN) && seg.seq + seg.text_length == rcv_.nxt;
  if (seg.ctl.has(FIN) && !is_here) return keep_fin(seg.seq + seg.text_length);
  const bool was_kept = reassembly_ && reassembly_->has_fin && reassembly_->fin == rcv_.nxt;
  if (!is_here && !was_kept) return;
  rcv_.nxt += 1;
  rcv_.wnd -= rcv_.wnd != 0 ? 1 : 0;
  ack_.replace_duplicates();
  ack_.owe_now();
  fin_taken_ = receive_shutdown_ = true;
  release_reassembly(true);
  raise(Event::state_change | Event::readable);  // 17.3
  if (in(State::ESTABLISHED)) {
    enter(State::CLOSE_WAIT);
  } else if (in(State::FIN_WAIT_1)) {
    enter(State::CLOSING);  // had our FIN been acknowledged, this would be FIN-WAIT-2
  } else {
    enter(State::TIME_WAIT);
  }
  static_cast<void>(now);
}

}  // namespace pollux::tcp
