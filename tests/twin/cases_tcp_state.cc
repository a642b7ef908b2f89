// cases_tcp_state.cc - behaviours 16.1 to 16.30: what poll says of a TCP socket in each state.
#include <errno.h>
#include <netinet/tcp.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr const char* kFresh = "OUT|HUP|WRNORM";
constexpr const char* kIdle = "OUT|WRNORM";
constexpr const char* kReadable = "IN|OUT|RDNORM|WRNORM";
constexpr const char* kPeerClosed = "IN|OUT|RDNORM|WRNORM|RDHUP";
constexpr const char* kBothClosed = "IN|OUT|HUP|RDNORM|WRNORM|RDHUP";
constexpr const char* kDead = "IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP";
constexpr const char* kListening = "IN|RDNORM";

std::string connect(const Twin& t, int fd, const sockaddr_in& address) {
  return to_text(t.calls.connect(fd, any(address), sizeof address));
}

std::string tcp_state(const Twin& t, int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (t.calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return to_text(-1);
  return std::to_string(info.tcpi_state);
}

// What does not come by itself for a minute and a half: a listener that waits for data.
Listener deferring(Twin& t, int backlog) {
  const Listener made = t.listener(backlog);
  t.set_option(made.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60);
  return made;
}

void b16_1_fresh_and_bound(Twin& t) {
  const int fd = t.tcp();
  t.expect("fresh", t.mask(fd), kFresh);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  t.expect("bind", t.calls.bind(fd, any(address), sizeof address), 0);
  t.expect("bound", t.mask(fd), kFresh);
}

void b16_2_listener(Twin& t) {
  const Listener listener = t.listener();
  t.expect("empty queue", t.mask(listener.fd), "0");
  t.connecting(listener.address);
  t.expect("a connection", t.mask(listener.fd), "IN|RDNORM");
  t.accept(listener);
  t.expect("accepted", t.mask(listener.fd), "0");
}

void b16_3_listener_until_all_are_accepted(Twin& t) {
  const Listener listener = t.listener();
  t.connecting(listener.address);
  t.connecting(listener.address);
  t.expect("two wait", t.mask(listener.fd), kListening);
  t.accept(listener);
  t.expect("one waits", t.mask(listener.fd), kListening);
  t.accept(listener);
  t.expect("none", t.mask(listener.fd), "0");
}

// A listener that waits for data leaves the request half open, whatever the peer believes.
void b16_4_half_open(Twin& t) {
  const int set = t.set();
  const Listener listener = deferring(t, 16);
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'L');
  const int fd = t.connecting(listener.address);
  t.expect("the peer", t.mask(fd), kIdle);
  t.expect("half open", t.mask(listener.fd), "0");
  t.expect("event", t.wait(set), "none");
  t.expect("accept", to_text(t.calls.accept(listener.fd, nullptr, nullptr)), "-1 EAGAIN");
  t.reset(fd);
  t.expect("reset", t.mask(listener.fd), "0");
  t.expect("no event either", t.wait(set), "none");
}

// A full queue answers no SYN, so the connection stays where it is.
void b16_5_syn_sent(Twin& t) {
  const Listener listener = t.listener(0);
  t.connecting(listener.address);
  const int fd = t.tcp();
  t.expect("connect", connect(t, fd, listener.address), "-1 EINPROGRESS");
  t.settle();
  t.expect("SYN_SENT", t.mask(fd), "0");
  t.expect("again", connect(t, fd, listener.address), "-1 EALREADY");
  t.expect("send", t.send(fd, "x"), "-1 EAGAIN");
  t.expect("recv", t.receive(fd), "-1 EAGAIN");
}

void b16_7_established(Twin& t) {
  const Pair pair = t.pair();
  t.expect("active, idle", t.mask(pair.active), kIdle);
  t.expect("passive, idle", t.mask(pair.passive), kIdle);
  t.send(pair.active, "x");
  t.expect("data", t.mask(pair.passive), kReadable);
}

