// timeouts.cc - what happens when nothing happens: retransmission, probes, giving up.
// RFC 9293 3.8.3, 3.8.4, 3.8.6.1, 3.10.8; RFC 6298 5; RFC 5927 (ICMP errors).
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr StateSet kKeptAlive = State::ESTABLISHED | State::CLOSE_WAIT | State::FIN_WAIT_1 |
                                State::FIN_WAIT_2 | State::CLOSING | State::LAST_ACK;
constexpr std::uint32_t kCrowdedRetries = 2;
}  // namespace

Instant Connection::next_timeout() const {
  return earlier(earlier(retransmit_at_, idle_at_), ack_.deadline());
}

// May be called early; then nothing is due.
void Connection::timeout(Instant now) {
  if (ack_.deadline() <= now) {
    ack_.timeout(now, shared_.config);
    pend();
  }
  if (retransmit_at_ <= now) {
    retransmit_at_ = Instant::never();
    if (in(kSynchronizing)) {
      syn_timeout(now);
    } else if (waits_for_memory()) {
      memory_timeout(now);
    } else if (persist_ || (snd_.wnd == 0 && snd_.una != snd_.max)) {
      persist_timeout(now);
    } else {
      retransmission_timeout(now);
    }
  }
  if (idle_at_ <= now) idle_timeout(now);
  DCHECK(invariants_hold());
}

// The timeout as it is now, but not later than the program allows.
Duration Connection::wait_while_stalled(Instant now) const {
  const Duration wait = rtt_.rto(shared_.config);
  if (options_.user_timeout_ms == 0) return wait;
  const std::int64_t waited = milliseconds(now) - stalled_ms_;
  const std::int64_t rest = std::int64_t{options_.user_timeout_ms} - waited;
  return std::min(wait, Duration::ms(std::max<std::int64_t>(rest, 1)));
}

void Connection::arm_retransmission(Instant now) {
  const bool is_stalled = retries_ != 0;
  retransmit_at_ = now + (is_stalled ? wait_while_stalled(now) : rtt_.rto(shared_.config));
}

// R2, RFC 9293 3.8.3 (MUST-20, MUST-21).
bool Connection::is_given_up(Instant now) const {
  const TcpConfig& config = shared_.config;
  if (options_.user_timeout_ms != 0) {
    return milliseconds(now) - stalled_ms_ >= options_.user_timeout_ms;
  }
  return retries_ >= (is_orphan_ ? config.orphan_retries : config.retries2);
}

void Connection::retransmission_timeout(Instant now) {
  if (snd_.una == snd_.max) return;
  if (mtu_probe_ != 0 && believe_router(now)) return;
  ++shared_.counters.tcp_timeouts;
  if (retries_ == 0) {  // since the text was first sent
    stalled_ms_ = milliseconds(now) - static_cast<std::uint32_t>(rtt_.rto(shared_.config).to_ms());
  }
  if (is_given_up(now)) {
    return fail(soft_error_ != 0 ? static_cast<Errno>(soft_error_) : Errno::timed_out);
  }
  suspect_black_hole();
  Congestion& c = congestion_;
  const auto flight = static_cast<std::uint32_t>(snd_.nxt - snd_.una);
  if (retries_ == 0) c.halve(std::min(flight, std::max(c.cwnd, 1u)), snd_mss_);  // RFC 5681 3.1
  c.cwnd = snd_mss_;
  c.recover = snd_.max;  // RFC 6582 3.2 step 4
  c.phase = Phase::loss;
  ecn_.reduced(snd_.max);
  c.duplicates = 0;
  retransmit_owed_ = false;
  release_scoreboard();  // RFC 2018 8: the peer may have dropped what it reported
  rtt_.stop_timing();    // Karn
  rtt_.back_off();       // RFC 6298 5.5
  if (retries_ != 255) ++retries_;
  snd_.nxt = snd_.una;
  arm_retransmission(now);
  pend();
}

// MUST-22, MUST-23. Deviation (V21): a SYN that nobody sent is answered as often as Linux answers
// it, 1 + 5 times, which is more than 3 times its octets; among many such, 1 + 2 times (Linux:
// reqsk_timer_handler()), and once if it got a cookie.
void Connection::syn_timeout(Instant now) {
  const TcpConfig& config = shared_.config;
  const std::uint32_t answers =
      shared_.is_crowded ? std::min(config.synack_retries, kCrowdedRetries) : config.synack_retries;
  const bool is_fast = is_passive_ && !is_opening();  // Linux: tcp_fastopen_synack_timer()
  const std::uint32_t limit = is_fast                   ? answers + 1
                              : is_passive_             ? answers
                              : options_.syn_count != 0 ? options_.syn_count
                                                        : config.syn_retries;
  if (retries_ == 0) stalled_ms_ = milliseconds(now) - 1000;
  const bool is_late = options_.user_timeout_ms != 0 && !is_passive_ &&
                       milliseconds(now) - stalled_ms_ >= options_.user_timeout_ms;
  if (retries_ >= limit || is_late) {
    if (is_passive_ && !is_fast) return enter(State::CLOSED);
    return fail(soft_error_ != 0 ? static_cast<Errno>(soft_error_) : Errno::timed_out);
  }
  ++retries_;
  syn_lost_ = true;
  rtt_.stop_timing();
  rtt_.back_off();
  snd_.nxt = iss_;
  ++shared_.counters.tcp_timeouts;
  arm_retransmission(now);
  pend();
}

