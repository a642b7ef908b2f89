// connection.cc - a connection's beginning and end, its sizes, and what it reports of itself.
// RFC 9293 3.7.1 (MSS), RFC 7323 2 and 3, RFC 6691.
#include "stack/tcp/connection.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux::tcp {
namespace {

constexpr std::uint16_t kMinMss = 48;  // as Linux: a peer cannot make us send crumbs
constexpr std::uint16_t kTcpHeader = 20;
constexpr std::uint16_t kTimestamps = 12;  // the option with its padding
constexpr std::uint8_t kMaxScale = 14;     // RFC 7323 2.3

std::uint16_t ip_header(const FourTuple& tuple) { return tuple.remote.address.is_v4() ? 20 : 40; }

}  // namespace

Connection::Connection(Shared& shared)
    : ControlBlock(shared, static_cast<std::uint32_t>(shared.rng.next())) {}

Connection::~Connection() {
  release_scoreboard();
  release_fast_open();
  release_mtu_probe();
  if (reassembly_) shared_.reassemblies.destroy(reassembly_);
}

void Connection::open(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu, Instant now) {
  CHECK(in(State::CLOSED));
  const TcpConfig& config = shared_.config;
  tuple_ = tuple;
  set_path_mtu(mtu);
  own_mss_ = path_mss_;
  iss_ = small_end_ = snd_.una = snd_.nxt = snd_.max = snd_.up = iss;
  congestion_.recover = congestion_.high_rxt = iss;
  send_limit_ = options_.send_buffer != 0 ? options_.send_buffer : config.send_buffer;
  receive_limit_ = options_.receive_buffer != 0 ? options_.receive_buffer : config.receive_buffer;
  rtt_.set_initial_rto(config.initial_rto);
  peer_mss_ = default_mss(tuple);
  timestamps_ok_ = config.timestamps;
  sack_ok_ = config.sack;
  scale_ok_ = config.window_scaling;
  if (scale_ok_) {
    const std::uint32_t most =
        options_.receive_buffer != 0 ? options_.receive_buffer : config.receive_buffer_max;
    while (rcv_scale_ < kMaxScale && (most >> rcv_scale_) > 65535) ++rcv_scale_;
  }
  last_receive_ms_ = last_send_ms_ = milliseconds(now);
  challenge_ms_ = milliseconds(now) - 1000;
  tuned_us_ = static_cast<std::uint32_t>(now.to_ns() / 1000);
  update_mss();
}

void Connection::open_active(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu, Instant now) {
  open(tuple, iss, mtu, now);
  enter(State::SYN_SENT);
  ++shared_.counters.tcp_active_opens;
  pend();
}

void Connection::open_passive(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu,
                              const Segment& syn, Instant now) {
  CHECK(syn.ctl.has(SYN));
  open(tuple, iss, mtu, now);
  is_passive_ = true;
  take_syn_options(syn, now);
  enter(State::SYN_RECEIVED);
  send_shutdown_ = fin_queued_ = options_.is_send_shut;
  pend();
}

Segment Connection::answer_syn(Instant now) {
  Segment answer;
  make_syn(answer, now);
  rtt_.stop_timing();
  return answer;
}

// Deviation: text and FIN that came with the SYN are not kept for later, as RFC 9293 3.10.7.2 and
// 3.10.7.3 have it, but not taken, unless it is open_fast's; not acknowledged, they come again.
void Connection::take_syn_options(const Segment& syn, Instant now) {
  irs_ = syn.seq;
  rcv_.nxt = rcv_.acked = irs_ + 1;
  snd_.wnd = snd_.max_wnd = syn.wnd;  // never scaled in a SYN (RFC 7323 2.2)
  snd_.wl1 = syn.seq;
  const TcpOptions& options = syn.options;
  if (options.mss != 0) peer_mss_ = options.mss;
  sack_ok_ = sack_ok_ && options.sack_permitted;
  timestamps_ok_ = timestamps_ok_ && options.has_timestamps;
  scale_ok_ = scale_ok_ && options.has_window_scale;
  if (scale_ok_) {
    snd_scale_ = std::min(options.window_scale, kMaxScale);
  } else {
    rcv_scale_ = 0;
  }
  if (timestamps_ok_) {
    ts_recent_ = options.ts_val;
    ts_recent_s_ = milliseconds(now) / 1000;
  }
  // RFC 3168 6.1.1: an answer counts only if the one SYN that was sent had asked.
  const bool agrees = syn.ctl.has(ACK) ? Ecn::is_agreed_by(syn.ctl) : Ecn::is_asked_by(syn.ctl);
  ecn_.agree(agrees && (is_passive_ ? shared_.config.ecn != kEcnOff : asks_for_ecn()));
  update_mss();
}