void b16_8_data_at_the_mark(Twin& t) {
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 3);
  t.send(pair.active, "ab");
  t.expect("two of three", t.mask(pair.passive), kIdle);
  t.send(pair.active, "c");
  t.expect("three", t.mask(pair.passive), kReadable);
  t.expect("recv of one", t.receive(pair.passive, 1), "\"a\"");
  t.expect("two are left", t.mask(pair.passive), kIdle);
}

void b16_9_shut_write(Twin& t) {
  const Pair pair = t.pair();
  shut(t, pair.active, SHUT_WR);
  t.expect("FIN_WAIT", t.mask(pair.active), kIdle);
  t.send(pair.passive, "x");
  t.expect("with data", t.mask(pair.active), kReadable);
  t.expect("send", t.send(pair.active, "x"), "-1 EPIPE");
}

void b16_10_close_wait(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  shut(t, pair.active, SHUT_WR);
  t.expect("unread", t.mask(pair.passive), kPeerClosed);
  t.expect("data first", t.receive(pair.passive), "\"x\"");
  t.expect("then the end", t.receive(pair.passive), "\"\"");
  t.expect("read", t.mask(pair.passive), kPeerClosed);
  t.expect("again", t.receive(pair.passive), "\"\"");
}

void b16_11_both_closed(Twin& t) {
  const Pair pair = t.pair();
  shut(t, pair.active, SHUT_WR);
  shut(t, pair.passive, SHUT_WR);
  t.expect("closed second", t.mask(pair.passive), kBothClosed);
  t.expect("closed first: TIME_WAIT", t.mask(pair.active), kBothClosed);
}

void b16_12_over(Twin& t) {
  const Pair pair = t.pair();
  shut(t, pair.active, SHUT_WR);
  t.expect("CLOSE_WAIT", tcp_state(t, pair.passive), std::to_string(TCP_CLOSE_WAIT));
  t.send(pair.passive, "x");
  shut(t, pair.passive, SHUT_WR);
  for (const int fd : {pair.active, pair.passive}) {
    t.expect("CLOSE", tcp_state(t, fd), std::to_string(TCP_CLOSE));
    t.expect("mask", t.mask(fd), kBothClosed);
  }
  t.expect("unread octets stay", t.receive(pair.active), "\"x\"");
  t.expect("then the end", t.receive(pair.active), "\"\"");
  t.expect("mask still", t.mask(pair.active), kBothClosed);
  t.expect("SO_ERROR", t.socket_error(pair.active), "0");
}

void b16_13_shut_read(Twin& t) {
  const Pair pair = t.pair();
  shut(t, pair.active, SHUT_RD);
  t.expect("here", t.mask(pair.active), kPeerClosed);
  t.expect("the peer", t.mask(pair.passive), kIdle);
  t.expect("recv", t.receive(pair.active), "\"\"");
  t.send(pair.passive, "late");
  t.expect("16.23: later bytes", t.receive(pair.active), "\"late\"");
  t.expect("then the end", t.receive(pair.active), "\"\"");
}

void b16_14_shut_both(Twin& t) {
  const Pair pair = t.pair();
  shut(t, pair.active, SHUT_RDWR);
  t.expect("here", t.mask(pair.active), kBothClosed);
  t.expect("the peer", t.mask(pair.passive), kPeerClosed);
}

void b16_15_reset(Twin& t) {
  const Pair pair = t.pair();
  t.reset(pair.active);
  t.expect("RST", t.mask(pair.passive), kDead);
  t.expect("SO_ERROR", t.socket_error(pair.passive), "ECONNRESET");
  t.expect("16.16: ERR is gone", t.mask(pair.passive), kBothClosed);
  t.expect("16.25: once", t.socket_error(pair.passive), "0");
  t.expect("recv", t.receive(pair.passive), "\"\"");
}

