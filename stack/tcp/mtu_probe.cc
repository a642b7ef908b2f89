// mtu_probe.cc - a connection's path: routers' messages, black holes, probes, sending again.
// RFC 1191 6.4, RFC 8201 5.2, RFC 5927 7.2, RFC 4821 7.
#include "stack/tcp/mtu_probe.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/connection.h"

namespace pollux::tcp {

MtuProbe* Connection::mtu_probe() const {
  return mtu_probe_ != 0 ? &shared_.mtu_probes.at(mtu_probe_ - 1u) : nullptr;
}

// Null: there are too many; the connection goes on without.
MtuProbe* Connection::make_mtu_probe() {
  if (mtu_probe_ != 0) return mtu_probe();
  MtuProbe* made = shared_.mtu_probes.create();
  if (made) mtu_probe_ = static_cast<std::uint16_t>(shared_.mtu_probes.index_of(made) + 1);
  return made;
}

void Connection::release_mtu_probe() {
  if (mtu_probe_ != 0) shared_.mtu_probes.destroy(mtu_probe());
  mtu_probe_ = 0;
}

// The largest packet that is sent now; what the peer or the program allow may be below path_mtu().
std::uint16_t Connection::packet_size() const {
  return static_cast<std::uint16_t>(snd_mss_ + overhead());
}

// A router says that the packet with this octet was larger than `mtu`. RFC 5927 4.1: only of what
// is in flight; RFC 1191 3: never upward.
void Connection::path_mtu(std::uint16_t mtu, SeqNum quoted_seq, Instant now) {
  if (quoted_seq < snd_.una || quoted_seq >= snd_.max || !options_.discovers_path_mtu()) return;
  mtu = std::max(mtu, MtuProbe::kFloor);
  if (mtu_probe_ != 0 && probe_refused(mtu, quoted_seq, now)) return;
  if (mtu >= path_mtu()) return;
  // RFC 5927 7.2: it contradicts what has been acknowledged, so it has to wait for a timeout.
  if (!full_acked_ || mtu >= packet_size()) return lower_path_mtu(mtu, quoted_seq, now);
  MtuProbe* p = make_mtu_probe();
  if (!p || (p->told != 0 && p->told <= mtu)) return;
  p->told = mtu;
  p->told_about = quoted_seq;
}

// RFC 8201 5.2: what was sent too large, from `from` on, goes again; it was not congestion.
void Connection::lower_path_mtu(std::uint16_t mtu, SeqNum from, Instant now) {
  const std::uint16_t before = snd_mss_;
  set_path_mtu(mtu);
  update_mss();
  raise(Event::path_mtu);
  if (snd_mss_ == before || in(kSynchronizing)) return;
  if (congestion_.phase == Phase::loss) {
    snd_.nxt = from < snd_.nxt ? from : snd_.nxt;  // all behind goes again anyhow
  } else if (MtuProbe* p = make_mtu_probe()) {
    p->resend(from, sent_end());
    if (p->high != 0) p->high = std::min(p->high, mtu);
  }
  rtt_.stop_timing();
  arm_retransmission(now);
  pend();
}

// The word of a router about the probe itself: exact, and harmless if it is forged.
bool Connection::probe_refused(std::uint16_t mtu, SeqNum quoted_seq, Instant now) {
  MtuProbe& p = *mtu_probe();
  if (p.size == 0 || quoted_seq < p.probe || p.probe_end <= quoted_seq) return false;
  if (mtu >= p.size) return true;
  p.refused(std::max(mtu, packet_size()), milliseconds(now));
  p.resend(p.probe, p.probe_end);
  rtt_.stop_timing();
  pend();
  return mtu >= packet_size();
}

// At a timeout: what a router had said of the text that is missing. True: it is believed.
bool Connection::believe_router(Instant now) {
  MtuProbe& p = *mtu_probe();
  const std::uint16_t mtu = std::exchange(p.told, std::uint16_t{0});
  if (mtu == 0 || mtu >= path_mtu()) return false;
  lower_path_mtu(mtu, snd_.una, now);
  return true;
}

// RFC 4821 7.7: what is not small is lost again and again, and nobody says why. Linux:
// tcp_mtu_probing(). The second timeout in a row comes 3 RTO after the first sending; an ACK of
// what is sent then is less than 4 RTO away.
void Connection::suspect_black_hole() {
  if (mtu_probe_ != 0) lose_probe();
  if (retries_ == 0 || !may_probe()) return;
  const std::int32_t text = std::min<std::int32_t>(sent_end() - snd_.una, snd_mss_);
  const std::int32_t lost = text + overhead();
  if (lost <= MtuProbe::kFloor) return;
  ++shared_.counters.tcp_black_holes;
  search_path_mtu(static_cast<std::uint16_t>(lost));
}

// A packet of `lost` octets does not pass. Of those in use nobody knows: they are what a search
// from below tries first.
void Connection::search_path_mtu(std::uint16_t lost) {
  if (MtuProbe* p = make_mtu_probe()) p->search(std::max(p->high, packet_size()));
  const auto half = std::max<std::uint16_t>(lost / 2, MtuProbe::kFloor);
  set_path_mtu(lost > MtuProbe::kBase ? MtuProbe::kBase : half);
  update_mss();
}

// At a timeout: the probe too is lost, and what went again is lost once more.
void Connection::lose_probe() {
  MtuProbe& p = *mtu_probe();
  p.resends = false;
  if (p.size != 0) p.lost(last_receive_ms_);
}

bool Connection::may_probe() const {
  return shared_.config.mtu_probing != kProbingOff && options_.discovers_path_mtu();
}

// What is known of the destination by now: an estimate that has aged is tried anew. RFC 1191 6.3.
void Connection::path_may_take(std::uint16_t mtu, Instant now) {
  if (mtu <= path_mtu() || in(kSynchronizing)) return;
  const std::uint16_t most = std::min(mtu, largest_packet());
  if (!may_probe() || most <= packet_size()) {
    set_path_mtu(mtu);
    return update_mss();
  }
  MtuProbe* p = make_mtu_probe();
  if (!p || p->size != 0 || p->is_searching(packet_size())) return;
  const bool is_settled = p->high != 0 && milliseconds(now) - p->settled_ms < MtuProbe::kAgainMs;
  if (!is_settled) p->search(most);
}

// The length of a probe's text; 0: none is sent now. RFC 4821 7.4: nothing is missing, and enough
// text follows to tell soon of its loss. Linux: tcp_mtu_probe().
std::uint32_t Connection::probe_length(std::uint32_t unsent, std::uint32_t window) const {
  const MtuProbe& p = *mtu_probe();
  if (p.size != 0 || p.resends || !p.is_searching(packet_size())) return 0;
  if (congestion_.phase != Phase::open || scoreboard_ || snd_.nxt != snd_.max) return 0;
  if (snd_.up > snd_.nxt || persist_) return 0;
  const std::uint32_t length = p.next_size(packet_size()) - overhead();
  const std::uint32_t wanted = length + MtuProbe::kFollowers * snd_mss_;
  return std::min({unsent, window, congestion_.cwnd}) < wanted ? 0 : length;
}

bool Connection::make_probe(Segment& seg, std::uint32_t length, Instant now) {
  MtuProbe& p = *mtu_probe();
  p.size = static_cast<std::uint16_t>(length + overhead());
  p.probe = snd_.nxt;
  p.probe_end = snd_.nxt + length;
  ++shared_.counters.tcp_mtu_probes;
  make_text(seg, {snd_.nxt, length}, now);
  seg.gso_size = 0;  // whole
  return true;
}

// SND.UNA has moved.
void Connection::note_path(Instant now) {
  MtuProbe& p = *mtu_probe();
  if (p.told != 0 && p.told_about < snd_.una) p.told = 0;
  if (p.resends && p.again_end <= snd_.una) p.resends = false;
  if (p.size != 0 && p.probe_end <= snd_.una) {
    set_path_mtu(std::exchange(p.size, std::uint16_t{0}));
    update_mss();
    full_acked_ = true;
    p.settled_ms = milliseconds(now);
    p.losses = 0;
    if (p.tries_high) p.high = 0;
    raise(Event::path_mtu);  // lower than others think, if a router had said so
  }
  if (p.is_idle()) release_mtu_probe();
}

// Duplicate ACKs say that something is missing. RFC 4821 7.5: if it is the probe alone, that is no
// congestion; it goes again in smaller segments.
bool Connection::is_probe_missing() {
  MtuProbe& p = *mtu_probe();
  if (p.resends) return true;  // it is on its way
  if (p.size == 0 || p.probe != snd_.una) return false;
  p.lost(last_receive_ms_);
  const bool is_alone = !scoreboard_ || scoreboard_->next_hole(p.probe_end) >=
                                            scoreboard_->lost_edge(p.probe_end, snd_mss_);
  if (!is_alone) return false;
  p.resend(p.probe, p.probe_end);
  congestion_.recover = snd_.max;  // duplicates of what is in the network mean nothing more
  rtt_.stop_timing();
  pend();
  return true;
}

// What was too large, once more. It takes the place of what was lost.
bool Connection::next_resend(Segment& seg, Instant now) {
  MtuProbe& p = *mtu_probe();
  if (!p.resends) return false;
  SeqNum seq = later(p.again, snd_.una);
  if (scoreboard_) seq = scoreboard_->next_hole(seq);
  if (seq >= p.again_end) return false;
  const auto lost = static_cast<std::uint32_t>(p.again_end - seq);
  if (congestion_room() + lost < snd_mss_) return false;
  SeqNum end = p.again_end;
  if (scoreboard_) end = scoreboard_->hole_end(seq, end);
  const std::uint32_t length =
      std::min(static_cast<std::uint32_t>(end - seq), std::uint32_t{snd_mss_});
  p.again = seq + length;
  return make_text(seg, {seq, length}, now);
}

}  // namespace pollux::tcp
