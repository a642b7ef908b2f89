// cases_tcp_data.cc - behaviours 16.40 to 16.74: low-water mark, writability, urgent data,
// listeners.
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>

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

// A connection whose receiver takes about `octets` and no more, whatever it is sent. The sender's
// buffer has a size of its own, so that neither side tunes it.
Pair narrow(Twin& t, int octets, int send_buffer, int low_water_mark = 1) {
  const Listener listener = t.listener();
  t.set_option(listener.fd, SOL_SOCKET, SO_RCVLOWAT, low_water_mark);
  t.set_option(listener.fd, SOL_SOCKET, SO_RCVBUF, octets);
  Pair made{};
  made.active = t.connecting(listener.address);
  made.passive = t.accept(listener);
  t.set_option(made.active, SOL_SOCKET, SO_SNDBUF, send_buffer);
  return made;
}

bool is_writable(Twin& t, int fd) { return t.mask(fd).find("OUT") != std::string::npos; }

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

// The mark is set while the buffer is large, and is never reached: the window closes before.
void b16_44_window_closes_below_the_mark(Twin& t) {
  constexpr int kMark = 1 << 20;
  const int set = t.set();
  const Pair pair = narrow(t, 4096, 1 << 16, kMark);
  t.expect("mark", option(t, pair.passive, SOL_SOCKET, SO_RCVLOWAT), kMark);
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.send(pair.active, "x");
  t.expect("an octet: mask", t.mask(pair.passive), "OUT|WRNORM");
  t.expect("an octet: event", t.wait(set), "none");
  t.fill(pair.active);
  t.expect("full: mask", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM");
  t.expect("full: event", t.wait(set), "A:IN");
  t.expect("below the mark", request(t, pair.passive, FIONREAD) < kMark, 1);
}

// The urgent octet lies between the reader and what the mark counts.
void b16_45_urgent_octet_is_not_counted(Twin& t) {
  const Pair pair = t.pair();
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 3);
  t.send(pair.active, "u", MSG_OOB);
  t.send(pair.active, "ab");
  t.expect("two and the urgent one", t.mask(pair.passive), "PRI|OUT|WRNORM");
  t.send(pair.active, "c");
  t.expect("three", t.mask(pair.passive), "IN|PRI|OUT|RDNORM|WRNORM");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 4);
  t.expect("four of three", t.mask(pair.passive), "PRI|OUT|WRNORM");
  t.set_option(pair.passive, SOL_SOCKET, SO_OOBINLINE, 1);
  t.expect("in line it counts", t.mask(pair.passive), "IN|PRI|OUT|RDNORM|WRNORM");
}

// What is queued counts with its overhead, of which each side has its own. So the limit lies
// somewhere below two thirds in octets; a third, with no more overhead than octets, is below it.
void b16_50_writable_below_two_thirds(Twin& t) {
  const Pair pair = narrow(t, 4096, 40000);
  const int size = option(t, pair.active, SOL_SOCKET, SO_SNDBUF);
  t.expect("empty", is_writable(t, pair.active), 1);
  t.fill(pair.active);
  t.expect("full", is_writable(t, pair.active), 0);
  int missing = size, present = 0;  // the least without OUT, the most with it
  for (int left = size; left > 0;) {
    t.receive(pair.passive, 512);
    t.settle();
    left = request(t, pair.active, SIOCOUTQ);
    const bool is_out = is_writable(t, pair.active);
    if (is_out) present = std::max(present, left);
    if (!is_out) missing = std::min(missing, left);
  }
  t.expect("never above two thirds", present * 3 <= size * 2, 1);
  t.expect("always below a third", missing * 3 > size, 1);
  t.expect("one limit", present < missing, 1);
}

void b16_51_send_succeeds_before_out(Twin& t) {
  const Pair pair = narrow(t, 4096, 40000);
  t.fill(pair.active);
  t.expect("full", t.send(pair.active, "x"), "-1 EAGAIN");
  bool has_taken = false;
  for (int i = 0; i < 400 && !has_taken && !is_writable(t, pair.active); ++i) {
    t.receive(pair.passive, 512);
    t.settle();
    has_taken = !is_writable(t, pair.active) && t.send(pair.active, "x") == "1";
  }
  t.expect("taken", has_taken, 1);
  t.expect("OUT", is_writable(t, pair.active), 0);
}

