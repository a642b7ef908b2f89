// listener_fast_open.cc - a SYN with a cookie makes a connection that may be accepted at once.
// RFC 7413 4.2.2. Linux: tcp_try_fastopen(), reqsk_fastopen_remove().
#include <utility>

#include "stack/tcp/fast_open_server.h"
#include "stack/tcp/tcp.h"

namespace pollux::tcp {

// False: an ordinary handshake, perhaps with a cookie in its SYN,ACK; the SYN's text is not taken.
bool Tcp::open_fast(Listener& listener, Connection& child, Segment syn, Instant now) {
  const FastOpenOptions& own = listener.fast_open();
  const TcpOptions& told = syn.options;
  if ((config_.fastopen & kFastOpenServer) == 0 || own.max_requests == 0) return false;
  if (syn.text_length == 0 && !told.has_fast_open) return false;
  if (!listener.has_room_for_fast_open(now)) {
    ++shared_.counters.tcp_fast_open_overflows;
    return false;
  }
  const bool needs_none = own.needs_no_cookie || (config_.fastopen & kFastOpenServerNoCookie) != 0;
  if (!(needs_none && syn.text_length != 0) && !take_cookie(listener, child, told)) return false;
  if (!child.open_fast(syn, now)) return false;
  ++shared_.counters.tcp_fast_open_passive;
  enter_demux(child);
  listener.add_fast_open(child.links);
  arm(child);
  return true;
}

// True: the cookie is right. A new one is offered to who has none, a wrong one or an old one.
bool Tcp::take_cookie(const Listener& listener, Connection& child, const TcpOptions& told) {
  if (!told.has_fast_open) return false;
  const FastOpenKeys keys = fast_open_keys(listener.fast_open());
  const bool is_request = told.fast_open.size == 0;
  const CookieVerdict verdict =
      is_request ? CookieVerdict::bad : check_fast_open_cookie(child.tuple(), told.fast_open, keys);
  if (verdict == CookieVerdict::good) return true;
  if (verdict == CookieVerdict::bad) {
    ++(is_request ? shared_.counters.tcp_fast_open_cookies_requested
                  : shared_.counters.tcp_fast_open_passive_failed);
  }
  const FastOpenCookie fresh = make_fast_open_cookie(child.tuple(), keys.key[0]);
  return child.offer_cookie(fresh, told.is_fast_open_experimental) && verdict == CookieVerdict::old;
}

FastOpenKeys Tcp::fast_open_keys(const FastOpenOptions& options) const {
  if (options.keys.count != 0) return options.keys;
  return {.key = {secret_.fast_open}, .count = 1};
}

// The handshake is over. What waits to be accepted goes on waiting, alive or not; one that a
// program has, and that a RST ended, goes on counting. A local abort is not taken for one: it
// leaves neither direction shut.
void Tcp::leave_fast_open(Connection& connection, Instant now) {
  TcpLinks& links = connection.links;
  Listener& listener = *links.listener;
  const bool was_reset = connection.status() == State::CLOSED &&
                         connection.pending_error() == Errno::connection_reset &&
                         connection.is_receive_shutdown();
  listener.end_fast_open(links);
  if (was_reset && !links.listener) listener.note_reset(now);
}

}  // namespace pollux::tcp
