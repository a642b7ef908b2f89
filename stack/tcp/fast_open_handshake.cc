// fast_open_handshake.cc - a connection whose handshake carries text, or asks for the cookie to do
// so. RFC 7413 3, 4. Linux: tcp_send_syn_data(), tcp_rcv_fastopen_synack(), tcp_fastopen_add_skb().
#include <algorithm>

#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr std::uint16_t kOptionSpace = 40;  // of a SYN with text: somebody on the way may add some
}  // namespace

bool Connection::is_opening() const {
  if (in(State::SYN_SENT)) return true;
  return in(State::SYN_RECEIVED) && !(fast_open_ && fast_open_->is_open);
}

bool Connection::is_syn_deferred() const { return fast_open_ && fast_open_->is_deferred; }

void Connection::release_fast_open() {
  if (fast_open_) shared_.fast_opens.destroy(std::exchange(fast_open_, nullptr));
}

// --- client

bool Connection::defer_syn(bool needs_no_cookie, Instant now) {
  const FastOpenHint hint = shared_.fast_open_cache.lookup(tuple_.remote, now);
  if (!hint.may_try && !needs_no_cookie) {
    fast_open_failure_ = FastOpenFailure::no_cookie;
    return false;
  }
  fast_open_ = shared_.fast_opens.create();
  if (!fast_open_) return false;
  fast_open_->cookie = hint.cookie;
  fast_open_->has_option = !needs_no_cookie;
  const bool may_carry = needs_no_cookie || hint.cookie.size != 0;
  if (!may_carry) {
    fast_open_failure_ = FastOpenFailure::no_cookie;
    return false;
  }
  // RFC 7413 4.1.3: the MSS that the server last told.
  const std::uint16_t told = hint.mss != 0 ? hint.mss : default_mss(tuple_);
  const std::uint16_t mss = std::min(advertised_mss(), told);
  fast_open_->syn_room = static_cast<std::uint16_t>(mss > kOptionSpace ? mss - kOptionSpace : 0);
  fast_open_->is_deferred = fast_open_->takes_text = true;
  return true;
}

// Without memory the SYN leaves without text.
Result<std::size_t> Connection::send_with_syn(ConstBytes from) {
  fast_open_->is_deferred = false;
  const std::uint32_t room = fast_open_->syn_room - send_.octets();
  const std::uint32_t taken = send_.append(from.first(std::min<std::size_t>(from.size(), room)),
                                           shared_.text_memory, send_limit_);
  pend();
  if (taken == 0 && !from.empty()) return Errno::again;
  return std::size_t{taken};
}

void Connection::seal_syn() {
  if (fast_open_ && !fast_open_->is_deferred) fast_open_->takes_text = false;
}

// A SYN that is sent again has neither text nor cookie (7413-4.1.3.1); every answer of ours has the
// cookie, so that it is not lost with the first.
void Connection::put_fast_open(Segment& seg) {
  const bool is_first = snd_.max == iss_;
  FastOpen& f = *fast_open_;
  if (!is_passive_ && !is_first) return;
  if (f.has_option) {
    seg.options.has_fast_open = true;
    seg.options.is_fast_open_experimental = f.is_experimental;
    seg.options.fast_open = f.cookie;
  }
  if (is_passive_) return;
  f.takes_text = false;
  seg.text_length = send_.octets();
  f.has_text = seg.text_length != 0;
}

// The SYN,ACK has come; what it does not acknowledge goes again at once.
void Connection::note_fast_open_answer(const Segment& seg, Instant now) {
  const Endpoint& server = tuple_.remote;
  FastOpenCache& cache = shared_.fast_open_cache;
  const bool has_text = fast_open_->has_text;
  const bool is_rest_lost = has_text && seg.ack < snd_.max;
  const bool has_cookie = seg.options.has_fast_open && seg.options.fast_open.size != 0;
  if (has_text) {
    ++(is_rest_lost ? shared_.counters.tcp_fast_open_active_failed
                    : shared_.counters.tcp_fast_open_active);
    syn_text_acked_ = !is_rest_lost;
  }
  if (is_rest_lost) {
    fast_open_failure_ =
        syn_lost_ ? FastOpenFailure::syn_sent_again : FastOpenFailure::text_not_acked;
  }
  if (!fast_open_->has_option) return;  // a cookie that nobody asked for is none
  const bool had_asked = fast_open_->cookie.size == 0;
  if (has_cookie) {
    cache.note_cookie(server, seg.options.fast_open, peer_mss_, now);
  } else if (is_rest_lost || had_asked) {
    cache.note_failure(server, now);
  } else if (has_text) {
    cache.note_success(server);
  }
}

// --- server

bool Connection::offer_cookie(const FastOpenCookie& cookie, bool is_experimental) {
  if (!fast_open_) fast_open_ = shared_.fast_opens.create();
  if (!fast_open_) return false;
  fast_open_->cookie = cookie;
  fast_open_->is_experimental = is_experimental;
  fast_open_->has_option = true;
  return true;
}

// Text that there is no memory for is not taken: not acknowledged, it comes again. So does a FIN.
bool Connection::open_fast(Segment& syn, Instant now) {
  if (!fast_open_) fast_open_ = shared_.fast_opens.create();
  if (!fast_open_) return false;
  fast_open_->is_open = true;
  congestion_.cwnd = Congestion::initial_window(snd_mss_);
  // What the SYN,ACK offers, and what follows it, in its own unit, cannot offer otherwise.
  const std::uint32_t most = std::min(window_space(), 65535u);
  rcv_.wnd = most >> rcv_scale_ != 0 ? most >> rcv_scale_ << rcv_scale_ : most;
  const std::uint32_t taken = std::min(syn.text_length, rcv_.wnd);
  if (taken == 0 || shared_.memory_is_scarce) return true;
  syn.text.truncate(taken);
  syn.text_length = taken;
  syn_text_acked_ = true;
  take_in_order(syn, now);
  return true;
}

}  // namespace pollux::tcp
