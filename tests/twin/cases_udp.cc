// cases_udp.cc - behaviours 18.x: readiness of UDP sockets.
#include <arpa/inet.h>
#include <netinet/udp.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr const char* kUdpIdle = "OUT|WRNORM|WRBAND";
constexpr const char* kUdpReadable = "IN|OUT|RDNORM|WRNORM|WRBAND";

// A bound receiver and a sender connected to it.
struct Datagrams {
  explicit Datagrams(Twin& t) : receiver(t.udp()), sender(t.udp()) {
    socklen_t length = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    t.calls.bind(receiver, any(address), length);
    t.calls.getsockname(receiver, any(address), &length);
    t.calls.connect(sender, any(address), length);
  }
  int receiver;
  int sender;
  sockaddr_in address{};
};

void b18_1_masks(Twin& t) {
  t.expect("unbound", t.mask(t.udp()), kUdpIdle);
  const Datagrams d(t);
  t.expect("bound", t.mask(d.receiver), kUdpIdle);
  t.expect("connected", t.mask(d.sender), kUdpIdle);
  t.send(d.sender, "one");
  t.expect("a datagram", t.mask(d.receiver), kUdpReadable);
  t.expect("recv", t.receive(d.receiver), "\"one\"");
  t.expect("then", t.receive(d.receiver), "-1 EAGAIN");
}

void b18_2_empty_datagram(Twin& t) {
  const Datagrams d(t);
  t.expect("send", t.send(d.sender, ""), "0");
  t.expect("mask", t.mask(d.receiver), kUdpReadable);
  t.expect("recv", t.receive(d.receiver), "\"\"");
  t.expect("drained", t.mask(d.receiver), kUdpIdle);
}

void b18_3_edges(Twin& t) {
  const int set = t.set();
  const Datagrams d(t);
  t.add(set, d.receiver, EPOLLIN | EPOLLET, 'A');
  t.send(d.sender, "one");
  t.send(d.sender, "two");
  t.expect("two arrivals", t.wait(set), "A:IN");
  t.expect("boundaries are kept", t.receive(d.receiver), "\"one\"");
  t.expect("one read", t.wait(set), "none");
  t.send(d.sender, "three");
  t.expect("another", t.wait(set), "A:IN");
}

void b18_3_held_back(Twin& t) {
  const Datagrams d(t);
  t.expect("MSG_MORE", t.send(d.sender, "on", MSG_MORE), "2");
  t.expect("nothing yet", t.mask(d.receiver), kUdpIdle);
  t.expect("the rest", t.send(d.sender, "e"), "1");
  t.expect("one datagram", t.receive(d.receiver), "\"one\"");
  t.expect("UDP_CORK", t.set_option(d.sender, IPPROTO_UDP, UDP_CORK, 1), 0);
  t.send(d.sender, "tw");
  t.expect("held", t.mask(d.receiver), kUdpIdle);
  t.expect("off", t.set_option(d.sender, IPPROTO_UDP, UDP_CORK, 0), 0);
  t.expect("left", t.receive(d.receiver), "\"tw\"");
  t.send(d.sender, "fo", MSG_MORE);
  t.expect("SHUT_WR", t.calls.shutdown(d.sender, SHUT_WR), 0);
  t.expect("the end of what has begun", t.send(d.sender, "ur"), "2");
  t.expect("and no more", t.send(d.sender, "x"), "-1 EPIPE");
  t.expect("whole", t.receive(d.receiver), "\"four\"");
}

void b18_4_port_unreachable(Twin& t) {
  const Datagrams d(t);
  t.close(d.receiver);
  t.expect("send", t.send(d.sender, "x"), "1");
  t.expect("mask", t.mask(d.sender), "OUT|ERR|WRNORM|WRBAND");
  t.expect("SO_ERROR", t.socket_error(d.sender), "ECONNREFUSED");
  t.expect("after it", t.mask(d.sender), kUdpIdle);
}

void b18_5_error_queue(Twin& t) {
  const Datagrams d(t);
  t.set_option(d.sender, IPPROTO_IP, IP_RECVERR, 1);
  t.close(d.receiver);
  t.send(d.sender, "x");
  t.expect("mask", t.mask(d.sender), "OUT|ERR|WRNORM|WRBAND");
  t.expect("SO_ERROR", t.socket_error(d.sender), "ECONNREFUSED");
  t.expect("ERR stays", t.mask(d.sender), "OUT|ERR|WRNORM|WRBAND");
  t.expect("SO_ERROR again", t.socket_error(d.sender), "0");
  char control[256];
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  t.expect("the queue", t.calls.recvmsg(d.sender, &message, MSG_ERRQUEUE) >= 0, 1);
  t.expect("drained", t.mask(d.sender), kUdpIdle);
  t.expect("empty", to_text(t.calls.recvmsg(d.sender, &message, MSG_ERRQUEUE)), "-1 EAGAIN");
}

void b18_6_shutdown_unconnected(Twin& t) {
  const int fd = t.udp();
  t.expect("SHUT_RD", to_text(t.calls.shutdown(fd, SHUT_RD)), "-1 ENOTCONN");
  t.expect("yet", t.mask(fd), "IN|OUT|RDNORM|WRNORM|WRBAND|RDHUP");
}

// Loopback gives the memory of a datagram back at once, which is when a writer is woken.
void b18_7_space(Twin& t) {
  const int set = t.set();
  const Datagrams d(t);
  t.add(set, d.sender, EPOLLIN | EPOLLOUT | EPOLLET, 'A');
  t.expect("ADD", t.wait(set), "A:OUT");
  t.expect("send", t.send(d.sender, "x"), "1");
  t.expect("given back", t.wait(set), "A:OUT");
  t.expect("once", t.wait(set), "none");
  t.set_option(d.sender, SOL_SOCKET, SO_SNDBUF, 1);
  t.expect("more than the buffer", t.send(d.sender, std::string(10000, 'x')), "10000");
  t.expect("given back", t.wait(set), "A:OUT");
  t.expect("mask", t.mask(d.sender), kUdpIdle);
}

void b18_9_shut_read(Twin& t) {
  const Datagrams d(t);
  t.expect("shutdown", t.calls.shutdown(d.sender, SHUT_RD), 0);
  t.expect("no datagram", t.mask(d.sender), "IN|OUT|RDNORM|WRNORM|WRBAND|RDHUP");
  t.expect("recv", t.receive(d.sender), "-1 EAGAIN");
  t.expect("still", t.mask(d.sender), "IN|OUT|RDNORM|WRNORM|WRBAND|RDHUP");
  t.expect("send", t.send(d.sender, "x"), "1");
  t.calls.shutdown(d.sender, SHUT_WR);
  t.expect("both", t.mask(d.sender), "IN|OUT|HUP|RDNORM|WRNORM|WRBAND|RDHUP");
}

constexpr Case kUdpCases[] = {
    {"18.1", "idle and readable", b18_1_masks},
    {"18.2", "an empty datagram", b18_2_empty_datagram},
    {"18.3", "edges", b18_3_edges},
    {"18.3b", "what MSG_MORE and UDP_CORK hold back is one arrival", b18_3_held_back},
    {"18.4", "port unreachable", b18_4_port_unreachable},
    {"18.5", "IP_RECVERR: ERR until the queue is drained", b18_5_error_queue},
    {"18.6", "shutdown of an unconnected socket", b18_6_shutdown_unconnected},
    {"18.7", "space comes back", b18_7_space},
    {"18.9", "SHUT_RD", b18_9_shut_read},
};

}  // namespace

std::span<const Case> udp_cases() { return kUdpCases; }

}  // namespace pollux::twin
