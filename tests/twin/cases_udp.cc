// cases_udp.cc - behaviours 18.x: readiness of UDP sockets.
#include <arpa/inet.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr const char* kIdle = "OUT|WRNORM|WRBAND";
constexpr const char* kReadable = "IN|OUT|RDNORM|WRNORM|WRBAND";

sockaddr* any(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

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
  t.expect("unbound", t.mask(t.udp()), kIdle);
  const Datagrams d(t);
  t.expect("bound", t.mask(d.receiver), kIdle);
  t.expect("connected", t.mask(d.sender), kIdle);
  t.send(d.sender, "one");
  t.expect("a datagram", t.mask(d.receiver), kReadable);
  t.expect("recv", t.receive(d.receiver), "\"one\"");
  t.expect("then", t.receive(d.receiver), "-1 EAGAIN");
}

void b18_2_empty_datagram(Twin& t) {
  const Datagrams d(t);
  t.expect("send", t.send(d.sender, ""), "0");
  t.expect("mask", t.mask(d.receiver), kReadable);
  t.expect("recv", t.receive(d.receiver), "\"\"");
  t.expect("drained", t.mask(d.receiver), kIdle);
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

void b18_4_port_unreachable(Twin& t) {
  const Datagrams d(t);
  t.close(d.receiver);
  t.expect("send", t.send(d.sender, "x"), "1");
  t.expect("mask", t.mask(d.sender), "OUT|ERR|WRNORM|WRBAND");
  t.expect("SO_ERROR", t.socket_error(d.sender), "ECONNREFUSED");
  t.expect("after it", t.mask(d.sender), kIdle);
}

void b18_6_shutdown_unconnected(Twin& t) {
  const int fd = t.udp();
  t.expect("SHUT_RD", to_text(t.calls.shutdown(fd, SHUT_RD)), "-1 ENOTCONN");
  t.expect("yet", t.mask(fd), "IN|OUT|RDNORM|WRNORM|WRBAND|RDHUP");
}

constexpr Case kCases[] = {
    {"18.1", "idle and readable", b18_1_masks},
    {"18.2", "an empty datagram", b18_2_empty_datagram},
    {"18.3", "edges", b18_3_edges},
    {"18.4", "port unreachable", b18_4_port_unreachable},
    {"18.6", "shutdown of an unconnected socket", b18_6_shutdown_unconnected},
};

}  // namespace

std::span<const Case> udp_cases() { return kCases; }

}  // namespace pollux::twin
