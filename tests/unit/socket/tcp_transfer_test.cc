// tcp_transfer_test.cc - octets through a stream: flags, vectors, ends, errors, numbers asked for.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::Pair;

class TcpTransfer : public testing_support::SocketWorld {
 protected:
  int ask(Held& s, unsigned long request) {
    const auto n = in([&](Instant now) { return s->ioctl(request, now); });
    return n.ok() ? *n : -static_cast<int>(n.error());
  }
};

TEST_F(TcpTransfer, text_arrives_in_order_and_in_pieces) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "hello "), 6);
  EXPECT_EQ(send(pair.client, "world"), 5);
  EXPECT_EQ(ask(pair.server, FIONREAD), 11);
  EXPECT_EQ(receive(pair.server, 8), "hello wo");
  EXPECT_EQ(receive(pair.server, 8), "rld");
  EXPECT_EQ(receive(pair.server, 8), errno_text(EAGAIN));
}

TEST_F(TcpTransfer, vectors_are_gathered_and_scattered) {
  Pair pair = connected();
  char a[] = "ab";
  char b[] = "cde";
  const iovec from[] = {{a, 2}, {nullptr, 0}, {b, 3}};
  const SendMessage out{from, 5, 0, nullptr, {}};
  EXPECT_EQ(*in([&](Instant now) { return pair.client->send(out, now); }), 5u);
  char c[4] = {};
  char d[4] = {};
  const iovec to[] = {{c, 1}, {d, 4}};
  ReceiveMessage message{to, 5, MSG_DONTWAIT, false, {}, false, 0, {}};
  EXPECT_EQ(*in([&](Instant now) { return pair.server->receive(message, now); }), 5u);
  EXPECT_EQ(std::string_view(c, 1), "a");
  EXPECT_EQ(std::string_view(d, 4), "bcde");
  EXPECT_FALSE(message.has_from);
}

TEST_F(TcpTransfer, peek_leaves_and_trunc_discards) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "abcdef"), 6);
  EXPECT_EQ(receive(pair.server, 3, MSG_PEEK), "abc");
  EXPECT_EQ(receive(pair.server, 3, MSG_PEEK), "abc");
  const iovec nowhere{nullptr, 4};
  ReceiveMessage message{{&nowhere, 1}, 4, MSG_TRUNC, false, {}, false, 0, {}};
  EXPECT_EQ(*in([&](Instant now) { return pair.server->receive(message, now); }), 4u);
  EXPECT_EQ(receive(pair.server), "ef");
}

TEST_F(TcpTransfer, a_null_buffer_faults_only_if_there_is_something_to_store) {
  Pair pair = connected();
  const iovec nowhere{nullptr, 4};
  ReceiveMessage message{{&nowhere, 1}, 4, MSG_DONTWAIT, false, {}, false, 0, {}};
  const auto attempt = [&] {
    return call([&](Instant now) { return pair.server->receive(message, now); });
  };
  EXPECT_EQ(attempt(), EAGAIN);
  EXPECT_EQ(send(pair.client, "x"), 1);
  EXPECT_EQ(attempt(), EFAULT);
  EXPECT_EQ(receive(pair.server), "x");
}

// V27.
TEST_F(TcpTransfer, 16_24_after_a_reset_data_then_the_error_then_the_end) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "last"), 4);
  close_with_reset(pair.client);
  EXPECT_EQ(receive(pair.server), "last");
  EXPECT_EQ(receive(pair.server), errno_text(ECONNRESET));
  EXPECT_EQ(receive(pair.server), "");
  EXPECT_EQ(send(pair.server, "x"), -EPIPE);
}

TEST_F(TcpTransfer, an_error_is_not_taken_by_a_call_that_has_octets) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "last"), 4);
  close_with_reset(pair.client);
  char a[4];
  char b[4];
  const iovec to[] = {{a, 4}, {b, 4}};
  ReceiveMessage message{to, 8, MSG_DONTWAIT, false, {}, false, 0, {}};
  EXPECT_EQ(*in([&](Instant now) { return pair.server->receive(message, now); }), 4u);
  EXPECT_TRUE(in([&](Instant) { return pair.server->is_receive_over(); }));
  EXPECT_EQ(get(pair.server, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

TEST_F(TcpTransfer, 16_23_shut_rd_reads_what_comes_and_then_the_end) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.server, SHUT_RD), 0);
  EXPECT_EQ(receive(pair.server), "");
  EXPECT_EQ(send(pair.client, "late"), 4);
  EXPECT_EQ(receive(pair.server), "late");
  EXPECT_EQ(receive(pair.server), "");
}

