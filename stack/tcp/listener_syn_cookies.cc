// listener_syn_cookies.cc - a SYN that finds no room is answered and forgotten; the ACK of the
// answer makes the connection. RFC 4987 3.6; Linux: tcp_conn_request(), cookie_v4_check().
#include <utility>

#include "stack/tcp/syn_cookies.h"
#include "stack/tcp/tcp.h"

namespace pollux::tcp {

// A SYN that reopens what is in TIME-WAIT gets a number of its own, beyond the old ones (MAY-2),
// and few such can be made up: Linux has room for it too.
bool Tcp::wants_cookie(const Listener& listener, const FourTuple& tuple) const {
  if (config_.syncookies == 0) return false;
  const bool is_full = listener.is_half_open_full() || half_open_ >= limits_.half_open;
  return (is_full || config_.syncookies == 2) && !demux_.find_time_wait(tuple);
}

// The SYN,ACK that a child would send; the child is gone at once, so nothing of the SYN stays.
// Without timestamps there is no place for the other options, and they are declined.
void Tcp::answer_with_cookie(Listener& listener, const FourTuple& tuple, Segment syn,
                             std::uint16_t mtu, Instant now) {
  TcpOptions& options = syn.options;
  if (!options.has_timestamps || !config_.timestamps) {
    options = {.mss = options.mss};
    syn.ctl = SYN;  // without ECN
  }
  const std::uint16_t mss = options.mss != 0 ? options.mss : Connection::default_mss(tuple);
  const SeqNum cookie = make_cookie({tuple, syn.seq}, mss, secret_.cookie, now);
  const std::uint32_t offset = timestamp_offset(tuple, secret_.timestamp);
  Connection child(shared_);
  child.options() = listener.options();
  child.open_passive(tuple, cookie, mtu, syn, now);
  Segment answer = child.answer_syn(now);
  answer.options.ts_val = timestamp_with_options(milliseconds(now), syn) + offset;
  listener.note_cookie(now);
  ++shared_.counters.tcp_syncookies_sent;
  queue_reply({.tuple = tuple,
               .segment = std::move(answer),
               .tos = listener.options().tos,
               .ttl = listener.options().ttl});
}

// The SYN that led to this ACK, if what is acknowledged is one of our cookies.
std::optional<Segment> Tcp::syn_of_cookie(const FourTuple& tuple, const Segment& ack,
                                          Instant now) const {
  const SeqNum irs = ack.seq - 1;
  const auto mss = check_cookie({tuple, irs}, ack.ack - 1, secret_.cookie, now);
  if (!mss) return std::nullopt;
  std::optional<Segment> syn(std::in_place);
  syn->seq = irs;
  syn->ctl = SYN;
  syn->wnd = ack.wnd;
  syn->options.mss = *mss;
  if (!ack.options.has_timestamps) return syn;
  syn->options.has_timestamps = true;
  syn->options.ts_val = ack.options.ts_val;
  read_options(ack.options.ts_ecr - timestamp_offset(tuple, secret_.timestamp), *syn);
  return syn;
}

// A listener that has sent no cookie lately believes none: guessing costs the guesser a flood.
bool Tcp::brings_cookie(const FourTuple& tuple, const Segment& seg, Instant now) const {
  if (!seg.ctl.has(ACK) || seg.ctl.has(SYN) || seg.ctl.has(RST)) return false;
  const Listener* listener = demux_.find_listener(tuple);
  return listener && listener->expects_cookies(now) && syn_of_cookie(tuple, seg, now);
}

Connection* Tcp::ack_arrives_listen(Listener& listener, const FourTuple& tuple, Segment seg,
                                    std::uint16_t mtu, Instant now) {
  std::optional<Segment> syn;
  if (!seg.ctl.has(SYN) && listener.expects_cookies(now)) {
    syn = syn_of_cookie(tuple, seg, now);
    ++(syn ? shared_.counters.tcp_syncookies_received : shared_.counters.tcp_syncookies_failed);
  }
  if (!syn) {
    segment_arrives_closed(tuple, seg);
    return nullptr;
  }
  // As if lost: what the peer sends next acknowledges the cookie too.
  if (is_overflowing(listener)) return nullptr;
  Connection* child = create_child(listener, tuple);
  if (!child) return nullptr;
  child->open_passive(tuple, seg.ack - 1, mtu, *syn, now);
  child->answer_syn(now);
  add_child(listener, *child, now);
  seg.options.ts_ecr = 0;  // its low bits tell no time
  child->segment_arrives(std::move(seg), now);
  return child;
}

}  // namespace pollux::tcp