void Connection::set_path_mtu(std::uint16_t mtu) {
  const int room = mtu - ip_header(tuple_) - kTcpHeader;
  path_mss_ = static_cast<std::uint16_t>(std::max<int>(room, kMinMss));
}

// Of every packet with text.
std::uint16_t Connection::overhead() const {
  return static_cast<std::uint16_t>(kTcpHeader + ip_header(tuple_) +
                                    (timestamps_ok_ ? kTimestamps : 0));
}

// As far as the peer and the program allow.
std::uint16_t Connection::largest_packet() const {
  int mss = peer_mss_;
  if (options_.max_segment != 0) mss = std::min<int>(mss, options_.max_segment);
  return static_cast<std::uint16_t>(std::min(mss + kTcpHeader + ip_header(tuple_), 0xffff));
}

std::uint16_t Connection::path_mtu() const {
  return static_cast<std::uint16_t>(path_mss_ + kTcpHeader + ip_header(tuple_));
}

// RFC 9293 3.7.1 (MUST-16): what options take is taken from the payload.
void Connection::update_mss() {
  int mss = std::min(peer_mss_, path_mss_);
  if (options_.max_segment != 0) mss = std::min<int>(mss, options_.max_segment);
  if (timestamps_ok_) mss -= kTimestamps;
  const auto now = static_cast<std::uint16_t>(std::max<int>(mss, kMinMss));
  if (now != snd_mss_) full_acked_ = false;
  if (now > snd_mss_) small_end_ = later(small_end_, snd_.max);
  snd_mss_ = now;
}

// MUST-67: MMS_R - 20, without regard to options (RFC 6691). What the way to the peer takes is
// nothing to the peer.
std::uint16_t Connection::advertised_mss() const {
  return options_.max_segment == 0 ? own_mss_ : std::min(own_mss_, options_.max_segment);
}

std::uint64_t Connection::receive_position(SeqNum seq) const {
  return receive_.end() + static_cast<std::uint64_t>(std::int64_t{seq - rcv_.nxt});
}

void Connection::enter(State state) {
  state_ = state;
  if (state != State::CLOSED && state != State::TIME_WAIT) return;
  // What is left may be read, and may be sent once more by make_reset or as the last ACK.
  send_.clear();
  release_scoreboard();
  release_fast_open();
  release_mtu_probe();
  if (reassembly_) shared_.reassemblies.destroy(std::exchange(reassembly_, nullptr));
  retransmit_at_ = idle_at_ = Instant::never();
  retransmit_owed_ = probe_owed_ = keepalive_owed_ = force_owed_ = persist_ = false;
  receive_shutdown_ = send_shutdown_ = true;
  if (state == State::CLOSED) ack_.stop();
}

// The connection is dead for a reason that the program learns once (MUST-12).
void Connection::fail(Errno error) {
  error_ = static_cast<std::uint8_t>(error);
  enter(State::CLOSED);
  raise(Event::state_change | Event::error);
}

// Linux: tcp_disconnect(). Neither direction counts as shut (epoll-behaviours 16.17, 16.18).
void Connection::disconnect() {
  enter(State::CLOSED);
  receive_.clear();
  receive_shutdown_ = send_shutdown_ = false;
  error_ = static_cast<std::uint8_t>(Errno::connection_reset);
  raise(Event::state_change | Event::error);
}