TEST_F(TcpTransfer, send_after_shut_wr_is_epipe) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(send(pair.client, "x"), -EPIPE);
}

TEST_F(TcpTransfer, flags_that_are_not_offered) {
  Pair pair = connected();
  EXPECT_EQ(receive(pair.server, 1, MSG_ERRQUEUE), errno_text(EAGAIN));
}

// Linux: tcp_sendmsg_fastopen(). More of it, beside the kernel: tests/twin/cases_fast_open.cc.
class FastOpenTransfer : public testing_support::SocketWorld {
 protected:
  explicit FastOpenTransfer(std::uint32_t bits = tcp::kFastOpenClient | tcp::kFastOpenServer)
      : SocketWorld(with(bits)) {}
  static tcp::TcpConfig with(std::uint32_t bits) {
    tcp::TcpConfig config;
    config.fastopen = bits;
    return config;
  }
  Held fast_listener() {
    Held listener = listening();
    EXPECT_EQ(set(listener, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
    return listener;
  }
  int send_open(Held& s, std::string_view text, const Endpoint& to) {
    return send(s, text, MSG_FASTOPEN, &to);
  }
  void learn_cookie(Held& listener) {
    Held client = open();
    EXPECT_EQ(send_open(client, "first", local(listener)), -EINPROGRESS);
    Held server = accept(listener);
    EXPECT_EQ(receive(server), errno_text(EAGAIN));
    EXPECT_EQ(send(client, "first"), 5);
    EXPECT_EQ(receive(server), "first");
  }
  bool has_syn_text(Held& s) {
    std::uint8_t info[8] = {};
    const std::span room(reinterpret_cast<std::byte*>(info), sizeof info);
    EXPECT_TRUE(
        in([&](Instant now) { return s->get_option(IPPROTO_TCP, TCP_INFO, room, now); }).ok());
    return (info[5] & TCPI_OPT_SYN_DATA) != 0;
  }
};

TEST_F(FastOpenTransfer, 16_73_the_text_comes_with_the_syn) {
  Held listener = fast_listener();
  learn_cookie(listener);
  Held client = open();
  EXPECT_EQ(send_open(client, "request", local(listener)), 7);
  EXPECT_EQ(poll(listener), kIn | kRdNorm);
  Held server = accept(listener);
  EXPECT_EQ(receive(server), "request");
  EXPECT_TRUE(has_syn_text(client));
  EXPECT_TRUE(has_syn_text(server));
  EXPECT_EQ(world().counters.tcp_fast_open_active, 1u);
  EXPECT_EQ(world().counters.tcp_fast_open_passive, 1u);
  EXPECT_EQ(send(server, "answer"), 6);
  EXPECT_EQ(receive(client), "answer");
}

TEST_F(FastOpenTransfer, what_does_not_fit_the_syn_is_left_to_the_next_send) {
  Held listener = fast_listener();
  learn_cookie(listener);
  Held client = open();
  const std::string much(100'000, 'm');
  const int sent = send_open(client, much, local(listener));
  EXPECT_GT(sent, 1000);
  EXPECT_LT(sent, 100'000);
  Held server = accept(listener);
  // What the server's window had no room for comes when there is some.
  std::size_t got = receive(server, 100'000).size();
  if (got < static_cast<std::size_t>(sent)) got += receive(server, 100'000).size();
  EXPECT_EQ(got, static_cast<std::size_t>(sent));
}

TEST_F(FastOpenTransfer, 16_6_a_deferred_connect_waits_for_text) {
  Held listener = fast_listener();
  const Endpoint remote = local(listener);
  Held without = open();
  EXPECT_EQ(set(without, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
  EXPECT_EQ(connect(without, remote), EINPROGRESS);  // it asks for a cookie
  Held first = accept(listener);
  Held client = open();
  EXPECT_EQ(set(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
  EXPECT_EQ(connect(client, remote), 0);
  EXPECT_EQ(poll(client), kOut | kWrNorm);
  EXPECT_EQ(connect(client, remote), EISCONN);
  EXPECT_EQ(poll(listener), PollEvents());
  EXPECT_EQ(send(client, "request"), 7);
  Held server = accept(listener);
  EXPECT_EQ(receive(server), "request");
  EXPECT_TRUE(has_syn_text(client));
}

TEST_F(FastOpenTransfer, a_deferred_connect_that_ends_has_sent_nothing) {
  Held listener = fast_listener();
  learn_cookie(listener);
  const std::uint64_t before = world().counters.tcp_segments_out;
  for (const bool by_disconnect : {false, true}) {
    Held client = open();
    EXPECT_EQ(set(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
    EXPECT_EQ(connect(client, local(listener)), 0);
    if (by_disconnect) {
      EXPECT_EQ(disconnect(client), 0);
    }
    client.reset();
    pass(Duration::seconds(100));
  }
  EXPECT_EQ(world().counters.tcp_segments_out, before);
}

TEST_F(FastOpenTransfer, what_cannot_be_opened) {
  Held listener = fast_listener();
  const Endpoint remote = local(listener);
  Held s = open();
  EXPECT_EQ(send(s, "x", MSG_FASTOPEN), -EINVAL);  // no address
  EXPECT_EQ(send_open(listener, "x", remote), -EISCONN);
  Pair pair = connected();
  EXPECT_EQ(send_open(pair.client, "x", remote), -EISCONN);
  EXPECT_EQ(send_open(s, "", remote), -EINPROGRESS);
}

TEST_F(FastOpenTransfer, neither_end_needs_a_cookie_if_both_say_so) {
  Held listener = fast_listener();
  EXPECT_EQ(set(listener, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  Held client = open();
  EXPECT_EQ(set(client, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
  EXPECT_EQ(send_open(client, "request", local(listener)), 7);
  Held server = accept(listener);
  EXPECT_EQ(receive(server), "request");
  EXPECT_TRUE(has_syn_text(client));
}

class NoFastOpen : public FastOpenTransfer {
 protected:
  NoFastOpen() : FastOpenTransfer(0) {}
};

// 7413-2
TEST_F(NoFastOpen, row_7413_2_4_2_a_client_that_is_not_allowed_learns_it) {
  Held listener = listening();
  Held s = open();
  EXPECT_EQ(send_open(s, "x", local(listener)), -EOPNOTSUPP);
  EXPECT_EQ(set(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), EOPNOTSUPP);
}

// Bits 4, 512 and 1024 of tcp_fastopen, with 1 and 2.
class AlwaysFastOpen : public FastOpenTransfer {
 protected:
  AlwaysFastOpen() : FastOpenTransfer(1 | 2 | 4 | 512 | 1024) {}
};

TEST_F(AlwaysFastOpen, nobody_asks_and_nobody_needs_a_cookie) {
  Held listener = listening();
  EXPECT_EQ(get(listener, IPPROTO_TCP, TCP_FASTOPEN), 8);  // the backlog
  Held client = open();
  EXPECT_EQ(send_open(client, "request", local(listener)), 7);
  Held server = accept(listener);
  EXPECT_EQ(receive(server), "request");
}

TEST_F(TcpTransfer, a_full_buffer_takes_a_part) {
  Pair pair = connected();
  EXPECT_EQ(set(pair.client, SOL_SOCKET, SO_SNDBUF, 8192), 0);
  const std::string much(1 << 20, 'm');
  const int sent = send(pair.client, much);
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, 1 << 20);
}

TEST_F(TcpTransfer, numbers_of_ioctl) {
  Pair pair = connected();
  EXPECT_EQ(ask(pair.client, SIOCOUTQ), 0);
  in([&](Instant now) {
    char octets[10] = {};
    const iovec piece{octets, sizeof octets};
    const SendMessage message{{&piece, 1}, sizeof octets, 0, nullptr, {}};
    EXPECT_TRUE(pair.client->send(message, now).ok());
    EXPECT_EQ(*pair.client->ioctl(SIOCOUTQ, now), 10);
    EXPECT_EQ(*pair.client->ioctl(SIOCOUTQNSD, now), 10);
  });
  EXPECT_EQ(ask(pair.client, SIOCOUTQNSD), 0);
  EXPECT_EQ(ask(pair.client, SIOCATMARK), 0);
  EXPECT_EQ(ask(pair.client, SIOCGSTAMP_OLD), -ENOTTY);
  Held listener = listening();
  EXPECT_EQ(ask(listener, FIONREAD), -EINVAL);
  EXPECT_EQ(ask(listener, SIOCOUTQ), -EINVAL);
  Held fresh = open();
  EXPECT_EQ(ask(fresh, FIONREAD), 0);
}

TEST_F(TcpTransfer, the_mark) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "a"), 1);
  EXPECT_EQ(send(pair.client, "u", MSG_OOB), 1);
  EXPECT_EQ(receive(pair.server, 0, MSG_OOB | MSG_PEEK), "");
  EXPECT_EQ(last_flags, MSG_OOB | MSG_TRUNC);
  EXPECT_EQ(ask(pair.server, SIOCATMARK), 0);
  EXPECT_EQ(receive(pair.server), "a");
  EXPECT_EQ(ask(pair.server, SIOCATMARK), 1);
  EXPECT_EQ(ask(pair.server, FIONREAD), 0);
}

}  // namespace
}  // namespace pollux
