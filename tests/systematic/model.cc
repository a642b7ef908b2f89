// model.cc - RFC 9293 3.10.7 in its order, with RFC 5961 3 to 5 and RFC 7323 5, for one segment.
// Where it is laxer or stricter than the letter, the stack says so under Deviation; so does this.
#include "tests/systematic/model.h"

#include <algorithm>

namespace pollux::systematic {
namespace {

bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
bool before_or_at(std::uint32_t a, std::uint32_t b) { return !before(b, a); }
std::uint32_t later_of(std::uint32_t a, std::uint32_t b) { return before(a, b) ? b : a; }

}  // namespace

// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
Verdict Model::ack_now() const { return {Answer::ack, acceptable_seq(), rcv_nxt}; }

// SND.NXT, or the edge of a window that the peer has drawn back: beyond it the peer would not
// listen. Linux: tcp_acceptable_seq().
std::uint32_t Model::acceptable_seq() const {
  const std::uint32_t edge = una + wnd;
  return before_or_at(nxt, edge) ? nxt : later_of(edge, una);
}

Verdict Model::arrives(const Octets& packet) {
  const std::optional<Heard> heard = hear_packet(packet);
  if (!heard) return {};  // MUST-3, MUST-7
  const bool is_ours = heard->source == kThem && heard->source_port == their_port &&
                       heard->destination_port == our_port;
  if (!is_ours) return stranger(*heard);
  switch (state) {
    case State::CLOSED:
      return closed(*heard);
    case State::LISTEN:
      return listen(*heard);
    case State::SYN_SENT:
      return syn_sent(*heard);
    case State::TIME_WAIT:
      return time_wait(*heard);
    default:
      return synchronized(*heard);
  }
}

// Of no connection that this model is about.
Verdict Model::stranger(const Heard& heard) const {
  if (!is_listening || heard.destination_port != our_port) return closed(heard);
  Model other;
  other.state = State::LISTEN;
  return other.listen(heard);
}

// 3.10.7.1
Verdict Model::closed(const Heard& heard) const {
  if (heard.has(kRst)) return {};
  if (heard.has(kAck)) return {Answer::reset, heard.ack, 0};
  return {Answer::reset_ack, 0, heard.seq + heard.len()};
}

// 3.10.7.2
Verdict Model::listen(const Heard& heard) {
  if (heard.has(kRst)) return {};
  if (heard.has(kAck)) return {Answer::reset, heard.ack, 0};
  if (!heard.has(kSyn) || heard.has(kFin)) return {};  // Deviation: the latter would open
  iss = 0;                                             // to be heard
  return open_from(heard);
}

// Text and FIN that come with a SYN are not taken; not acknowledged, they come again. Deviation:
// 3.10.7.2 and 3.10.7.3 would keep them.
Verdict Model::open_from(const Heard& syn) {
  state = State::SYN_RECEIVED;
  irs = syn.seq;
  rcv_nxt = right = last_ack_sent = irs + 1;
  wl1 = irs;
  wnd = max_wnd = syn.window;  // never scaled in a SYN
  has_timestamps = syn.options.timestamps.has_value();
  if (has_timestamps) ts_recent = syn.options.timestamps->first;
  has_sack = syn.options.sack_permitted;
  if (!syn.options.window_scale) our_scale = 0;
  their_scale = std::min<unsigned>(syn.options.window_scale.value_or(0), 14);
  return {Answer::syn_ack, iss, rcv_nxt};
}

// 3.10.7.3; RFC 5961 3.2 for RST.
Verdict Model::syn_sent(const Heard& heard) {
  const bool is_acked = heard.has(kAck) && before(iss, heard.ack) && before_or_at(heard.ack, nxt);
  if (heard.has(kAck) && !is_acked) {
    if (heard.has(kRst)) return {};
    return {Answer::reset, heard.ack, 0};
  }
  if (heard.has(kRst)) {
    if (is_acked) ends();
    return {};
  }
  if (!heard.has(kSyn)) return {};
  const Verdict answer = open_from(heard);
  if (!is_acked) return answer;  // simultaneous open
  state = State::ESTABLISHED;
  una = heard.ack;
  return ack_now();
}

// RFC 1337 F1: no RST. RFC 6191 and MAY-2: a SYN that cannot be an old one opens anew. Else the
// only thing that has a meaning is the peer's FIN once more (MUST-13).
Verdict Model::time_wait(const Heard& heard) {
  if (heard.has(kRst)) return {};
  if (heard.has(kSyn) && !heard.has(kAck) && is_listening) {
    bool is_new = before(rcv_nxt, heard.seq);
    if (has_timestamps && heard.options.timestamps) {
      const std::uint32_t value = heard.options.timestamps->first;
      if (value != ts_recent) is_new = !before(value, ts_recent);
    }
    if (is_new) return listen(heard);
  }
  if (is_too_old(heard) || heard.has(kSyn)) return ack_now();
  if (heard.has(kFin) && heard.seq + heard.len() == rcv_nxt) return ack_now();
  if (!is_acceptable(heard)) return ack_now();
  // 5961-5.2. Deviation: with the largest window there is, for what is left of a connection.
  if (heard.has(kAck) && nxt - heard.ack > 65535u << 14) return ack_now();
  const bool is_in_order = heard.len() == 0 && heard.seq == rcv_nxt;
  if (is_in_order) return {};
  return {Answer::may_ack, nxt, rcv_nxt};
}

// PAWS, RFC 7323 5.3 R1.
bool Model::is_too_old(const Heard& heard) const {
  return has_timestamps && heard.options.timestamps && !heard.has(kRst) &&
         before(heard.options.timestamps->first, ts_recent);
}

// The four cases of 3.10.7.4. Deviations, as on Linux: an empty segment at the right edge passes,
// and so does one that begins before the window and ends behind it; in a closed window what begins
// at RCV.NXT passes, for its ACK and URG count (MUST-66) though nothing else of it does.
bool Model::is_acceptable(const Heard& heard) const {
  const std::uint32_t end = heard.seq + heard.len();
  const bool is_inside = before_or_at(rcv_nxt, heard.seq) && before(heard.seq, right);
  if (heard.len() == 0) return is_inside || heard.seq == right;
  if (window() == 0) return heard.seq == rcv_nxt;
  const bool ends_inside = before(rcv_nxt, end) && before_or_at(end, right);
  const bool spans = before_or_at(heard.seq, rcv_nxt) && before(right, end);
  return is_inside || ends_inside || spans;
}

// 3.10.7.4
Verdict Model::synchronized(Heard heard) {
  if (is_too_old(heard)) return ack_now();
  const bool repeats_syn = heard.has(kSyn) && !heard.has(kRst) && heard.seq == irs;
  if (state == State::SYN_RECEIVED && repeats_syn) {
    // Ours was lost, or this is figure 8's SYN,ACK of a simultaneous open, whose SYN we know.
    // Deviation, as on Linux: the first gets our SYN,ACK again instead of an ACK.
    heard.flags = static_cast<std::uint8_t>(heard.flags & ~kSyn);
    heard.seq += 1;
    heard.window = static_cast<std::uint16_t>(heard.window >> their_scale);
    const Verdict verdict = accepted(heard);
    return heard.has(kAck) ? verdict : Verdict{Answer::syn_ack, iss, rcv_nxt};
  }
  if (!is_acceptable(heard)) return heard.has(kRst) ? Verdict{} : ack_now();
  if (heard.has(kRst)) return check_rst(heard);
  if (heard.has(kSyn)) return ack_now();  // RFC 5961 4.2; Deviation: in SYN-RECEIVED too
  return accepted(heard);
}

// RFC 5961 3.2
Verdict Model::check_rst(const Heard& heard) {
  if (heard.seq == rcv_nxt) {
    ends();
    return {};
  }
  const bool is_inside = before(rcv_nxt, heard.seq) && before(heard.seq, right);
  return is_inside ? ack_now() : Verdict{};
}

Verdict Model::accepted(const Heard& heard) {
  if (has_timestamps && heard.options.timestamps && before_or_at(heard.seq, last_ack_sent)) {
    ts_recent = heard.options.timestamps->first;  // RFC 7323 4.3
  }
  const bool has_old = before(heard.seq, rcv_nxt);
  const bool goes_beyond = before(right, heard.seq + heard.len());
  Verdict verdict;
  if (has_old || goes_beyond) verdict.answer = Answer::ack;
  if (!heard.has(kAck)) {
    if (verdict.answer == Answer::ack) verdict = {Answer::may_ack, acceptable_seq(), rcv_nxt};
    return verdict;
  }
  if (check_ack(heard, verdict)) verdict = text_and_fin(heard, verdict);
  if (verdict.answer == Answer::ack || verdict.answer == Answer::may_ack) {
    verdict.seq = acceptable_seq();
    verdict.ack = rcv_nxt;
  }
  return verdict;
}

// Fifth; RFC 5961 5.2. False: nothing else of the segment counts.
bool Model::check_ack(const Heard& heard, Verdict& verdict) {
  if (state == State::SYN_RECEIVED) {
    if (!before(una, heard.ack) || before(nxt, heard.ack)) {
      verdict = {Answer::reset, heard.ack, 0};
      return false;
    }
    state = State::ESTABLISHED;
    wnd = std::uint32_t{heard.window} << their_scale;
  }
  if (before(nxt, heard.ack) || before(heard.ack, una - max_wnd)) {
    verdict.answer = Answer::ack;
    return false;
  }
  if (before(heard.ack, una)) return true;
  const bool is_new = heard.ack != una;
  una = heard.ack;
  const std::uint32_t seq = later_of(heard.seq, rcv_nxt);
  if (is_new || before_or_at(wl1, seq)) {
    wnd = std::uint32_t{heard.window} << their_scale;
    max_wnd = std::max(max_wnd, wnd);
    wl1 = seq;
  }
  if (!is_new || !is_finished || una != nxt) return true;
  if (state == State::FIN_WAIT_1) state = State::FIN_WAIT_2;
  if (state != State::CLOSING && state != State::LAST_ACK) return true;
  if (state == State::LAST_ACK) {
    ends();
    verdict = {};
    return false;
  }
  state = State::TIME_WAIT;
  return false;
}

// Seventh and eighth. What lies outside the window is cut off.
Verdict Model::text_and_fin(const Heard& heard, Verdict verdict) {
  const bool takes_text =
      state == State::ESTABLISHED || state == State::FIN_WAIT_1 || state == State::FIN_WAIT_2;
  if (!takes_text) return verdict;
  const bool goes_beyond = before(right, heard.seq + heard.len());
  const std::uint32_t text_end = heard.seq + heard.text_length();
  const std::uint32_t begin = later_of(heard.seq, rcv_nxt);
  const std::uint32_t end = goes_beyond && before(right, text_end) ? right : text_end;
  if (before(begin, end)) {
    if (is_orphan) {  // SHLD-3: text that nobody will read
      const Verdict reset{Answer::reset_ack, acceptable_seq(), rcv_nxt};
      ends();
      return reset;
    }
    const auto at = heard.text.begin() + static_cast<std::ptrdiff_t>(begin - heard.seq);
    take(begin, Octets(at, at + static_cast<std::ptrdiff_t>(end - begin)), verdict);
  }
  if (heard.has(kFin) && !goes_beyond) {
    verdict.answer = Answer::ack;
    if (text_end != rcv_nxt) held_fin = text_end;
    if (text_end == rcv_nxt) take_fin();
  }
  if (takes_text && held_fin == rcv_nxt) {
    verdict.answer = Answer::ack;
    take_fin();
  }
  return verdict;
}

void Model::take(std::uint32_t begin, Octets text, Verdict& verdict) {
  if (begin != rcv_nxt) {
    held.emplace_back(begin, std::move(text));
    verdict.answer = Answer::ack;
    return;
  }
  if (verdict.answer == Answer::nothing) verdict.answer = Answer::may_ack;
  if (!held.empty()) verdict.answer = Answer::ack;  // RFC 5681 4.2
  held.emplace_back(begin, std::move(text));
  std::stable_sort(held.begin(), held.end(),
                   [](const auto& a, const auto& b) { return before(a.first, b.first); });
  for (const auto& [left, octets] : held) {
    const std::uint32_t known = rcv_nxt - left;
    if (before(rcv_nxt, left) || known >= octets.size()) continue;
    unread.insert(unread.end(), octets.begin() + static_cast<std::ptrdiff_t>(known), octets.end());
    rcv_nxt = left + static_cast<std::uint32_t>(octets.size());
  }
  std::erase_if(held, [this](const auto& one) { return before_or_at(one.first, rcv_nxt); });
}

void Model::take_fin() {
  rcv_nxt += 1;
  right = later_of(right, rcv_nxt);
  held_fin.reset();
  held.clear();
  if (state == State::ESTABLISHED) {
    state = State::CLOSE_WAIT;
  } else {
    state = state == State::FIN_WAIT_1 ? State::CLOSING : State::TIME_WAIT;
  }
}

void Model::program_closes(bool lets_go) {
  is_orphan = lets_go;
  is_finished = true;
  nxt += 1;
  state = state == State::ESTABLISHED ? State::FIN_WAIT_1 : State::LAST_ACK;
}

void Model::says(const Heard& segment) {
  if (segment.has(kSyn)) {
    iss = una = segment.seq;
    nxt = iss + 1;
  }
  const unsigned scale = segment.has(kSyn) ? 0 : our_scale;  // RFC 7323 2.2
  if (segment.has(kSyn)) our_scale = segment.options.window_scale.value_or(0);
  if (!segment.has(kAck) || segment.has(kRst)) return;
  right = later_of(right, segment.ack + (std::uint32_t{segment.window} << scale));
  last_ack_sent = segment.ack;
}

}  // namespace pollux::systematic
