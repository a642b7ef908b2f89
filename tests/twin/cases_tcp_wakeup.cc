// cases_tcp_wakeup.cc - behaviours 17.x: which event of a TCP connection wakes whom.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr uint32_t kEverything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
constexpr const char* kOver = "A:IN|OUT|HUP|RDHUP";

// The passive end of a connection, watched edge-triggered; the event of ADD is taken.
struct Edge {
  Edge(Twin& t, uint32_t events) : set(t.set()), pair(t.pair()) {
    t.add(set, pair.passive, events | EPOLLET, 'A');
    t.wait(set);
  }
  int set;
  Pair pair;
};

// A connection that only its active end knows of: the listener waits for data, and drops what comes
// while its queue is full. accept() of the queue makes room; what is sent again then arrives.
struct Unheard {
  explicit Unheard(Twin& t) : listener(t.listener(kBacklog)) {
    t.set_option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60);
    fd = t.connecting(listener.address);
    for (int i = 0; i <= kBacklog; ++i) t.send(t.connecting(listener.address), "x");
  }
  // The passive end, which is the last of the queue.
  int accept_all(Twin& t) const {
    for (int i = 0; i <= kBacklog; ++i) t.accept(listener);
    pollfd entry{.fd = listener.fd, .events = POLLIN, .revents = 0};
    t.calls.poll(&entry, 1, kMustComeMs);
    return t.accept(listener);
  }
  static constexpr int kBacklog = 2;  // one more than that fits
  Listener listener;
  int fd;
};

void b17_1_data(Twin& t) {
  const Edge e(t, kEverything);
  t.send(e.pair.active, "x");
  t.expect("data", t.wait(e.set), "A:IN|OUT");
  t.expect("once", t.wait(e.set), "none");
}

void b17_2_urgent(Twin& t) {
  const Edge e(t, EPOLLPRI);
  t.send(e.pair.active, "u", MSG_OOB);
  t.expect("urgent", t.wait(e.set), "A:PRI");
}

void b17_3_fin(Twin& t) {
  const Edge e(t, kEverything);
  shut(t, e.pair.active, SHUT_WR);
  t.expect("FIN", t.wait(e.set), "A:IN|OUT|RDHUP");
  t.expect("once", t.wait(e.set), "none");
}

void b17_3_data_and_fin(Twin& t) {
  const Edge e(t, kEverything);
  t.send(e.pair.active, "x");
  shut(t, e.pair.active, SHUT_WR);
  t.expect("both in one event", t.wait(e.set), "A:IN|OUT|RDHUP");
  t.expect("once", t.wait(e.set), "none");
}

void b17_4_reset(Twin& t) {
  const Edge e(t, kEverything);
  t.reset(e.pair.active);
  t.expect("RST", t.wait(e.set), "A:IN|OUT|ERR|HUP|RDHUP");
  t.expect("once", t.wait(e.set), "none");
  t.socket_error(e.pair.passive);
  t.expect("17.23: reading SO_ERROR is no event", t.wait(e.set), "none");
}

void b17_5_connect_completes(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  const int fd = t.tcp();
  t.add(set, fd, kEverything, 'A');
  t.expect("17.22: fresh", t.wait(set), "A:OUT|HUP");
  const auto* address = reinterpret_cast<const sockaddr*>(&listener.address);
  t.calls.connect(fd, address, sizeof listener.address);
  t.settle();
  t.expect("completed", t.wait(set), "A:OUT");
}

void b17_22_refused(Twin& t) {
  const int set = t.set();
  const Listener gone = t.listener();
  t.close(gone.fd);
  const int fd = t.tcp();
  t.add(set, fd, kEverything, 'A');
  t.wait(set);
  const auto* address = reinterpret_cast<const sockaddr*>(&gone.address);
  t.calls.connect(fd, address, sizeof gone.address);
  t.settle();
  t.expect("refused", t.wait(set), "A:IN|OUT|ERR|HUP|RDHUP");
}

void b17_22_fresh_level(Twin& t) {
  const int set = t.set();
  t.add(set, t.tcp(), EPOLLIN | EPOLLOUT, 'A');
  t.expect("continuously", t.wait(set) + ", " + t.wait(set), "A:OUT|HUP, A:OUT|HUP");
}

void b17_6_own_fin_acknowledged(Twin& t) {
  const int set = t.set();
  const Unheard u(t);
  t.add(set, u.fd, kEverything, 'A');
  t.add(set, t.keep(t.calls.dup(u.fd)), EPOLLIN | EPOLLRDHUP | EPOLLET, 'B');
  t.expect("ADD", t.wait(set), "A:OUT");
  shut(t, u.fd, SHUT_WR);
  t.expect("17.8: shutdown", t.wait(set), "A:OUT");
  t.expect("once", t.wait(set), "none");
  const int passive = u.accept_all(t);
  t.expect("the FIN came", t.mask(passive), "IN|OUT|RDNORM|WRNORM|RDHUP");
  t.expect("acknowledged", t.wait(set, 16, kMustComeMs), "A:OUT");
  t.expect("once", t.wait(set), "none");
}