void b16_16_error_was_read(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.reset(pair.active);
  t.expect("SO_ERROR", t.socket_error(pair.passive), "ECONNRESET");
  t.expect("data unread", t.mask(pair.passive), kBothClosed);
  t.expect("recv", t.receive(pair.passive), "\"x\"");
  t.expect("no error any more", t.receive(pair.passive), "\"\"");
  t.expect("data read", t.mask(pair.passive), kBothClosed);
  const int fd = t.refused();
  t.expect("refused", t.socket_error(fd), "ECONNREFUSED");
  t.expect("refused: mask", t.mask(fd), kBothClosed);
}

void b16_17_shutdown_in_syn_sent(Twin& t) {
  for (const int how : {SHUT_WR, SHUT_RDWR}) {
    const Listener listener = t.listener(0);
    t.connecting(listener.address);
    const int fd = t.connecting(listener.address);
    t.expect("SYN_SENT", tcp_state(t, fd), std::to_string(TCP_SYN_SENT));
    t.expect("shutdown", t.calls.shutdown(fd, how), 0);
    t.expect("CLOSE", tcp_state(t, fd), std::to_string(TCP_CLOSE));
    t.expect("mask", t.mask(fd), "OUT|ERR|HUP|WRNORM");
    t.expect("SO_ERROR", t.socket_error(fd), "ECONNRESET");
    t.expect("after it", t.mask(fd), kFresh);
  }
}

void b16_18_disconnect(Twin& t) {
  const Pair pair = t.pair();
  sockaddr_in nowhere{};
  nowhere.sin_family = AF_UNSPEC;
  t.expect("connect(AF_UNSPEC)", connect(t, pair.active, nowhere), "0");
  t.settle();
  t.expect("here", t.mask(pair.active), "OUT|ERR|HUP|WRNORM");
  t.expect("the peer", t.mask(pair.passive), kDead);
}

void b16_19_listener_shut(Twin& t) {
  const Listener listener = t.listener();
  shut(t, listener.fd, SHUT_WR);
  t.expect("SHUT_WR: nothing", t.mask(listener.fd), "0");
  const int fd = t.connecting(listener.address);
  t.expect("still listens", t.mask(fd), kIdle);
  shut(t, listener.fd, SHUT_RD);
  t.expect("SHUT_RD", t.mask(listener.fd), kFresh);
}

void b16_20_listener_shut_write(Twin& t) {
  const Listener listener = t.listener();
  t.connecting(listener.address);
  t.expect("shutdown", t.calls.shutdown(listener.fd, SHUT_WR), 0);
  t.expect("LISTEN", tcp_state(t, listener.fd), std::to_string(TCP_LISTEN));
  t.expect("one waits still", t.mask(listener.fd), kListening);
  t.accept(listener);
  t.expect("mask", t.mask(listener.fd), "0");
  t.connecting(listener.address);
  t.expect("another comes", t.mask(listener.fd), kListening);
}

void b16_21_reset_before_accept(Twin& t) {
  const Listener listener = t.listener();
  t.reset(t.connecting(listener.address));
  t.expect("16.71: still queued", t.mask(listener.fd), "IN|RDNORM");
  const int fd = t.accept(listener);
  t.expect("accepted", fd >= 0, 1);
  t.expect("mask", t.mask(fd), kDead);
}

// A half is not HUP, whoever shut it, and the two halves may be shut from different ends.
void b16_22_hup_needs_both(Twin& t) {
  Pair pair = t.pair();
  shut(t, pair.active, SHUT_RD);
  t.expect("receiving, here", t.mask(pair.active), kPeerClosed);
  shut(t, pair.active, SHUT_WR);
  t.expect("and sending, here", t.mask(pair.active), kBothClosed);
  t.expect("receiving, from there", t.mask(pair.passive), kPeerClosed);
  shut(t, pair.passive, SHUT_WR);
  t.expect("and sending, here", t.mask(pair.passive), kBothClosed);
  pair = t.pair();
  shut(t, pair.active, SHUT_WR);
  t.expect("sending, here", t.mask(pair.active), kIdle);
  shut(t, pair.active, SHUT_RD);
  t.expect("and receiving, here", t.mask(pair.active), kBothClosed);
}

