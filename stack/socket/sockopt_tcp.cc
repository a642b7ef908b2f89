// sockopt_tcp.cc - the rows of IPPROTO_TCP. tcp(7); Linux: do_tcp_setsockopt(),
// do_tcp_getsockopt().
//
// Left out, so ENOPROTOOPT: TCP_MD5SIG, TCP_ULP, TCP_INQ, TCP_SAVE_SYN, TCP_THIN_*,
// TCP_REPAIR*, TCP_ZEROCOPY_RECEIVE, TCP_TIMESTAMP, TCP_TX_DELAY.
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "stack/socket/sockopt.h"
#include "stack/socket/tcp_socket.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace pollux {
namespace {

using tcp::State;
using tcp::UserOptions;

constexpr int kMinMss = 88, kMaxMss = 32767;  // Linux: TCP_MIN_MSS, MAX_TCP_WINDOW
constexpr int kMaxKeepaliveTime = 32767;      // seconds
constexpr int kMaxKeepaliveCount = 127;
constexpr int kMaxSynCount = 127;
constexpr int kFinTimeoutMax = 120;               // seconds
constexpr int kMinWindowClamp = 1152;             // SOCK_MIN_RCVBUF / 2
constexpr int kDefaultMss = 536;                  // RFC 9293 3.7.1 (MUST-15)
constexpr std::string_view kCongestion = "reno";  // RFC 5681 with RFC 6582
constexpr std::size_t kCongestionSize = 16;       // Linux: TCP_CA_NAME_MAX

// Rows of this level are asked of stream sockets only.
TcpSocket& tcp_socket(Socket& s) { return static_cast<TcpSocket&>(s); }
UserOptions& user(Socket& s) { return *s.user_options(); }
int or_default(std::uint32_t value, std::uint32_t configured) {
  return static_cast<int>(value != 0 ? value : configured);
}

template <bool UserOptions::*kMember>
Result<int> get_bool(Socket& s) {
  return user(s).*kMember ? 1 : 0;
}
template <bool UserOptions::*kMember>
Result<void> set_bool(Socket& s, int value, Instant now) {
  user(s).*kMember = value != 0;
  s.options_changed(now);
  return {};
}

Result<int> get_max_segment(Socket& s) {
  if (const tcp::Connection* c = tcp_socket(s).connection()) return c->send_mss();
  return user(s).max_segment != 0 ? user(s).max_segment : kDefaultMss;
}
Result<void> set_max_segment(Socket& s, int value, Instant now) {
  if (value != 0 && (value < kMinMss || value > kMaxMss)) return Errno::invalid;
  user(s).max_segment = static_cast<std::uint16_t>(value);
  s.options_changed(now);
  return {};
}

Result<int> get_keepalive_idle(Socket& s) {
  return or_default(user(s).keepalive_idle_s, tcp_socket(s).config().keepalive_time_s);
}
Result<void> set_keepalive_idle(Socket& s, int value, Instant now) {
  user(s).keepalive_idle_s = static_cast<std::uint16_t>(value);
  s.options_changed(now);
  return {};
}
Result<int> get_keepalive_interval(Socket& s) {
  return or_default(user(s).keepalive_interval_s, tcp_socket(s).config().keepalive_interval_s);
}
Result<void> set_keepalive_interval(Socket& s, int value, Instant now) {
  user(s).keepalive_interval_s = static_cast<std::uint16_t>(value);
  s.options_changed(now);
  return {};
}
Result<int> get_keepalive_count(Socket& s) {
  return or_default(user(s).keepalive_count, tcp_socket(s).config().keepalive_probes);
}
Result<void> set_keepalive_count(Socket& s, int value, Instant now) {
  user(s).keepalive_count = static_cast<std::uint8_t>(value);
  s.options_changed(now);
  return {};
}
Result<int> get_syn_count(Socket& s) {
  return or_default(user(s).syn_count, tcp_socket(s).config().syn_retries);
}
Result<void> set_syn_count(Socket& s, int value, Instant) {
  user(s).syn_count = static_cast<std::uint8_t>(value);
  return {};
}

Result<int> get_linger2(Socket& s) {
  const std::int32_t value = user(s).linger2_s;
  if (value != 0) return value;
  return static_cast<int>(tcp_socket(s).config().fin_wait_2.to_ms() / 1000);
}
Result<void> set_linger2(Socket& s, int value, Instant) {
  user(s).linger2_s = static_cast<std::int16_t>(value < 0 ? -1 : std::min(value, kFinTimeoutMax));
  return {};
}

// Linux counts SYN-ACK retransmissions, so what is asked for is rounded up to 1, 3, 7, 15 ... s,
// and in steps of tcp_rto_max beyond that.
std::uint32_t whole_retransmissions(int seconds) {
  constexpr int kFirst = 1, kLongest = 120, kMost = 255;
  int sum = kFirst;
  int step = kFirst;
  for (int n = 1; seconds > sum && n < kMost; ++n) {
    step = std::min(step * 2, kLongest);
    sum += step;
  }
  return static_cast<std::uint32_t>(sum);
}
Result<int> get_defer_accept(Socket& s) { return static_cast<int>(tcp_socket(s).defer_accept_s()); }
Result<void> set_defer_accept(Socket& s, int value, Instant) {
  tcp_socket(s).set_defer_accept_s(value <= 0 ? 0 : whole_retransmissions(value));
  return {};
}

Result<int> get_window_clamp(Socket& s) { return static_cast<int>(user(s).window_clamp); }
Result<void> set_window_clamp(Socket& s, int value, Instant now) {
  const bool is_open = tcp_socket(s).connection() || s.is_listening();
  if (value == 0 && is_open) return Errno::invalid;
  user(s).window_clamp =
      value == 0 ? 0 : static_cast<std::uint32_t>(std::max(value, kMinWindowClamp));
  s.options_changed(now);
  return {};
}

Result<int> get_user_timeout(Socket& s) { return static_cast<int>(user(s).user_timeout_ms); }
Result<void> set_user_timeout(Socket& s, int value, Instant now) {
  user(s).user_timeout_ms = static_cast<std::uint32_t>(value);
  s.options_changed(now);
  return {};
}

// 0 stands for the system's value, which is no limit.
constexpr std::uint32_t kUnlimited = 0xffffffff;
Result<int> get_notsent_low_water(Socket& s) {
  const std::uint32_t value = user(s).notsent_low_water;
  return value == kUnlimited ? 0 : static_cast<int>(value);
}
Result<void> set_notsent_low_water(Socket& s, int value, Instant now) {
  user(s).notsent_low_water = value == 0 ? kUnlimited : static_cast<std::uint32_t>(value);
  tcp_socket(s).send_limit_changed(now);
  return {};
}

// --- Fast Open

Result<int> get_fast_open(Socket& s) {
  const tcp::FastOpenOptions* const own = tcp_socket(s).fast_open();
  return own ? static_cast<int>(own->max_requests) : 0;
}
Result<void> set_fast_open(Socket& s, int value, Instant) {
  return tcp_socket(s).set_fast_open_requests(static_cast<std::uint32_t>(value));
}

Result<void> set_fast_open_connect(Socket& s, int value, Instant) {
  if ((tcp_socket(s).config().fastopen & tcp::kFastOpenClient) == 0) return Errno::not_supported;
  if (!tcp_socket(s).is_closed()) return Errno::invalid;
  s.options().set(SocketFlag::fast_open_connect, value != 0);
  return {};
}

Result<void> set_fast_open_no_cookie(Socket& s, int value, Instant) {
  if (!tcp_socket(s).is_closed() && !s.is_listening()) return Errno::invalid;
  s.options().set(SocketFlag::fast_open_no_cookie, value != 0);
  if (tcp::Listener* l = tcp_socket(s).listener()) l->fast_open().needs_no_cookie = value != 0;
  return {};
}

// One key or two, the one that makes cookies first. Without its own, a socket has the process's.
Result<socklen_t> get_fast_open_key(Socket& s, Option::Room room, Instant) {
  const tcp::FastOpenKeys keys = tcp_socket(s).fast_open_keys();
  return copy_object(keys.key, room.first(std::min(room.size(), keys.count * sizeof keys.key[0])));
}
Result<void> set_fast_open_key(Socket& s, Option::Value value) {
  tcp::FastOpenKeys keys;
  const std::size_t count = value.size() / sizeof keys.key[0];
  if (value.size() % sizeof keys.key[0] != 0 || count == 0 || count > keys.key.size()) {
    return Errno::invalid;
  }
  keys.count = static_cast<std::uint8_t>(count);
  std::memcpy(keys.key.data(), value.data(), value.size());
  // Of no use to a connection, as in Linux.
  if (tcp::FastOpenOptions* const own = tcp_socket(s).fast_open()) own->keys = keys;
  return {};
}

Result<socklen_t> get_congestion(Socket&, Option::Room room, Instant) {
  char name[kCongestionSize] = {};
  kCongestion.copy(name, sizeof name);
  return copy_object(name, room);
}
Result<void> set_congestion(Socket&, Option::Value value) {
  if (value.empty()) return Errno::invalid;
  const char* text = reinterpret_cast<const char*>(value.data());
  const std::size_t room = std::min(value.size(), kCongestionSize - 1);
  if (std::string_view(text, ::strnlen(text, room)) != kCongestion) return Errno::no_entry;
  return {};
}

// Linux: TCP_ESTABLISHED and so on, in the order of net/tcp_states.h.
std::uint8_t linux_state(State state) {
  switch (state) {
    case State::ESTABLISHED:
      return 1;
    case State::SYN_SENT:
      return 2;
    case State::SYN_RECEIVED:
      return 3;
    case State::FIN_WAIT_1:
      return 4;
    case State::FIN_WAIT_2:
      return 5;
    case State::CLOSE_WAIT:
      return 8;
    case State::LAST_ACK:
      return 9;
    case State::LISTEN:
      return 10;
    case State::CLOSING:
      return 11;
    case State::TIME_WAIT:  // its block is apart from the socket, which is CLOSE
    case State::CLOSED:
      return 7;
  }
  return 7;
}

void fill_flags(::tcp_info& out, const tcp::Info& in) {
  if (in.has_timestamps) out.tcpi_options |= TCPI_OPT_TIMESTAMPS;
  if (in.has_sack) out.tcpi_options |= TCPI_OPT_SACK;
  if (in.has_window_scale) out.tcpi_options |= TCPI_OPT_WSCALE;
  if (in.has_ecn) out.tcpi_options |= TCPI_OPT_ECN;
  if (in.has_seen_ecn) out.tcpi_options |= TCPI_OPT_ECN_SEEN;
  if (in.has_syn_text) out.tcpi_options |= TCPI_OPT_SYN_DATA;
  out.tcpi_fastopen_client_fail = in.fastopen_client_fail & 3;
  out.tcpi_snd_wscale = in.snd_wscale & 0xf;
  out.tcpi_rcv_wscale = in.rcv_wscale & 0xf;
}

::tcp_info to_linux(const tcp::Info& in) {
  ::tcp_info out{};
  out.tcpi_state = linux_state(in.state);
  out.tcpi_ca_state = in.ca_state;
  out.tcpi_retransmits = in.retransmits;
  out.tcpi_probes = in.probes;
  out.tcpi_backoff = in.backoff;
  fill_flags(out, in);
  out.tcpi_rto = in.rto;
  out.tcpi_ato = in.ato;
  out.tcpi_snd_mss = in.snd_mss;
  out.tcpi_rcv_mss = in.rcv_mss;
  out.tcpi_unacked = in.unacked;
  out.tcpi_sacked = in.sacked;
  out.tcpi_lost = in.lost;
  out.tcpi_last_data_sent = in.last_data_sent_ms;
  out.tcpi_last_data_recv = in.last_data_recv_ms;
  out.tcpi_last_ack_recv = in.last_ack_recv_ms;
  out.tcpi_pmtu = in.pmtu;
  out.tcpi_rcv_ssthresh = in.rcv_ssthresh;
  out.tcpi_rtt = in.rtt;
  out.tcpi_rttvar = in.rttvar;
  out.tcpi_snd_ssthresh = in.snd_ssthresh;
  out.tcpi_snd_cwnd = in.snd_cwnd;
  out.tcpi_advmss = in.advmss;
  out.tcpi_reordering = in.reordering;
  out.tcpi_rcv_rtt = in.rcv_rtt;
  out.tcpi_rcv_space = in.rcv_space;
  out.tcpi_total_retrans = in.total_retrans;
  out.tcpi_notsent_bytes = in.notsent_bytes;
  out.tcpi_min_rtt = in.min_rtt;
  out.tcpi_snd_wnd = in.snd_wnd;
  out.tcpi_bytes_acked = in.bytes_acked;
  out.tcpi_bytes_received = in.bytes_received;
  return out;
}

Result<socklen_t> get_info(Socket& s, Option::Room room, Instant now) {
  const TcpSocket& socket = tcp_socket(s);
  tcp::Info info;
  if (const tcp::Connection* c = socket.connection()) {
    info = c->info(now);
  } else if (const tcp::Listener* l = socket.listener()) {
    info.state = State::LISTEN;
    info.unacked = socket.waiting();
    info.sacked = l->backlog();
  }
  return copy_object(to_linux(info), room);
}

constexpr Option kTcpOptions[] = {
    {IPPROTO_TCP, TCP_NODELAY, get_bool<&UserOptions::no_delay>, set_bool<&UserOptions::no_delay>},
    {IPPROTO_TCP, TCP_CORK, get_bool<&UserOptions::cork>, set_bool<&UserOptions::cork>},
    {IPPROTO_TCP, TCP_QUICKACK, get_bool<&UserOptions::quick_ack>,
     set_bool<&UserOptions::quick_ack>},
    {IPPROTO_TCP, TCP_MAXSEG, get_max_segment, set_max_segment},
    {IPPROTO_TCP, TCP_KEEPIDLE, get_keepalive_idle, set_keepalive_idle, 1, kMaxKeepaliveTime},
    {IPPROTO_TCP, TCP_KEEPINTVL, get_keepalive_interval, set_keepalive_interval, 1,
     kMaxKeepaliveTime},
    {IPPROTO_TCP, TCP_KEEPCNT, get_keepalive_count, set_keepalive_count, 1, kMaxKeepaliveCount},
    {IPPROTO_TCP, TCP_SYNCNT, get_syn_count, set_syn_count, 1, kMaxSynCount},
    {IPPROTO_TCP, TCP_LINGER2, get_linger2, set_linger2},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, get_defer_accept, set_defer_accept},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, get_window_clamp, set_window_clamp},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, get_user_timeout, set_user_timeout, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, get_notsent_low_water, set_notsent_low_water},
    {IPPROTO_TCP, TCP_FASTOPEN, get_fast_open, set_fast_open, 0},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, get_flag<SocketFlag::fast_open_connect>,
     set_fast_open_connect, 0, 1},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, get_flag<SocketFlag::fast_open_no_cookie>,
     set_fast_open_no_cookie, 0, 1},
    wide_option(IPPROTO_TCP, TCP_FASTOPEN_KEY, get_fast_open_key, set_fast_open_key),
    wide_option(IPPROTO_TCP, TCP_INFO, get_info),
    wide_option(IPPROTO_TCP, TCP_CONGESTION, get_congestion, set_congestion),
};

}  // namespace

std::span<const Option> tcp_level_options() { return kTcpOptions; }

}  // namespace pollux
