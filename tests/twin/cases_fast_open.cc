// cases_fast_open.cc - behaviours 16.6 and 16.73: TCP Fast Open, as a program sees it. RFC 7413;
// Linux: tcp_sendmsg_fastopen(), __inet_stream_connect(), tcp_try_fastopen().
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr const char* kWritable = "OUT|WRNORM";
constexpr int kRequests = 5;

Listener fast_listener(Twin& t) {
  const Listener made = t.listener();
  t.expect("TCP_FASTOPEN", t.set_option(made.fd, IPPROTO_TCP, TCP_FASTOPEN, kRequests), 0);
  return made;
}

std::string send_open(Twin& t, int fd, std::string_view text, const sockaddr_in* to) {
  const socklen_t length = to ? sizeof *to : 0;
  return to_text(t.calls.sendto(fd, text.data(), text.size(), MSG_FASTOPEN | MSG_NOSIGNAL,
                                to ? any(*to) : nullptr, length));
}

// Whoever has spoken to the listener once has its cookie. What an earlier case has learned is good
// too, so what the first send says is not compared.
void learn_cookie(Twin& t, const Listener& listener) {
  const int fd = t.tcp();
  send_open(t, fd, "first", &listener.address);
  t.until(fd, POLLOUT);
  t.until(listener.fd, POLLIN);
  t.close(t.accept(listener));
  t.close(fd);
  t.settle();
}

std::string get_number(Twin& t, int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  const int result = t.calls.getsockopt(fd, IPPROTO_TCP, name, &value, &length);
  return result == 0 ? std::to_string(value) : to_text(result);
}

// Whether text in a SYN was acknowledged, and tcpi_fastopen_client_fail, which glibc's structure
// does not name: bits 1 and 2 of octet 7.
std::string syn_text(Twin& t, int fd) {
  uint8_t info[8] = {};
  socklen_t length = sizeof info;
  if (t.calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) != 0) return to_text(-1);
  const bool is_acked = (info[5] & TCPI_OPT_SYN_DATA) != 0;
  return (is_acked ? "acked " : "no ") + std::to_string(info[7] >> 1 & 3);
}

void b16_6_deferred_connect(Twin& t) {
  const Listener listener = fast_listener(t);
  learn_cookie(t, listener);
  const int fd = t.tcp();
  t.expect("asked for", t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
  t.expect("connect", t.calls.connect(fd, any(listener.address), sizeof listener.address), 0);
  t.settle();
  t.expect("writable", t.mask(fd), kWritable);
  t.expect("nobody has come", t.mask(listener.fd), "0");
  t.expect("connect again",
           to_text(t.calls.connect(fd, any(listener.address), sizeof listener.address)),
           "-1 EISCONN");
  t.expect("receive", t.receive(fd), "-1 EAGAIN");
  const int set = t.set();
  t.add(set, fd, EPOLLIN | EPOLLOUT, 'A');
  t.expect("level", t.wait(set), "A:OUT");
  t.expect("the SYN's text", t.send(fd, "hello"), "5");
  t.until(listener.fd, POLLIN);
  const int server = t.accept(listener);
  t.expect("it arrives", t.receive(server), "\"hello\"");
  t.until(fd, POLLOUT);
  t.expect("connected", t.mask(fd), kWritable);
  t.expect("client", syn_text(t, fd), "acked 0");
  t.expect("more", t.send(fd, "more"), "4");
}

void b16_6b_deferred_connect_given_up(Twin& t) {
  const Listener listener = fast_listener(t);
  learn_cookie(t, listener);
  const int shut = t.tcp();
  t.set_option(shut, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  t.expect("connect", t.calls.connect(shut, any(listener.address), sizeof listener.address), 0);
  t.expect("shutdown", to_text(t.calls.shutdown(shut, SHUT_WR)), "0");
  t.expect("16.17: the error of an attempt", t.mask(shut), "OUT|ERR|HUP|WRNORM");
  const int closed = t.tcp();
  t.set_option(closed, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  t.expect("connect", t.calls.connect(closed, any(listener.address), sizeof listener.address), 0);
  t.close(closed);
  t.settle();
  t.expect("nobody has come", t.mask(listener.fd), "0");
}

void b16_73_syn_with_text(Twin& t) {
  const Listener listener = fast_listener(t);
  learn_cookie(t, listener);
  const int fd = t.tcp();
  t.expect("sendto", send_open(t, fd, "hello", &listener.address), "5");
  t.until(listener.fd, POLLIN);
  t.expect("acceptable", t.mask(listener.fd), "IN|RDNORM");
  const int server = t.accept(listener);
  t.expect("readable", t.mask(server), "IN|OUT|RDNORM|WRNORM");
  t.expect("text", t.receive(server), "\"hello\"");
  t.expect("answer", t.send(server, "answer"), "6");
  t.until(fd, POLLIN);
  t.expect("it arrives", t.receive(fd), "\"answer\"");
  t.expect("client", syn_text(t, fd), "acked 0");
  t.expect("server", syn_text(t, server), "acked 0");
  // As connect: the first call after the handshake says how it went, here by sending.
  t.expect("again", send_open(t, fd, "x", &listener.address), "1");
  t.expect("and again", send_open(t, fd, "x", &listener.address), "-1 EISCONN");
}

// A listener that has not asked for it: the text comes all the same, behind the handshake.
void b16_73b_the_listener_does_not_know(Twin& t) {
  const Listener fast = fast_listener(t);
  learn_cookie(t, fast);
  const Listener listener = t.listener();
  const int fd = t.tcp();
  t.expect("sendto", send_open(t, fd, "hello", &listener.address), "5");
  t.until(listener.fd, POLLIN);
  const int server = t.accept(listener);
  t.until(server, POLLIN);
  t.expect("text", t.receive(server), "\"hello\"");
  t.expect("client", syn_text(t, fd), "no 2");
  t.expect("server", syn_text(t, server), "no 0");
}

void b16_73c_a_send_that_blocks(Twin& t) {
  const Listener listener = fast_listener(t);
  learn_cookie(t, listener);
  const int fd = t.keep(t.calls.socket(AF_INET, SOCK_STREAM, 0));
  const std::string much(5000, 'm');
  t.expect("all of it", send_open(t, fd, much, &listener.address), "5000");
  t.until(listener.fd, POLLIN);
  const int server = t.accept(listener);
  t.settle();
  t.expect("it arrives", static_cast<long>(t.drain(server)), 5000);
  const int refused = t.keep(t.calls.socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in nobody = listener.address;
  t.close(listener.fd);
  t.expect("refused", send_open(t, refused, "x", &nobody), "-1 ECONNREFUSED");
}

void b16_73d_what_sendto_refuses(Twin& t) {
  const Listener listener = fast_listener(t);
  learn_cookie(t, listener);
  t.expect("without an address", send_open(t, t.tcp(), "x", nullptr), "-1 EINVAL");
  sockaddr_in none = listener.address;
  none.sin_family = AF_UNSPEC;
  t.expect("AF_UNSPEC", send_open(t, t.tcp(), "x", &none), "-1 EOPNOTSUPP");
  t.expect("a listener", send_open(t, listener.fd, "x", &listener.address), "-1 EISCONN");
  t.expect("nothing to send", send_open(t, t.tcp(), "", &listener.address), "-1 EINPROGRESS");
  const int fd = t.tcp();
  msghdr message{};
  iovec pieces[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  sockaddr_in to = listener.address;
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  t.expect("in pieces", to_text(t.calls.sendmsg(fd, &message, MSG_FASTOPEN)), "5");
}

void b16_73e_options(Twin& t) {
  const int fd = t.tcp();
  t.expect("off", get_number(t, fd, TCP_FASTOPEN), "0");
  t.expect("negative", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, -1)), "-1 EINVAL");
  t.expect("very many", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, 1 << 20)), "0");
  t.expect("somaxconn", get_number(t, fd, TCP_FASTOPEN), "4096");
  t.expect("no connect", get_number(t, fd, TCP_FASTOPEN_CONNECT), "0");
  t.expect("2", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2)), "-1 EINVAL");
  t.expect("1", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)), "0");
  t.expect("connect", get_number(t, fd, TCP_FASTOPEN_CONNECT), "1");
  t.expect("2", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 2)), "-1 EINVAL");
  t.expect("1", to_text(t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)), "0");
  t.expect("no cookie", get_number(t, fd, TCP_FASTOPEN_NO_COOKIE), "1");
  const Pair pair = t.pair();
  for (const int name : {TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE}) {
    t.expect("connected", to_text(t.set_option(pair.active, IPPROTO_TCP, name, 1)), "-1 EINVAL");
  }
  const Listener listener = t.listener();
  t.expect("listening", to_text(t.set_option(listener.fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)),
           "-1 EINVAL");
  t.expect("listening", to_text(t.set_option(listener.fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)),
           "0");
}