// The peer's FIN comes when this side has nothing more to change: the same once more.
void b17_7_the_last_fin(Twin& t) {
  const Edge e(t, kEverything);
  shut(t, e.pair.passive, SHUT_RDWR);
  t.expect("shutdown", t.wait(e.set), kOver);
  t.wait(e.set, 16, 100);  // a delayed acknowledgment of the FIN (17.6)
  const int other = t.set();
  t.add(other, e.pair.active, kEverything, 'B');
  t.expect("the peer", t.wait(other), "B:IN|OUT|RDHUP");
  shut(t, e.pair.active, SHUT_WR);
  t.expect("TIME_WAIT", t.wait(e.set), kOver);
  t.expect("the last ACK", t.wait(other), "B:IN|OUT|HUP|RDHUP");
  t.expect("once", t.wait(e.set), "none");
}

void b17_8_shutdown_here(Twin& t) {
  const Edge e(t, kEverything);
  t.calls.shutdown(e.pair.passive, SHUT_RD);
  t.expect("SHUT_RD", t.wait(e.set), "A:IN|OUT|RDHUP");
  shut(t, e.pair.passive, SHUT_WR);
  t.expect("SHUT_WR", t.wait(e.set), "A:IN|OUT|HUP|RDHUP");
}

void b17_9_listener_shut_write(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  t.add(set, listener.fd, kEverything, 'L');
  t.calls.shutdown(listener.fd, SHUT_WR);
  t.expect("nothing", t.wait(set), "none");
}

void b17_10_space_after_it_was_missed(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.set_option(pair.active, SOL_SOCKET, SO_SNDBUF, 40000);
  t.add(set, pair.active, kEverything, 'A');
  t.add(set, t.keep(t.calls.dup(pair.active)), EPOLLIN | EPOLLET, 'B');
  t.expect("ADD", t.wait(set), "A:OUT");
  t.send(pair.active, "x");
  t.drain(pair.passive);
  t.settle();
  t.expect("acknowledged", t.wait(set), "none");
  t.fill(pair.active);
  t.expect("full", t.wait(set), "none");
  std::string event = "none";
  for (int i = 0; i < 400 && event == "none"; ++i) {
    t.drain(pair.passive);
    event = t.wait(set, 16, 1);
  }
  t.expect("space", event, "A:OUT");
  int left = 1;
  for (int i = 0; i < 400 && left > 0; ++i) {
    t.drain(pair.passive);
    t.settle();
    t.calls.ioctl(pair.active, TIOCOUTQ, &left);
  }
  t.expect("more and more space", t.wait(set), "none");
}

void b17_11_new_connection(Twin& t) {
  const int set = t.set(), exclusive = t.set();
  const Listener listener = t.listener();
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'L');
  t.add(set, t.keep(t.calls.dup(listener.fd)), EPOLLOUT | EPOLLRDHUP | EPOLLET, 'O');
  t.add(set, t.keep(t.calls.dup(listener.fd)), EPOLLRDNORM | EPOLLET, 'R');
  t.add(exclusive, listener.fd, EPOLLIN | EPOLLEXCLUSIVE, 'X');
  t.connecting(listener.address);
  t.expect("a connection", t.wait(set), "R:RDNORM L:IN");
  t.expect("exclusive", t.wait(exclusive), "X:IN");
  t.accept(listener);
  t.expect("accepted", t.wait(exclusive), "none");
  t.expect("no event", t.wait(set), "none");
}

void b17_12_disconnect(Twin& t) {
  const Edge e(t, kEverything);
  t.add(e.set, t.keep(t.calls.dup(e.pair.passive)), EPOLLIN | EPOLLET, 'B');
  sockaddr_in nowhere{};
  nowhere.sin_family = AF_UNSPEC;
  t.expect("connect", t.calls.connect(e.pair.passive, any(nowhere), sizeof nowhere), 0);
  t.expect("event", t.wait(e.set), "B:ERR|HUP A:OUT|ERR|HUP");
  t.expect("once", t.wait(e.set), "none");
}