// RFC 9293 3.8.6.1: one octet beyond the window, less and less often, as long as it is answered
// (MUST-35 to MUST-37, SHLD-29, SHLD-30), unless the program has set a limit to that too
// (epoll-behaviours 16.28). A window that is merely too small for its silly-window rule gets what
// fits.
void Connection::persist_timeout(Instant now) {
  const TcpConfig& config = shared_.config;
  if (!persist_) stalled_ms_ = milliseconds(now);
  const bool is_late =
      options_.user_timeout_ms != 0 && milliseconds(now) - stalled_ms_ >= options_.user_timeout_ms;
  // An orphan has nobody to wait for (CVE-2008-4609's kind).
  const bool is_abandoned = is_orphan_ && rtt_.backoff() >= config.orphan_retries;
  if (probes_ >= config.retries2 || is_late || is_abandoned) {
    const SeqNum seq = reset_seq();
    fail(soft_error_ != 0 ? static_cast<Errno>(soft_error_) : Errno::timed_out);
    if (is_abandoned) owe_reset(seq, true);
    return;
  }
  persist_ = true;
  rtt_.stop_timing();
  rtt_.back_off();
  if (probes_ != 255) ++probes_;
  snd_.nxt = snd_.una;
  retransmit_owed_ = false;
  probe_owed_ = snd_.wnd == 0;
  force_owed_ = !probe_owed_;
  retransmit_at_ = now + wait_while_stalled(now);
  pend();
}

// A writer found no memory for a single octet, and no ACK will come to tell it when there is some.
// Until then retransmit_at_, which nothing else needs, is when to look again.
bool Connection::waits_for_memory() const {
  return no_space_ && send_.empty() && snd_.una == snd_.max && !in(kSynchronizing);
}

void Connection::memory_timeout(Instant now) {
  const Text chunk = shared_.text_memory.allocate();
  if (!chunk.node()) {
    retransmit_at_ = now + kMemoryInterval;
    return;
  }
  no_space_ = false;
  raise(Event::writable);
}

// Text that may not leave and nothing in flight whose ACK would change that: ask from time to time.
void Connection::arm_persist(Instant now) {
  if (!retransmit_at_.is_never() || snd_.una != snd_.max || unsent_octets() == 0) return;
  if (!in(kKeptAlive)) return;
  persist_ = true;
  retransmit_at_ = now + rtt_.rto(shared_.config);
  stalled_ms_ = milliseconds(retransmit_at_);  // counts from the first probe, as Linux has it
}

// MUST-24 to MUST-28. Deadlines only move when they fire: the ACK path does not pay for them.
void Connection::arm_keepalive(Instant now) {
  if (!options_.keepalive || !in(kKeptAlive)) {
    idle_at_ = Instant::never();
    return;
  }
  const TcpConfig& config = shared_.config;
  const std::int64_t idle_s =
      options_.keepalive_idle_s != 0 ? options_.keepalive_idle_s : config.keepalive_time_s;
  const std::int64_t interval_s = options_.keepalive_interval_s != 0 ? options_.keepalive_interval_s
                                                                     : config.keepalive_interval_s;
  const Duration quiet = Duration::ms(milliseconds(now) - last_receive_ms_);
  idle_at_ =
      probes_ != 0 ? now + Duration::seconds(interval_s) : now - quiet + Duration::seconds(idle_s);
}

// Orphans only, as tcp_fin_timeout. TCP_LINGER2 below zero: not at all.
void Connection::arm_fin_wait_2(Instant now) {
  if (options_.linger2_s < 0) return abort(now);
  idle_at_ = now + (options_.linger2_s != 0 ? Duration::seconds(options_.linger2_s)
                                            : shared_.config.fin_wait_2);
}

void Connection::idle_timeout(Instant now) {
  idle_at_ = Instant::never();
  if (is_orphan_ && in(State::FIN_WAIT_2)) {
    enter(State::CLOSED);
    raise(Event::state_change);
    return;
  }
  const std::uint8_t probes = persist_ ? 0 : probes_;
  if (snd_.una != snd_.max || unsent_octets() != 0) {  // MUST-26: not idle
    idle_at_ = now + Duration::seconds(shared_.config.keepalive_interval_s);
    return;
  }
  arm_keepalive(now);
  if (probes == 0 && idle_at_ > now) return;  // something came meanwhile
  const std::uint32_t limit =
      options_.keepalive_count != 0 ? options_.keepalive_count : shared_.config.keepalive_probes;
  const bool is_late = options_.user_timeout_ms != 0 && probes != 0 &&
                       milliseconds(now) - last_receive_ms_ >= options_.user_timeout_ms;
  if ((options_.user_timeout_ms == 0 && probes >= limit) || is_late) {
    const SeqNum seq = reset_seq();
    fail(soft_error_ != 0 ? static_cast<Errno>(soft_error_) : Errno::timed_out);
    owe_reset(seq, true);
    return;
  }
  ++probes_;  // MUST-29: it takes all of them
  keepalive_owed_ = true;
  arm_keepalive(now);
  pend();
}

// RFC 5927 4.1 and 5.2; SHLD-26's hard errors are soft once synchronized (MUST-56). Deviation: RFC
// 9293 3.9.2.2 goes on with a connect after a soft error; Linux lets it fail (RFC 5461 4.1).
void Connection::icmp_error(Errno error, bool hard, SeqNum quoted_seq, Instant) {
  if (quoted_seq < snd_.una || quoted_seq >= snd_.max) return;
  if (in(State::SYN_SENT)) return fail(error);  // epoll-behaviours 16.29
  if (in(State::SYN_RECEIVED) && hard && is_opening()) {
    if (!is_passive_) return fail(error);
    enter(State::CLOSED);
    raise(Event::state_change);
    return;
  }
  if (!options_.receive_error) {
    soft_error_ = static_cast<std::uint8_t>(error);
    return;
  }
  error_ = static_cast<std::uint8_t>(error);  // the program hears, the connection goes on
  raise(Event::error);
}

}  // namespace pollux::tcp
