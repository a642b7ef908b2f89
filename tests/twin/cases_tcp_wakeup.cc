// cases_tcp_wakeup.cc - behaviours 17.x: which event of a TCP connection wakes whom.
#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr uint32_t kEverything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

// The passive end of a connection, watched edge-triggered; the event of ADD is taken.
struct Edge {
  Edge(Twin& t, uint32_t events) : set(t.set()), pair(t.pair()) {
    t.add(set, pair.passive, events | EPOLLET, 'A');
    t.wait(set);
  }
  int set;
  Pair pair;
};

void shut(Twin& t, int fd, int how) {
  t.calls.shutdown(fd, how);
  t.settle();
}

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

constexpr Case kCases[] = {
    {"17.1", "data", b17_1_data},
    {"17.2", "urgent data", b17_2_urgent},
    {"17.3", "FIN", b17_3_fin},
    {"17.3b", "data and FIN before the wait: one event", b17_3_data_and_fin},
    {"17.4", "RST", b17_4_reset},
    {"17.5", "connect completed", b17_5_connect_completes},
    {"17.8", "shutdown here, either direction", b17_8_shutdown_here},
    {"17.9", "SHUT_WR of a listener: nothing", b17_9_listener_shut_write},
    {"17.20", "RDHUP only: FIN", b17_20_rdhup_only},
    {"17.20b", "RDHUP only: shutdown here", b17_20_rdhup_by_shutdown},
    {"17.21", "interest 0: ERR and HUP", b17_21_interest_0},
    {"17.22", "a fresh socket, level-triggered", b17_22_fresh_level},
    {"17.22b", "watched before connect, refused", b17_22_refused},
    {"17.24", "data after SHUT_RD is an edge", b17_24_data_after_shut_read},
};

}  // namespace

std::span<const Case> tcp_wakeup_cases() { return kCases; }

}  // namespace pollux::twin
