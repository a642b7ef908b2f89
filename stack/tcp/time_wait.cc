// time_wait.cc - what TIME-WAIT answers, and the list of all who wait, oldest first.
#include "stack/tcp/time_wait.h"

namespace pollux::tcp {

namespace {

// RFC 6191 2, on the safe side: without timestamps on both sides the sequence number alone decides.
bool is_new_connection(const TimeWaitState& state, const Segment& seg) {
  if (!seg.ctl.has(SYN) || seg.ctl.has(ACK)) return false;
  if (state.has_timestamps && seg.options.has_timestamps) {
    const auto age = static_cast<std::int32_t>(seg.options.ts_val - state.ts_recent);
    if (age != 0) return age > 0;
  }
  return seg.seq > state.rcv_nxt;
}

// PAWS, RFC 7323 5.3 R1.
bool is_too_old(const TimeWaitState& state, const Segment& seg) {
  if (!state.has_timestamps || !seg.options.has_timestamps) return false;
  return static_cast<std::int32_t>(seg.options.ts_val - state.ts_recent) < 0;
}

// 5961-5.2. Deviation: with the largest window that anybody can have for MAX.SND.WND, which the
// block does not keep.
bool has_possible_ack(const TimeWaitState& state, const Segment& seg) {
  constexpr std::uint32_t kMostWindow = 65535u << 14;
  return !seg.ctl.has(ACK) || static_cast<std::uint32_t>(state.snd_nxt - seg.ack) <= kMostWindow;
}

}  // namespace

TimeWaitVerdict segment_arrives(const TimeWait& time_wait, const Segment& seg, Instant now) {
  const TimeWaitState& state = time_wait.state;
  if (seg.ctl.has(RST)) return TimeWaitVerdict::ignore;
  if (is_new_connection(state, seg)) return TimeWaitVerdict::reopen;
  const bool ends_where_we_are = seg.seq + seg.len() == state.rcv_nxt && !is_too_old(state, seg);
  if (seg.ctl.has(FIN) && ends_where_we_are) return TimeWaitVerdict::restart;  // MUST-13
  const bool is_in_order = seg.len() == 0 && ends_where_we_are;                // a SYN has a length
  if (is_in_order && has_possible_ack(state, seg)) return TimeWaitVerdict::ignore;  // all is well
  if (now < time_wait.next_ack_at) return TimeWaitVerdict::ignore;                  // RFC 5961 7
  return TimeWaitVerdict::acknowledge;
}

Segment acknowledgement(const TimeWait& time_wait, Instant now) {
  const TimeWaitState& state = time_wait.state;
  Segment ack;
  ack.seq = state.snd_nxt;
  ack.ack = state.rcv_nxt;
  ack.wnd = state.rcv_wnd;
  ack.ctl = ACK;
  if (state.has_timestamps) {
    ack.options.has_timestamps = true;
    ack.options.ts_val = static_cast<std::uint32_t>(now.to_ns() / 1'000'000) + state.ts_offset;
    ack.options.ts_ecr = state.ts_recent;
  }
  return ack;
}

SeqNum sequence_number_after(const TimeWait& time_wait) {
  return time_wait.state.snd_nxt + 65536 + 1;  // beyond any window that was not scaled
}

TimeWaits::~TimeWaits() {
  while (TimeWait* time_wait = oldest()) destroy(*time_wait);
}

TimeWait* TimeWaits::create(const FourTuple& tuple, const TimeWaitState& state, Instant expires) {
  TimeWait* time_wait = pool_.create();
  if (!time_wait) return nullptr;
  time_wait->tuple = tuple;
  time_wait->state = state;
  time_wait->expires = expires;
  list_.push_back(*time_wait);
  return time_wait;
}

void TimeWaits::restart(TimeWait& time_wait, Instant expires) {
  list_.erase(list_.iterator_to(time_wait));
  time_wait.expires = expires;
  list_.push_back(time_wait);
}

void TimeWaits::destroy(TimeWait& time_wait) {
  list_.erase(list_.iterator_to(time_wait));
  pool_.destroy(&time_wait);
}

}  // namespace pollux::tcp