void b16_23_shut_read_discards_nothing(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "before ");
  shut(t, pair.passive, SHUT_RD);
  t.send(pair.active, "after");
  t.expect("the sender", t.mask(pair.active), kIdle);
  t.expect("mask", t.mask(pair.passive), kPeerClosed);
  t.expect("recv", t.receive(pair.passive, 7), "\"before \"");
  t.expect("recv again", t.receive(pair.passive), "\"after\"");
  t.expect("the end", t.receive(pair.passive), "\"\"");
  t.send(pair.active, "more");
  t.expect("not for good", t.receive(pair.passive), "\"more\"");
}

void b16_24_data_before_the_reset(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "last");
  t.reset(pair.active);
  t.expect("mask", t.mask(pair.passive), kDead);
  t.expect("first", t.receive(pair.passive), "\"last\"");
  t.expect("then", t.receive(pair.passive), "-1 ECONNRESET");
  t.expect("then the end", t.receive(pair.passive), "\"\"");
  t.expect("send", t.send(pair.passive, "x"), "-1 EPIPE");
}

void b16_24_write_to_a_closed_peer(Twin& t) {
  const Pair pair = t.pair();
  t.close(pair.active);
  t.settle();
  t.expect("FIN", t.mask(pair.passive), kPeerClosed);
  t.expect("first write", t.send(pair.passive, "x"), "1");
  t.expect("RST came", t.mask(pair.passive), kDead);
  t.expect("SO_ERROR", t.socket_error(pair.passive), "EPIPE");
}

void b16_25_error_is_read_once(Twin& t) {
  const Pair pair = t.pair();
  t.reset(pair.active);
  t.expect("mask", t.mask(pair.passive), kDead);
  t.expect("delivery does not clear it", t.mask(pair.passive), kDead);
  t.expect("SO_ERROR", t.socket_error(pair.passive), "ECONNRESET");
  t.expect("HUP stays", t.mask(pair.passive), kBothClosed);
  t.expect("once", t.socket_error(pair.passive), "0");
  t.expect("send", t.send(pair.passive, "x"), "-1 EPIPE");
}

void b16_26_refused(Twin& t) {
  const Listener gone = t.listener();
  t.close(gone.fd);
  const int fd = t.tcp();
  t.expect("connect", connect(t, fd, gone.address), "-1 EINPROGRESS");
  t.until(fd, POLLHUP);
  t.expect("mask", t.mask(fd), kDead);
  t.expect("SO_ERROR", t.socket_error(fd), "ECONNREFUSED");
  t.expect("connect again", connect(t, fd, gone.address), "-1 ECONNABORTED");
  t.expect("falls to", t.mask(fd), kFresh);
}

void b16_27_connect_completes(Twin& t) {
  const Listener listener = t.listener();
  const int fd = t.tcp();
  t.expect("first", connect(t, fd, listener.address), "-1 EINPROGRESS");
  t.until(fd, POLLOUT);
  t.expect("mask", t.mask(fd), kIdle);
  t.expect("connect says done", connect(t, fd, listener.address), "0");
  t.expect("afterwards", connect(t, fd, listener.address), "-1 EISCONN");
}

// A half-open request at a listener whose queue is full by now: all that comes for it is dropped,
// and its peer, who believes to be connected, hears nothing.
int unheard(Twin& t) {
  constexpr int kBacklog = 2;  // one more than that fits
  const Listener listener = deferring(t, kBacklog);
  const int fd = t.connecting(listener.address);
  for (int i = 0; i <= kBacklog; ++i) t.send(t.connecting(listener.address), "x");
  return fd;
}

