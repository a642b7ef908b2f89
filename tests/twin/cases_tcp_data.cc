// cases_tcp_data.cc - behaviours 16.40 to 16.74: low-water mark, writability, urgent data,
// listeners.
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr unsigned long kSiocAtMark = 0x8905;

int option(const Twin& t, int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  t.calls.getsockopt(fd, level, name, &value, &length);
  return value;
}

int request(const Twin& t, int fd, unsigned long what) {
  int value = -1;
  t.calls.ioctl(fd, what, &value);
  return value;
}

void b16_40_low_water_mark_values(Twin& t) {
  const int fd = t.tcp();
  t.expect("default", option(t, fd, SOL_SOCKET, SO_RCVLOWAT), 1);
  t.set_option(fd, SOL_SOCKET, SO_RCVLOWAT, 0);
  t.expect("0 becomes", option(t, fd, SOL_SOCKET, SO_RCVLOWAT), 1);
  t.expect("SNDLOWAT", option(t, fd, SOL_SOCKET, SO_SNDLOWAT), 1);
  t.expect("set it", to_text(t.set_option(fd, SOL_SOCKET, SO_SNDLOWAT, 2)), "-1 ENOPROTOOPT");
}

void b16_41_below_the_mark(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 100);
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.send(pair.active, std::string(99, 'x'));
  t.expect("99: mask", t.mask(pair.passive), "OUT|WRNORM");
  t.expect("99: event", t.wait(set), "none");
  t.send(pair.active, "x");
  t.expect("100: mask", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM");
  t.expect("100: event", t.wait(set), "A:IN");
  t.send(pair.active, "x");
  t.expect("101: event", t.wait(set), "A:IN");
}

void b16_42_fin_regardless_of_the_mark(Twin& t) {
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 100);
  t.send(pair.active, "x");
  t.calls.shutdown(pair.active, SHUT_WR);
  t.settle();
  t.expect("FIN", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM|RDHUP");
}

void b16_43_lowering_the_mark(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 100);
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.send(pair.active, "0123456789");
  t.expect("below", t.wait(set), "none");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 10);
  t.expect("lowered: an edge", t.wait(set), "A:IN");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 11);
  t.expect("raised", t.mask(pair.passive), "OUT|WRNORM");
}

void b16_54_writable_after_shutdown(Twin& t) {
  const Pair pair = t.pair();
  t.fill(pair.active);
  t.expect("full", t.mask(pair.active), "0");
  t.calls.shutdown(pair.active, SHUT_WR);
  t.expect("shut", t.mask(pair.active), "OUT|WRNORM");
}

void b16_55_level_out_returns(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.fill(pair.active);
  t.add(set, pair.active, EPOLLOUT, 'A');
  t.expect("full", t.wait(set), "none");
  for (int i = 0; i < 400 && t.mask(pair.active) == "0"; ++i) {
    t.drain(pair.passive);
    t.settle();
  }
  t.expect("space", t.wait(set), "A:OUT");
}

void b16_60_urgent_byte(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "ab");
  t.send(pair.active, "u", MSG_OOB);
  t.expect("mask", t.mask(pair.passive), "IN|PRI|OUT|RDNORM|WRNORM");
  t.expect("OOB", t.receive(pair.passive, 8, MSG_OOB), "\"u\"");
  t.expect("16.61: read", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM");
  t.expect("16.64: twice", t.receive(pair.passive, 8, MSG_OOB), "-1 EINVAL");
  t.expect("data", t.receive(pair.passive), "\"ab\"");
}

void b16_62_only_the_urgent_byte(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "u", MSG_OOB);
  t.expect("mask", t.mask(pair.passive), "PRI|OUT|WRNORM");
  t.expect("FIONREAD", request(t, pair.passive, FIONREAD), 0);
  t.expect("recv", t.receive(pair.passive), "-1 EAGAIN");
  t.expect("skipped", t.mask(pair.passive), "OUT|WRNORM");
}

void b16_63_reading_stops_at_the_mark(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "ab");
  t.send(pair.active, "u", MSG_OOB);
  t.send(pair.active, "cd");
  t.expect("before", request(t, pair.passive, kSiocAtMark), 0);
  t.expect("up to it", t.receive(pair.passive), "\"ab\"");
  t.expect("at it", request(t, pair.passive, kSiocAtMark), 1);
  t.expect("beyond", t.receive(pair.passive), "\"cd\"");
  t.expect("PRI is gone", t.mask(pair.passive), "OUT|WRNORM");
}

void b16_65_urgent_inline(Twin& t) {
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_OOBINLINE, 1);
  t.send(pair.active, "ab");
  t.send(pair.active, "u", MSG_OOB);
  t.expect("mask", t.mask(pair.passive), "IN|PRI|OUT|RDNORM|WRNORM");
  t.expect("stops before it", t.receive(pair.passive), "\"ab\"");
  t.expect("then it", t.receive(pair.passive), "\"u\"");
  t.expect("PRI is gone", t.mask(pair.passive), "OUT|WRNORM");
}

void b16_70_listener_edge(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'L');
  t.connecting(listener.address);
  t.connecting(listener.address);
  t.expect("two connections", t.wait(set), "L:IN");
  t.accept(listener);
  t.expect("one accepted", t.wait(set), "none");
  t.connecting(listener.address);
  t.expect("a third", t.wait(set), "L:IN");
}

void b16_74_accept_on_an_empty_queue(Twin& t) {
  const Listener listener = t.listener();
  t.expect("accept", to_text(t.calls.accept(listener.fd, nullptr, nullptr)), "-1 EAGAIN");
}

void b16_80_fionread(Twin& t) {
  const Pair pair = t.pair();
  t.expect("nothing", request(t, pair.passive, FIONREAD), 0);
  t.send(pair.active, "abc");
  t.expect("three", request(t, pair.passive, FIONREAD), 3);
}

constexpr Case kCases[] = {
    {"16.40", "SO_RCVLOWAT's values", b16_40_low_water_mark_values},
    {"16.41", "below the mark: not readable, no event", b16_41_below_the_mark},
    {"16.42", "FIN regardless of the mark", b16_42_fin_regardless_of_the_mark},
    {"16.43", "lowering the mark is an edge", b16_43_lowering_the_mark},
    {"16.54", "writable after shutdown", b16_54_writable_after_shutdown},
    {"16.55", "OUT returns when the peer reads", b16_55_level_out_returns},
    {"16.60", "an urgent byte", b16_60_urgent_byte},
    {"16.62", "only an urgent byte", b16_62_only_the_urgent_byte},
    {"16.63", "reading stops at the mark", b16_63_reading_stops_at_the_mark},
    {"16.65", "urgent data inline", b16_65_urgent_inline},
    {"16.70", "an edge-triggered listener", b16_70_listener_edge},
    {"16.74", "accept on an empty queue", b16_74_accept_on_an_empty_queue},
    {"16.62b", "FIONREAD", b16_80_fionread},
};

}  // namespace

std::span<const Case> tcp_data_cases() { return kCases; }

}  // namespace pollux::twin