// A writer is told whenever it is writable then; a reader if what it waits for is there.
void b17_13_options(Twin& t) {
  const Edge e(t, kEverything);
  t.set_option(e.pair.passive, SOL_SOCKET, SO_RCVLOWAT, 10);
  t.expect("nothing to read", t.wait(e.set), "none");
  t.set_option(e.pair.passive, SOL_SOCKET, SO_SNDBUF, 100000);
  t.expect("SO_SNDBUF", t.wait(e.set), "A:OUT");
  t.set_option(e.pair.passive, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100000);
  t.expect("TCP_NOTSENT_LOWAT", t.wait(e.set), "A:OUT");
  t.set_option(e.pair.passive, SOL_SOCKET, SO_RCVBUF, 100000);
  t.expect("SO_RCVBUF", t.wait(e.set), "none");
  t.send(e.pair.active, "x");
  t.set_option(e.pair.passive, SOL_SOCKET, SO_RCVLOWAT, 2);
  t.expect("still below", t.wait(e.set), "none");
  t.set_option(e.pair.passive, SOL_SOCKET, SO_RCVLOWAT, 1);
  t.expect("SO_RCVLOWAT", t.wait(e.set), "A:IN|OUT");
}

void b17_13_options_of_the_unconnected(Twin& t) {
  for (const int fd : {t.tcp(), t.udp()}) {
    const int set = t.set();
    t.add(set, fd, kEverything, 'A');
    const std::string fresh = t.wait(set);
    t.set_option(fd, SOL_SOCKET, SO_SNDBUF, 100000);
    t.expect("SO_SNDBUF", t.wait(set), fresh);
    t.expect("once", t.wait(set), "none");
  }
}

// An entry in the error queue, of the one kind that both sides have.
void b17_15_error_queue(Twin& t) {
  const int set = t.set(), fd = t.udp(), gone = t.udp();
  sockaddr_in address{};
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  t.calls.bind(gone, any(address), length);
  t.calls.getsockname(gone, reinterpret_cast<sockaddr*>(&address), &length);
  t.calls.connect(fd, any(address), length);
  t.close(gone);
  t.set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
  t.add(set, fd, EPOLLET, 'A');
  t.add(set, t.keep(t.calls.dup(fd)), EPOLLIN | EPOLLET, 'B');
  t.send(fd, "x");
  t.expect("entry", t.wait(set), "B:ERR A:ERR");
  t.expect("once", t.wait(set), "none");
}

// The buffer shrinks below a window that is offered already. What does not fit any more may be
// dropped, to come again, or kept; the reader hears of it in either case, and loses nothing.
void b17_16_no_room_for_what_comes(Twin& t) {
  const Edge e(t, kEverything);
  t.set_option(e.pair.passive, SOL_SOCKET, SO_RCVBUF, 2304);
  t.send(e.pair.active, std::string(8000, 'x'));
  t.expect("has room", t.wait(e.set), "A:IN|OUT");
  t.send(e.pair.active, std::string(8000, 'y'));
  t.expect("has none", t.wait(e.set), "A:IN|OUT");
  size_t octets = 0;
  for (int i = 0; i < 50 && octets < 16000; ++i) {
    octets += t.drain(e.pair.passive);
    t.wait(e.set, 16, 100);
  }
  t.expect("all comes", static_cast<long>(octets), 16000);
}

void expect_silent_retransmissions(Twin& t) {
  const int set = t.set();
  const Unheard u(t);
  t.add(set, u.fd, kEverything, 'A');
  t.expect("ADD", t.wait(set), "A:OUT");
  t.send(u.fd, "y");
  t.expect("sent again", t.wait(set, 16, 250), "none");
  const int passive = u.accept_all(t);
  t.expect("data", t.receive(passive), "\"y\"");
  t.expect("acknowledged", t.wait(set), "none");
}

uint32_t last_ack_ms(const Twin& t, int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  t.calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  return info.tcpi_last_ack_recv;
}