void b16_52_not_sent_low_water_mark(Twin& t) {
  const Pair pair = narrow(t, 4096, 1 << 20);
  t.send(pair.active, std::string(60000, 'x'));
  const int unsent = request(t, pair.active, SIOCOUTQNSD);
  t.expect("something waits for the window", unsent > 0, 1);
  t.expect("no mark", is_writable(t, pair.active), 1);
  for (const int more : {-1, 0, 1}) {
    t.set_option(pair.active, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 2 * unsent + more);
    t.expect("twice the unsent and " + std::to_string(more), is_writable(t, pair.active), more > 0);
  }
  t.expect("send takes it all the same", t.send(pair.active, "x"), "1");
}

void b16_53_raising_a_limit(Twin& t) {
  const int set = t.set();
  Pair pair = narrow(t, 4096, 40000);
  t.fill(pair.active);
  t.add(set, pair.active, EPOLLOUT | EPOLLET, 'A');
  t.expect("full", t.wait(set), "none");
  t.set_option(pair.active, SOL_SOCKET, SO_SNDBUF, 100000);
  t.expect("a larger buffer", t.wait(set), "A:OUT");
  t.expect("mask", t.mask(pair.active), "OUT|WRNORM");
  pair = narrow(t, 4096, 1 << 20);
  t.set_option(pair.active, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096);
  t.send(pair.active, std::string(60000, 'x'));
  t.add(set, pair.active, EPOLLOUT | EPOLLET, 'B');
  t.expect("much unsent", t.wait(set), "none");
  t.set_option(pair.active, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1 << 20);
  t.expect("a higher mark", t.wait(set), "B:OUT");
  t.expect("once", t.wait(set), "none");
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

void b16_61_urgent_until_passed(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "ab");
  t.send(pair.active, "u", MSG_OOB);
  t.send(pair.active, "cd");
  const char* urgent = "IN|PRI|OUT|RDNORM|WRNORM";
  t.expect("up to it", t.receive(pair.passive, 1), "\"a\"");
  t.expect("before it", t.mask(pair.passive), urgent);
  t.expect("the last octet", t.receive(pair.passive, 1), "\"b\"");
  t.expect("at it", t.mask(pair.passive), urgent);
  t.expect("peek", t.receive(pair.passive, 1, MSG_OOB | MSG_PEEK), "\"u\"");
  t.expect("peeked at", t.mask(pair.passive), urgent);
  t.expect("the next octet", t.receive(pair.passive, 1), "\"c\"");
  t.expect("beyond it", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM");
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

void b16_64_urgent_in_vain(Twin& t) {
  const Pair pair = t.pair();
  t.expect("none", t.receive(pair.passive, 8, MSG_OOB), "-1 EINVAL");
  t.send(pair.active, "u", MSG_OOB);
  t.expect("once", t.receive(pair.passive, 8, MSG_OOB), "\"u\"");
  t.expect("twice", t.receive(pair.passive, 8, MSG_OOB), "-1 EINVAL");
  t.send(pair.active, "v", MSG_OOB);
  t.send(pair.active, "a");
  t.expect("past it", t.receive(pair.passive), "\"a\"");
  t.expect("too late", t.receive(pair.passive, 8, MSG_OOB), "-1 EINVAL");
  t.set_option(pair.passive, SOL_SOCKET, SO_OOBINLINE, 1);
  t.send(pair.active, "w", MSG_OOB);
  t.expect("in line", t.receive(pair.passive, 8, MSG_OOB), "-1 EINVAL");
  t.expect("it is there", t.receive(pair.passive), "\"w\"");
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

void b16_66_newer_urgent_byte(Twin& t) {
  Pair pair = t.pair();
  t.send(pair.active, "a");
  t.send(pair.active, "u", MSG_OOB);
  t.send(pair.active, "b");
  t.send(pair.active, "v", MSG_OOB);
  t.expect("the newer", t.receive(pair.passive, 8, MSG_OOB), "\"v\"");
  t.expect("the older is data", t.receive(pair.passive), "\"aub\"");
  pair = t.pair();
  t.send(pair.active, "u", MSG_OOB);
  t.send(pair.active, "b");
  t.send(pair.active, "v", MSG_OOB);
  t.expect("the next to read: dropped", t.receive(pair.passive), "\"b\"");
  t.expect("the newer stays", t.receive(pair.passive, 8, MSG_OOB), "\"v\"");
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

void b16_71_reset_in_the_queue(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'L');
  const int first = t.connecting(listener.address);
  const int second = t.connecting(listener.address);
  t.expect("two", t.wait(set), "L:IN");
  t.reset(first);
  t.expect("the reset is no event", t.wait(set), "none");
  t.expect("first", t.receive(t.accept(listener)), "-1 ECONNRESET");
  t.expect("second", t.receive(t.accept(listener)), "-1 EAGAIN");
  t.expect("mask", t.mask(listener.fd), "0");
  t.expect("its peer", t.mask(second), "OUT|WRNORM");
}

void b16_72_deferred_until_data(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  t.set_option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60);
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'L');
  const int fd = t.connecting(listener.address);
  t.expect("connected: mask", t.mask(listener.fd), "0");
  t.expect("connected: event", t.wait(set), "none");
  t.send(fd, "x");
  t.expect("data: mask", t.mask(listener.fd), "IN|RDNORM");
  t.expect("data: event", t.wait(set), "L:IN");
  t.expect("recv", t.receive(t.accept(listener)), "\"x\"");
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

constexpr Case kTcpDataCases[] = {
    {"16.40", "SO_RCVLOWAT's values", b16_40_low_water_mark_values},
    {"16.41", "below the mark: not readable, no event", b16_41_below_the_mark},
    {"16.42", "FIN regardless of the mark", b16_42_fin_regardless_of_the_mark},
    {"16.43", "lowering the mark is an edge", b16_43_lowering_the_mark},
    {"16.44", "below the mark, but the window closes", b16_44_window_closes_below_the_mark},
    {"16.45", "the mark and an urgent byte", b16_45_urgent_octet_is_not_counted},
    {"16.50", "OUT below two thirds of SO_SNDBUF", b16_50_writable_below_two_thirds},
    {"16.51", "send succeeds before OUT", b16_51_send_succeeds_before_out},
    {"16.52", "TCP_NOTSENT_LOWAT", b16_52_not_sent_low_water_mark},
    {"16.53", "raising SO_SNDBUF, TCP_NOTSENT_LOWAT", b16_53_raising_a_limit},
    {"16.54", "writable after shutdown", b16_54_writable_after_shutdown},
    {"16.55", "OUT returns when the peer reads", b16_55_level_out_returns},
    {"16.60", "an urgent byte", b16_60_urgent_byte},
    {"16.61", "PRI until it is read or passed", b16_61_urgent_until_passed},
    {"16.62", "only an urgent byte", b16_62_only_the_urgent_byte},
    {"16.63", "reading stops at the mark", b16_63_reading_stops_at_the_mark},
    {"16.64", "MSG_OOB in vain", b16_64_urgent_in_vain},
    {"16.65", "urgent data inline", b16_65_urgent_inline},
    {"16.66", "a newer urgent byte", b16_66_newer_urgent_byte},
    {"16.70", "an edge-triggered listener", b16_70_listener_edge},
    {"16.71", "RST in the accept queue", b16_71_reset_in_the_queue},
    {"16.72", "TCP_DEFER_ACCEPT", b16_72_deferred_until_data},
    {"16.74", "accept on an empty queue", b16_74_accept_on_an_empty_queue},
    {"16.62b", "FIONREAD", b16_80_fionread},
};

}  // namespace

std::span<const Case> tcp_data_cases() { return kTcpDataCases; }

}  // namespace pollux::twin
