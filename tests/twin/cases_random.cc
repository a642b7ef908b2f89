// cases_random.cc - what random programs found: behaviours that nobody had thought of asking about.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>

#include <array>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

sockaddr_in name_of(Twin& t, int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  t.calls.getsockname(fd, any(address), &length);
  return address;
}

int bind_to(Twin& t, int fd, sockaddr_in address) {
  return t.calls.bind(fd, any(address), sizeof address);
}

void b17_13_other_options(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.send(pair.active, "x");
  t.expect("data", t.wait(set), "A:IN");
  t.set_option(pair.passive, IPPROTO_TCP, TCP_NODELAY, 1);
  t.set_option(pair.passive, SOL_SOCKET, SO_KEEPALIVE, 1);
  t.set_option(pair.passive, IPPROTO_TCP, TCP_QUICKACK, 1);
  t.expect("other options", t.wait(set), "none");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 1);
  t.expect("the same mark again", t.wait(set), "A:IN");
}

void b17_13_after_fin(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 1);
  t.expect("no data", t.wait(set), "none");
  t.close(pair.active);
  t.until(pair.passive, POLLRDHUP);
  t.expect("FIN", t.wait(set), "A:IN");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 1);
  t.expect("no data after it", t.wait(set), "A:IN");
}

void b16_26_told(Twin& t) {
  const int set = t.set();
  const int fd = t.refused();
  t.add(set, fd, EPOLLET, 'A');
  t.expect("refused", t.wait(set), "A:ERR|HUP");
  sockaddr_in nobody = loopback(htons(9));
  t.expect("told", to_text(t.calls.connect(fd, any(nobody), sizeof nobody)), "-1 ECONNREFUSED");
  t.expect("which is an edge", t.wait(set), "A:HUP");
}

void b16_12_automatic_port(Twin& t) {
  const int fd = t.tcp();
  bind_to(t, fd, loopback(0));
  const sockaddr_in mine = name_of(t, fd);
  sockaddr_in nobody = loopback(htons(9));
  t.calls.connect(fd, any(nobody), sizeof nobody);
  t.until(fd, POLLHUP);
  t.expect("closed: it is free", bind_to(t, t.tcp(), mine), 0);
  t.expect("and taken", bind_to(t, fd, mine) == -1 && errno == EADDRINUSE, 1);
  const sockaddr_in left = name_of(t, fd);
  t.expect("the address is forgotten", ntohl(left.sin_addr.s_addr), INADDR_ANY);
  t.expect("the number is not", left.sin_port == mine.sin_port, 1);
}

void b16_18_accepted(Twin& t) {
  for (const in_addr_t host : {INADDR_LOOPBACK, INADDR_ANY}) {
    const int listener = t.tcp();
    sockaddr_in address = loopback(0);
    address.sin_addr.s_addr = htonl(host);
    bind_to(t, listener, address);
    t.calls.listen(listener, 4);
    const sockaddr_in to = loopback(name_of(t, listener).sin_port);
    t.connecting(to);
    const int fd = t.accept({listener, to});
    sockaddr_in none{};
    t.expect("connect(AF_UNSPEC)", t.calls.connect(fd, any(none), sizeof none), 0);
    t.expect("the listener's address is left", ntohl(name_of(t, fd).sin_addr.s_addr), host);
  }
}

void b8_4_mod_of_a_queued_item(Twin& t) {
  const int outer = t.set(), inner = t.set(), fd = t.tcp();
  t.add(inner, fd, EPOLLHUP, 'A');
  t.add(outer, inner, EPOLLIN | EPOLLET, 'I');
  t.expect("ready", t.wait(outer), "I:IN");
  t.modify(inner, fd, EPOLLHUP, 'A');
  t.expect("MOD: queued already", t.wait(outer), "none");
  t.modify(inner, fd, EPOLLHUP | EPOLLET, 'A');
  t.expect("harvested", t.wait(inner), "A:HUP");
  t.modify(inner, fd, EPOLLHUP | EPOLLET, 'A');
  t.expect("MOD: queued by it", t.wait(outer), "I:IN");
}

void b16_26_next_connect(Twin& t) {
  const Listener listener = t.listener();
  const int fd = t.refused();
  t.expect("bind", bind_to(t, fd, loopback(0)), 0);
  const in_port_t port = name_of(t, fd).sin_port;
  sockaddr_in to = listener.address;
  t.expect("told", to_text(t.calls.connect(fd, any(to), sizeof to)), "-1 ECONNREFUSED");
  t.calls.connect(fd, any(to), sizeof to);
  t.expect("the port is kept", name_of(t, fd).sin_port == port, 1);
}

void b17_13_urgent(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLPRI | EPOLLET, 'A');
  t.send(pair.active, "u", MSG_OOB | MSG_NOSIGNAL);
  t.expect("urgent", t.wait(set), "A:PRI");
  t.set_option(pair.passive, SOL_SOCKET, SO_RCVLOWAT, 1);
  t.expect("counts as data", t.wait(set), "A:PRI");
}

void b16_9_shut_before_listen(Twin& t) {
  const int listener = t.tcp();
  t.calls.shutdown(listener, SHUT_WR);
  bind_to(t, listener, loopback(0));
  t.calls.listen(listener, 4);
  const sockaddr_in to = name_of(t, listener);
  const int client = t.connecting(to);
  t.until(client, POLLRDHUP);
  t.expect("a FIN follows the handshake", t.mask(client), "IN|OUT|RDNORM|WRNORM|RDHUP");
  const int server = t.accept({listener, to});
  t.expect("accepted", t.mask(server), "OUT|WRNORM");
  t.expect("send", t.send(server, "x"), "-1 EPIPE");
}