void Connection::owe_reset(SeqNum seq, bool with_ack) {
  reset_owed_ = true;
  reset_has_ack_ = with_ack;
  reset_seq_ = seq;
  pend();
}

// SND.NXT as the peer may know it: after a timeout it has gone back, and the peer may have shrunk
// its window; what lies outside the window would be dropped with all it says.
SeqNum Connection::reset_seq() const {
  const SeqNum edge = snd_.una + snd_.wnd;
  return snd_.max <= edge ? snd_.max : later(edge, snd_.una);
}

bool Connection::invariants_hold() const {
  const bool opened = !in(State::CLOSED | State::LISTEN);
  const bool synchronized = opened && !in(State::SYN_SENT | State::SYN_RECEIVED);
  return snd_.una <= snd_.nxt && snd_.nxt <= snd_.max &&                           //
         (!synchronized || snd_.max <= text_end() + 1) &&                          //
         (!reassembly_ || reassembly_->empty() ||                                  //
          reassembly_->first() > receive_.end()) &&                                //
         (!persist_ || !retransmit_at_.is_never() || PendingHook::is_linked()) &&  //
         (!synchronized || in(State::TIME_WAIT) || snd_.una == snd_.max ||         //
          !retransmit_at_.is_never() || PendingHook::is_linked()) &&               //
         (opened || (send_.empty() && !scoreboard_ && !reassembly_ && !fast_open_));
}

Info Connection::info(Instant now) const {
  Info info;
  const std::uint32_t mss = snd_mss_;
  info.state = state_;
  info.ca_state = congestion_.phase == Phase::open       ? 0
                  : congestion_.phase == Phase::recovery ? 3
                                                         : 4;
  info.retransmits = retries_;
  info.probes = probes_;
  info.backoff = rtt_.backoff();
  info.has_timestamps = timestamps_ok_;
  info.has_sack = sack_ok_;
  info.has_window_scale = scale_ok_;
  info.has_ecn = ecn_.is_agreed();
  info.has_seen_ecn = ecn_.has_seen();
  info.has_syn_text = syn_text_acked_;
  info.fastopen_client_fail = static_cast<std::uint8_t>(fast_open_failure_);
  info.snd_wscale = snd_scale_;
  info.rcv_wscale = rcv_scale_;
  info.rto = static_cast<std::uint32_t>(rtt_.rto(shared_.config).to_us());
  info.ato = ack_.ato_us();
  info.snd_mss = mss;
  info.rcv_mss = ack_.segment_size();
  info.unacked = (static_cast<std::uint32_t>(snd_.nxt - snd_.una) + mss - 1) / mss;
  info.sacked = scoreboard_ ? (scoreboard_->octets() + mss - 1) / mss : 0;
  info.last_data_sent_ms = milliseconds(now) - last_send_ms_;
  info.last_data_recv_ms = milliseconds(now) - last_receive_ms_;
  info.last_ack_recv_ms = milliseconds(now) - last_receive_ms_;
  info.pmtu = path_mtu();
  info.rcv_ssthresh = window_space();
  info.rtt = static_cast<std::uint32_t>(rtt_.srtt().to_us());
  info.rttvar = static_cast<std::uint32_t>(rtt_.rttvar().to_us());
  info.snd_ssthresh = congestion_.ssthresh / mss;
  info.snd_cwnd = congestion_.cwnd / mss;
  info.advmss = advertised_mss();
  info.rcv_space = receive_limit_ / 2;
  info.total_retrans = total_retrans_;
  info.notsent_bytes = unsent_octets();
  info.min_rtt = static_cast<std::uint32_t>(rtt_.min().to_us());
  info.snd_wnd = snd_.wnd;
  info.rcv_wnd = rcv_.wnd;
  info.bytes_acked = send_.begin();
  info.bytes_received = receive_.end();
  return info;
}

}  // namespace pollux::tcp