// The probe is due a second after the last octet; the retransmissions fill most of that time.
void b17_17_nothing_new(Twin& t) {
  const Edge e(t, kEverything);
  t.set_option(e.pair.passive, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  t.set_option(e.pair.passive, SOL_SOCKET, SO_KEEPALIVE, 1);
  t.add(e.set, e.pair.active, kEverything, 'B');
  t.wait(e.set);
  t.send(e.pair.active, std::string(30000, 'x'));
  t.expect("30000 octets", t.wait(e.set), "A:IN|OUT");
  t.drain(e.pair.passive);
  t.settle();
  t.expect("window update, acknowledgment", t.wait(e.set), "none");
  expect_silent_retransmissions(t);
  std::string events = t.wait(e.set);
  bool is_probed = false;
  for (int i = 0; i < 500 && !is_probed && events == "none"; ++i) {
    const uint32_t before = last_ack_ms(t, e.pair.passive);
    events = t.wait(e.set, 16, 10);
    is_probed = last_ack_ms(t, e.pair.passive) < before;
  }
  t.expect("a probe was answered", is_probed, 1);
  t.expect("keepalive", events, "none");
}

void b17_18_last_close(Twin& t) {
  const int outer = t.set(), inner = t.set();
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.add(inner, pair.passive, kEverything, 'A');
  t.add(outer, inner, EPOLLIN | EPOLLET, 'S');
  t.expect("ADD", t.wait(outer), "S:IN");
  t.expect("close", t.close(pair.passive), 0);
  t.expect("nobody is woken", t.wait(outer), "none");
  t.expect("nothing is left", t.wait(inner), "none");
}

void b17_23_events_after_a_reset(Twin& t) {
  const Edge e(t, kEverything);
  t.send(e.pair.active, "x");
  t.reset(e.pair.active);
  t.expect("data and RST", t.wait(e.set), "A:IN|OUT|ERR|HUP|RDHUP");
  t.expect("once", t.wait(e.set), "none");
  t.expect("SO_ERROR", t.socket_error(e.pair.passive), "ECONNRESET");
  t.expect("is no event", t.wait(e.set), "none");
  t.expect("data", t.receive(e.pair.passive), "\"x\"");
  t.expect("the end", t.receive(e.pair.passive), "\"\"");
  t.expect("nor is reading", t.wait(e.set), "none");
}

void b17_20_rdhup_only(Twin& t) {
  const Edge e(t, EPOLLRDHUP);
  t.send(e.pair.active, "x");
  t.expect("data", t.wait(e.set), "none");
  shut(t, e.pair.active, SHUT_WR);
  t.expect("FIN", t.wait(e.set), "A:RDHUP");
}

void b17_20_rdhup_by_shutdown(Twin& t) {
  const Edge e(t, EPOLLRDHUP);
  t.calls.shutdown(e.pair.passive, SHUT_RD);
  t.expect("SHUT_RD", t.wait(e.set), "A:RDHUP");
  shut(t, e.pair.passive, SHUT_WR);
  t.expect("SHUT_WR then", t.wait(e.set), "A:HUP|RDHUP");
}

void b17_21_interest_0(Twin& t) {
  for (const uint32_t events : {0u, uint32_t{EPOLLET}}) {
    const int set = t.set();
    const Pair pair = t.pair();
    t.add(set, pair.passive, events, 'A');
    t.send(pair.active, "x");
    t.expect("data", t.wait(set), "none");
    t.reset(pair.active);
    t.expect("RST", t.wait(set), "A:ERR|HUP");
  }
}

void b17_24_data_after_shut_read(Twin& t) {
  const Edge e(t, EPOLLIN);
  t.calls.shutdown(e.pair.passive, SHUT_RD);
  t.expect("SHUT_RD", t.wait(e.set), "A:IN");
  t.send(e.pair.active, "x");
  t.expect("data", t.wait(e.set), "A:IN");
}

constexpr Case kTcpWakeupCases[] = {
    {"17.1", "data", b17_1_data},
    {"17.2", "urgent data", b17_2_urgent},
    {"17.3", "FIN", b17_3_fin},
    {"17.3b", "data and FIN before the wait: one event", b17_3_data_and_fin},
    {"17.4", "RST", b17_4_reset},
    {"17.5", "connect completed", b17_5_connect_completes},
    {"17.6", "own FIN acknowledged", b17_6_own_fin_acknowledged},
    {"17.7", "TIME_WAIT, last ACK", b17_7_the_last_fin},
    {"17.8", "shutdown here, either direction", b17_8_shutdown_here},
    {"17.9", "SHUT_WR of a listener: nothing", b17_9_listener_shut_write},
    {"17.10", "space, once, after it was missed", b17_10_space_after_it_was_missed},
    {"17.11", "a new connection", b17_11_new_connection},
    {"17.12", "connect(AF_UNSPEC)", b17_12_disconnect},
    {"17.13", "options that make it ready", b17_13_options},
    {"17.13b", "options of the unconnected", b17_13_options_of_the_unconnected},
    {"17.15", "an entry in the error queue", b17_15_error_queue},
    {"17.16", "no room for what comes", b17_16_no_room_for_what_comes},
    {"17.17", "acknowledgments, repeats, probes: nothing", b17_17_nothing_new},
    {"17.18", "the last close: nothing", b17_18_last_close},
    {"17.20", "RDHUP only: FIN", b17_20_rdhup_only},
    {"17.20b", "RDHUP only: shutdown here", b17_20_rdhup_by_shutdown},
    {"17.21", "interest 0: ERR and HUP", b17_21_interest_0},
    {"17.22", "a fresh socket, level-triggered", b17_22_fresh_level},
    {"17.22b", "watched before connect, refused", b17_22_refused},
    {"17.23", "one event after RST", b17_23_events_after_a_reset},
    {"17.24", "data after SHUT_RD is an edge", b17_24_data_after_shut_read},
};

}  // namespace

std::span<const Case> tcp_wakeup_cases() { return kTcpWakeupCases; }

}  // namespace pollux::twin