void b16_73f_keys(Twin& t) {
  const int fd = t.tcp();
  const char keys[] = "0123456789abcdefghijklmnopqrstuv";
  for (const socklen_t length : {0u, 4u, 15u, 17u, 31u, 33u}) {
    t.expect("a wrong length",
             to_text(t.calls.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, length)),
             "-1 EINVAL");
  }
  for (const socklen_t length : {32u, 16u}) {
    t.expect("set", to_text(t.calls.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, length)),
             "0");
    char got[40] = {};
    socklen_t room = sizeof got;
    t.expect("get", to_text(t.calls.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &room)),
             "0");
    t.expect("the keys", std::string(got, room), std::string(keys, length));
  }
  char some[5] = {};
  socklen_t room = 5;
  t.calls.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, some, &room);
  t.expect("a part", std::string(some, room), "01234");
}

void b16_73g_text_without_a_cookie(Twin& t) {
  const Listener listener = fast_listener(t);
  t.expect("1", t.set_option(listener.fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  const int fd = t.tcp();
  t.expect("1", t.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  t.expect("sendto", send_open(t, fd, "hello", &listener.address), "5");
  t.until(listener.fd, POLLIN);
  const int server = t.accept(listener);
  t.expect("text", t.receive(server), "\"hello\"");
  t.expect("server", syn_text(t, server), "acked 0");
}

constexpr Case kFastOpenCases[] = {
    {"16.6", "a deferred connect", b16_6_deferred_connect},
    {"16.6b", "a deferred connect that is given up", b16_6b_deferred_connect_given_up},
    {"16.73", "a SYN with text", b16_73_syn_with_text},
    {"16.73b", "a SYN with text to who does not take it", b16_73b_the_listener_does_not_know},
    {"16.73c", "MSG_FASTOPEN that blocks", b16_73c_a_send_that_blocks},
    {"16.73d", "MSG_FASTOPEN that is refused", b16_73d_what_sendto_refuses},
    {"16.73e", "the options of Fast Open", b16_73e_options},
    {"16.73f", "TCP_FASTOPEN_KEY", b16_73f_keys},
    {"16.73g", "TCP_FASTOPEN_NO_COOKIE", b16_73g_text_without_a_cookie},
};

}  // namespace

std::span<const Case> fast_open_cases() { return kFastOpenCases; }

}  // namespace pollux::twin