void b16_21_name_of_who_reset(Twin& t) {
  const Listener listener = t.listener();
  const int client = t.connecting(listener.address);
  const sockaddr_in name = name_of(t, client);
  t.reset(client);
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const int fd = t.keep(t.calls.accept4(listener.fd, any(from), &length, SOCK_NONBLOCK));
  t.expect("accept says who it was", from.sin_port == name.sin_port, 1);
  t.expect("getpeername does not", to_text(t.calls.getpeername(fd, any(from), &length)),
           "-1 ENOTCONN");
}

void b16_62_nothing_read(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "au", MSG_OOB | MSG_NOSIGNAL);
  t.expect("before the mark", t.receive(pair.passive), "\"a\"");
  t.expect("nothing is read", t.receive(pair.passive, 0), "\"\"");
  t.expect("nothing is skipped", t.mask(pair.passive), "PRI|OUT|WRNORM");
}

void b16_63_peek_and_trunc(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "abc");
  std::array<char, 4> text{"..."};
  t.expect("peeked", t.calls.recv(pair.passive, text.data(), 3, MSG_PEEK | MSG_TRUNC), 3);
  t.expect("not copied", std::string(text.data()), "...");
  t.expect("still there", t.receive(pair.passive), "\"abc\"");
}

void b16_64_urgent_without_room(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "u", MSG_OOB | MSG_NOSIGNAL);
  msghdr message{};
  t.expect("no room", t.calls.recvmsg(pair.passive, &message, MSG_OOB), 0);
  t.expect("flags", message.msg_flags, MSG_OOB | MSG_TRUNC);
}

void b16_40_datagrams(Twin& t) {
  const int fd = t.udp();
  for (const int value : {0, 5, -1}) {
    t.set_option(fd, SOL_SOCKET, SO_RCVLOWAT, value);
    int got = -2;
    socklen_t length = sizeof got;
    t.calls.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &got, &length);
    t.expect(std::to_string(value), got, value == 0 ? 1 : value == 5 ? 5 : INT32_MAX);
  }
}

void b17_9_listener_with_a_queue(Twin& t) {
  const int set = t.set();
  const Listener listener = t.listener();
  t.connecting(listener.address);
  t.until(listener.fd, POLLIN);
  t.add(set, listener.fd, EPOLLIN | EPOLLET, 'A');
  t.expect("a connection", t.wait(set), "A:IN");
  t.expect("SHUT_WR", t.calls.shutdown(listener.fd, SHUT_WR), 0);
  t.expect("an edge all the same", t.wait(set), "A:IN");
}

void b18_7_leaving(Twin& t) {
  const int set = t.set(), fd = t.udp();
  bind_to(t, fd, loopback(0));
  sockaddr_in self = name_of(t, fd);
  t.calls.connect(fd, any(self), sizeof self);
  t.add(set, fd, EPOLLOUT | EPOLLET, 'A');
  t.expect("at first", t.wait(set), "A:OUT");
  t.expect("then", t.wait(set), "none");
  t.send(fd, "x");
  t.expect("a datagram left", t.wait(set), "A:OUT");
  t.receive(fd);
  t.expect("read", t.wait(set), "none");
}

void b18_4_port_0(Twin& t) {
  const int fd = t.udp(), other = t.udp();
  sockaddr_in host = loopback(0);
  t.expect("connect", t.calls.connect(fd, any(host), sizeof host), 0);
  socklen_t length = sizeof host;
  const int result = t.calls.getpeername(fd, any(host), &length);
  t.expect("getpeername", to_text(result), "-1 ENOTCONN");
  t.send(fd, "x");
  t.expect("nobody there", t.socket_error(fd), "ECONNREFUSED");
  sockaddr_in self = name_of(t, fd);
  t.calls.connect(other, any(self), sizeof self);
  t.send(other, "y");
  t.expect("any port of it", t.receive(fd), "\"y\"");
}

constexpr Case kRandomCases[] = {
    {"8.4b", "MOD of an inner item that is queued", b8_4_mod_of_a_queued_item},
    {"16.9b", "shutdown before listen sends FINs", b16_9_shut_before_listen},
    {"16.12b", "an automatic port is given back at CLOSE", b16_12_automatic_port},
    {"16.18b", "an accepted socket is bound as its listener", b16_18_accepted},
    {"16.21b", "the name of a peer that reset before accept", b16_21_name_of_who_reset},
    {"16.26b", "connect() that tells of a failure is an edge", b16_26_told},
    {"16.26c", "bind after a failed connect", b16_26_next_connect},
    {"16.40b", "SO_RCVLOWAT of datagrams reads back", b16_40_datagrams},
    {"16.62b", "reading nothing at the mark", b16_62_nothing_read},
    {"16.63b", "MSG_PEEK with MSG_TRUNC copies nothing", b16_63_peek_and_trunc},
    {"16.64b", "MSG_OOB without room", b16_64_urgent_without_room},
    {"17.9b", "SHUT_WR of a listener with a queue", b17_9_listener_with_a_queue},
    {"17.13", "of the options only SO_RCVLOWAT is an edge", b17_13_other_options},
    {"17.13b", "SO_RCVLOWAT after FIN always is", b17_13_after_fin},
    {"17.13c", "SO_RCVLOWAT with an urgent octet", b17_13_urgent},
    {"18.4b", "connect to port 0", b18_4_port_0},
    {"18.7", "a datagram that leaves is an edge", b18_7_leaving},
};

}  // namespace

std::span<const Case> random_cases() { return kRandomCases; }

}  // namespace pollux::twin