void b16_28_nobody_acknowledges(Twin& t) {
  const int set = t.set();
  const int fd = unheard(t);
  t.set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 50);
  t.expect("connected", t.mask(fd), kIdle);
  t.expect("send", t.send(fd, "x"), "1");
  t.expect("not yet", t.mask(fd), kIdle);
  t.add(set, fd, EPOLLIN | EPOLLET, 'A');
  t.expect("given up", t.wait(set, 16, kMustComeMs), "A:IN|ERR|HUP");
  t.expect("mask", t.mask(fd), kDead);
  t.expect("SO_ERROR", t.socket_error(fd), "ETIMEDOUT");
  t.expect("after it", t.mask(fd), kBothClosed);
}

// The peer is alive and answers the probes, but it takes nothing.
void b16_28_window_never_opens(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.fill(pair.active);
  t.set_option(pair.active, IPPROTO_TCP, TCP_USER_TIMEOUT, 300);
  t.add(set, pair.active, EPOLLIN | EPOLLET, 'A');
  t.expect("given up", t.wait(set, 16, kMustComeMs), "A:IN|ERR|HUP");
  t.expect("SO_ERROR", t.socket_error(pair.active), "ETIMEDOUT");
}

constexpr Case kTcpStateCases[] = {
    {"16.1", "fresh and bound", b16_1_fresh_and_bound},
    {"16.2", "a listener, empty and not", b16_2_listener},
    {"16.3", "a listener until all are accepted", b16_3_listener_until_all_are_accepted},
    {"16.4", "a half-open request: nothing", b16_4_half_open},
    {"16.5", "SYN_SENT", b16_5_syn_sent},
    {"16.7", "established, idle and with data", b16_7_established},
    {"16.8", "data at the low-water mark", b16_8_data_at_the_mark},
    {"16.9", "own FIN sent: OUT stays", b16_9_shut_write},
    {"16.10", "peer's FIN: IN and RDHUP for good", b16_10_close_wait},
    {"16.11", "both directions closed", b16_11_both_closed},
    {"16.12", "TIME_WAIT and the last ACK are CLOSE", b16_12_over},
    {"16.13", "SHUT_RD, and bytes that arrive later", b16_13_shut_read},
    {"16.14", "SHUT_RDWR", b16_14_shut_both},
    {"16.15", "RST, SO_ERROR once", b16_15_reset},
    {"16.16", "RST and refusal, after SO_ERROR", b16_16_error_was_read},
    {"16.17", "shutdown in SYN_SENT", b16_17_shutdown_in_syn_sent},
    {"16.18", "connect(AF_UNSPEC)", b16_18_disconnect},
    {"16.19", "shutdown of a listener", b16_19_listener_shut},
    {"16.20", "SHUT_WR of a listener", b16_20_listener_shut_write},
    {"16.21", "RST before accept", b16_21_reset_before_accept},
    {"16.22", "HUP needs both directions", b16_22_hup_needs_both},
    {"16.23", "SHUT_RD discards nothing", b16_23_shut_read_discards_nothing},
    {"16.24", "data first, then ECONNRESET once", b16_24_data_before_the_reset},
    {"16.24b", "writing to a peer that closed", b16_24_write_to_a_closed_peer},
    {"16.25", "SO_ERROR is read once", b16_25_error_is_read_once},
    {"16.26", "refused, and connect again", b16_26_refused},
    {"16.27", "connect: EINPROGRESS, 0, EISCONN", b16_27_connect_completes},
    {"16.28", "nobody acknowledges: ETIMEDOUT", b16_28_nobody_acknowledges},
    {"16.28b", "the window never opens: ETIMEDOUT", b16_28_window_never_opens},
};

}  // namespace

std::span<const Case> tcp_state_cases() { return kTcpStateCases; }

}  // namespace pollux::twin
