// listener_syn_cookies_test.cc - SYN cookies between two hosts: who gets one, what its ACK brings,
// and what passes for none.
#include <gtest/gtest.h>

#include "stack/tcp/syn_cookies.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::Frame;
using testing_support::kTestLimits;
using testing_support::TcpHost;
using testing_support::TcpHosts;

constexpr std::uint16_t kPort = 80;

class CookieTest : public TcpHosts {
 protected:
  // syncookies = `mode`.
  void make_server(std::uint32_t mode, const TcpLimits& limits = kTestLimits) {
    TcpConfig own = config;
    own.syncookies = mode;
    server = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 2), own, limits);
  }
  void make_client(const TcpConfig& own) {
    client = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 1), own);
  }
  // A SYN from nobody.
  void spoof(Listener& listener, std::uint16_t port) {
    EXPECT_EQ(arrives(listener, port, syn(SeqNum(port))), nullptr);
  }
  void spoof_many(Listener& listener, unsigned count) {
    for (unsigned i = 0; i < count; ++i) spoof(listener, static_cast<std::uint16_t>(1000 + i));
  }
  Connection* arrives(Listener& listener, std::uint16_t port, Segment seg) {
    return server->tcp.segment_arrives_listen(listener, from_port(port, listener.local().port),
                                              std::move(seg), 1500, now);
  }
  Segment only_reply() {
    auto reply = server->tcp.next_reply();
    EXPECT_TRUE(reply);
    EXPECT_FALSE(server->tcp.next_reply());
    return reply ? std::move(reply->segment) : Segment();
  }
  // The cookie that answers a SYN of this port, which tells of no timestamps.
  Segment cookie_for(Listener& listener, std::uint16_t port) {
    spoof(listener, port);
    Segment answer = only_reply();
    EXPECT_EQ(answer.ctl, SYN | ACK);
    return answer;
  }
  static Segment ack_of(const Segment& answer, Control control = ACK) {
    Segment ack;
    ack.seq = answer.ack;
    ack.ack = answer.seq + 1;
    ack.wnd = 1000;
    ack.ctl = control;
    return ack;
  }
  void expect_reset(Listener& listener, std::uint16_t port, Segment ack) {
    const SeqNum acked = ack.ack;
    EXPECT_EQ(arrives(listener, port, std::move(ack)), nullptr);
    const Segment reset = only_reply();
    EXPECT_EQ(reset.ctl, Control(RST));
    EXPECT_EQ(reset.seq, acked);
    EXPECT_EQ(server->tcp.find_connection(from_port(port, kPort)), nullptr);
  }
  const Counters& counted() const { return server->counters; }
};

// V15, 4987-3.6, fault-syn-overflow; Linux: tcp_conn_request().
TEST_F(CookieTest, v15_a_full_table_answers_with_cookies_and_keeps_nothing) {
  Listener* listener = server->listen(kPort, 4);
  spoof_many(*listener, 164);
  EXPECT_EQ(listener->half_open(), 64u);
  EXPECT_EQ(server->tcp.connections(), 64u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 100u);
  EXPECT_EQ(counted().tcp_syn_dropped, 0u);
  EXPECT_EQ(counted().tcp_passive_opens, 0u);
  EXPECT_TRUE(listener->expects_cookies(now));
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto reply = server->tcp.next_reply();
    ASSERT_TRUE(reply);
    const Segment& answer = reply->segment;
    EXPECT_EQ(answer.ctl, SYN | ACK);
    EXPECT_EQ(answer.ack, SeqNum(1064 + i) + 1);
    EXPECT_EQ(answer.wnd, 65535u);
    EXPECT_EQ(answer.options.mss, 1460);
    EXPECT_FALSE(answer.options.has_timestamps);
    EXPECT_FALSE(answer.options.has_window_scale);
    EXPECT_FALSE(answer.options.sack_permitted);
    EXPECT_EQ(reply->tuple, from_port(static_cast<std::uint16_t>(1064 + i), kPort));
  }
  EXPECT_FALSE(server->tcp.next_reply());
}

// V21: no SYN,ACK that is a cookie is sent again.
TEST_F(CookieTest, v21_a_cookie_leaves_no_timer) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  spoof_many(*listener, 50);
  EXPECT_EQ(listener->half_open(), 0u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_EQ(server->tcp.pending(), 0u);
  EXPECT_TRUE(server->tcp.next_timeout().is_never());
  is_cut = true;
  settle();
  advance(Duration::seconds(300));
  EXPECT_EQ(counted().tcp_segments_out, 50u);
}

// The server remembers nothing until the ACK comes.
TEST_F(CookieTest, row_4987_3_6_the_ack_of_a_cookie_makes_the_connection) {
  make_server(2);
  UserOptions options;
  options.no_delay = true;
  options.tos = 0x20;
  Listener* listener = server->listen(kPort, 4, options);
  Connection* out = client->connect({server->address, kPort}, now);
  client->flush(now, wire);
  deliver_all();
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_FALSE(listener->is_acceptable());
  settle();
  EXPECT_EQ(out->status(), State::ESTABLISHED);
  ASSERT_TRUE(listener->is_acceptable());
  EXPECT_TRUE(listener->take_readable());
  EXPECT_EQ(listener->half_open(), 0u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 1u);
  EXPECT_EQ(counted().tcp_syncookies_received, 1u);
  EXPECT_EQ(counted().tcp_syncookies_failed, 0u);
  EXPECT_EQ(counted().tcp_passive_opens, 1u);
  EXPECT_EQ(counted().tcp_segments_out, 1u);  // the SYN,ACK, once

  Connection* in = accepted(*listener);
  EXPECT_EQ(in->status(), State::ESTABLISHED);
  EXPECT_TRUE(in->options().no_delay);
  EXPECT_EQ(in->options().tos, 0x20);
  expect_dialogue(*out, *in);
  close(*client, *out);
  close(*server, *in);
  EXPECT_EQ(server->tcp.connections(), 0u);
}

// What both sides think that they have agreed upon. 4987-3.6: options preserved.
struct Agreement {
  bool timestamps, scaling, sack;
};
class CookieOptions : public CookieTest, public ::testing::WithParamInterface<Agreement> {};

TEST_P(CookieOptions, row_4987_3_6_are_those_of_the_syn) {
  make_server(2);
  const Agreement& offer = GetParam();
  TcpConfig own;
  own.timestamps = offer.timestamps;
  own.window_scaling = offer.scaling;
  own.sack = offer.sack;
  own.ecn = kEcnAsk;
  make_client(own);
  UserOptions options;
  options.receive_buffer = 1 << 20;  // another scale than the client's
  Listener* listener = server->listen(kPort, 4, options);
  now = now + Duration::ms(12'345);
  Connection* out = connect(kPort);
  ASSERT_EQ(out->status(), State::ESTABLISHED);
  Connection* in = accepted(*listener);
  const Info ours = in->info(now), theirs = out->info(now);
  EXPECT_EQ(ours.has_timestamps, offer.timestamps);
  EXPECT_EQ(ours.has_window_scale, offer.timestamps && offer.scaling);
  EXPECT_EQ(ours.has_sack, offer.timestamps && offer.sack);
  EXPECT_TRUE(ours.has_ecn == offer.timestamps && theirs.has_ecn == offer.timestamps);
  EXPECT_EQ(theirs.has_timestamps, ours.has_timestamps);
  EXPECT_EQ(theirs.has_window_scale, ours.has_window_scale);
  EXPECT_EQ(theirs.has_sack, ours.has_sack);
  EXPECT_EQ(theirs.snd_wscale, ours.rcv_wscale);
  EXPECT_EQ(theirs.rcv_wscale, ours.snd_wscale);
  EXPECT_EQ(theirs.snd_mss, ours.snd_mss);
  EXPECT_EQ(theirs.snd_wnd, ours.rcv_wnd);
  EXPECT_EQ(ours.rtt, 0u);  // the low bits of the timestamp are no time
  const std::string text(20'000, 't');
  std::string received;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(in->send(bytes_of(text), {}, now).ok());
    for (int turn = 0; turn < 20; ++turn) {
      settle();
      received += read_all(*out, now);
    }
  }
  EXPECT_EQ(received.size(), 20 * text.size());
  close(*client, *out);
  close(*server, *in);
}
INSTANTIATE_TEST_SUITE_P(Offers, CookieOptions,
                         ::testing::Values(Agreement{true, true, true},
                                           Agreement{true, true, false},
                                           Agreement{true, false, true},
                                           Agreement{true, false, false},
                                           Agreement{false, true, true}));

TEST_F(CookieTest, without_our_own_timestamps_nothing_but_the_mss_is_agreed) {
  config.timestamps = false;
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  Connection* out = connect(kPort);
  Connection* in = accepted(*listener);
  for (Connection* c : {out, in}) {
    EXPECT_FALSE(c->info(now).has_timestamps);
    EXPECT_FALSE(c->info(now).has_window_scale);
    EXPECT_FALSE(c->info(now).has_sack);
    EXPECT_EQ(c->info(now).snd_mss, 1460u);
  }
  close(*client, *out);
  close(*server, *in);
}

// MUST-15: no option, 536 octets.
TEST_F(CookieTest, must_15_a_syn_without_an_mss_is_one_of_536) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  const Segment answer = cookie_for(*listener, 1000);
  Connection* child = arrives(*listener, 1000, ack_of(answer));
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->send_mss(), 536);
  server->tcp.settle(*child, now);
}

// 4987-3.6: a bad MAC is answered with a RST and makes no connection.
TEST_F(CookieTest, row_4987_3_6_a_bad_cookie_is_reset) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  const Segment answer = cookie_for(*listener, 1000);
  for (unsigned bit = 0; bit < 32; ++bit) {
    Segment bad = ack_of(answer);
    bad.ack = SeqNum(answer.seq.value() ^ 1u << bit) + 1;
    expect_reset(*listener, 1000, std::move(bad));
  }
  expect_reset(*listener, 1001, ack_of(answer));  // somebody else's
  Segment later_text = ack_of(answer);
  later_text.seq += 1;
  expect_reset(*listener, 1000, std::move(later_text));
  EXPECT_EQ(counted().tcp_syncookies_failed, 34u);
  EXPECT_EQ(counted().tcp_syncookies_received, 0u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_FALSE(listener->is_acceptable());
}

TEST_F(CookieTest, only_an_ack_brings_a_cookie_back) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  const Segment answer = cookie_for(*listener, 1000);
  expect_reset(*listener, 1000, ack_of(answer, SYN | ACK));
  EXPECT_EQ(counted().tcp_syncookies_failed, 0u);
  for (const Control control : {RST | ACK, Control(RST), Control(FIN), Control()}) {
    EXPECT_EQ(arrives(*listener, 1000, ack_of(answer, control)), nullptr);
    EXPECT_FALSE(server->tcp.next_reply());
  }
  EXPECT_EQ(server->tcp.connections(), 0u);
}

TEST_F(CookieTest, an_old_cookie_is_reset) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  const Segment answer = cookie_for(*listener, 1000);
  now = Instant() + kCookieLife;
  cookie_for(*listener, 1001);  // so that the listener expects some
  expect_reset(*listener, 1000, ack_of(answer));
  EXPECT_EQ(counted().tcp_syncookies_failed, 1u);
}

// Linux: tcp_synq_no_recent_overflow(). Also without any flood nobody may guess.
TEST_F(CookieTest, a_listener_that_sent_none_lately_believes_none) {
  make_server(2);
  Listener* quiet = server->listen(kPort, 4);
  const FourTuple tuple = from_port(1000, kPort);
  Segment ack;
  ack.seq = SeqNum(78);
  ack.ack = make_cookie({tuple, SeqNum(77)}, 1460, testing_support::test_secret(1).cookie, now) + 1;
  ack.ctl = ACK;
  EXPECT_FALSE(server->tcp.brings_cookie(tuple, ack, now));
  expect_reset(*quiet, 1000, std::move(ack));
  EXPECT_EQ(counted().tcp_syncookies_failed, 0u);

  const Segment answer = cookie_for(*quiet, 1001);
  EXPECT_TRUE(quiet->expects_cookies(now + kCookieLife - Duration::ns(1)));
  EXPECT_FALSE(quiet->expects_cookies(now + kCookieLife));
  Segment good = ack_of(answer);
  EXPECT_TRUE(server->tcp.brings_cookie(from_port(1001, kPort), good, now));
  EXPECT_FALSE(server->tcp.brings_cookie(from_port(1002, kPort), good, now));
  EXPECT_FALSE(server->tcp.brings_cookie(from_port(1001, kPort + 1), good, now));
  for (const Control control : {SYN | ACK, RST | ACK, Control(SYN), Control()}) {
    good.ctl = control;
    EXPECT_FALSE(server->tcp.brings_cookie(from_port(1001, kPort), good, now));
  }
}

TEST_F(CookieTest, text_and_fin_may_come_with_the_cookie) {
  make_server(2);
  Listener* listener = server->listen(kPort, 4);
  Connection* out = client->connect({server->address, kPort}, now);
  client->flush(now, wire);
  deliver_all();
  server->flush(now, wire);
  deliver_all();
  client->flush(now, wire);
  wire.clear();  // the bare ACK is lost
  ASSERT_TRUE(out->send(bytes_of("request"), {}, now).ok());
  out->shutdown_send(now);
  settle();
  ASSERT_TRUE(listener->is_acceptable());
  Connection* in = accepted(*listener);
  EXPECT_EQ(read_all(*in, now), "request");
  EXPECT_EQ(in->status(), State::CLOSE_WAIT);
  close(*server, *in);
  close(*client, *out);
}

// The accept queue counts for cookies too; EPOLLIN comes when there is room again.
TEST_F(CookieTest, a_full_accept_queue_drops_the_cookie_and_takes_it_later) {
  make_server(2);
  Listener* listener = server->listen(kPort, 0);
  Connection* first = client->connect({server->address, kPort}, now);
  client->flush(now, wire);
  deliver_all();  // both cookies are out before the queue is full
  Connection* second = connect(kPort);
  EXPECT_EQ(listener->waiting(), 1u);
  EXPECT_EQ(first->status(), State::ESTABLISHED);
  EXPECT_EQ(second->status(), State::ESTABLISHED);
  EXPECT_EQ(server->tcp.connections(), 1u);
  EXPECT_EQ(counted().tcp_listen_overflows, 1u);
  EXPECT_EQ(counted().tcp_listen_drops, 1u);
  EXPECT_TRUE(listener->take_readable());

  Connection* third = connect(kPort);  // its SYN is dropped, cookies or not
  EXPECT_EQ(third->status(), State::SYN_SENT);
  EXPECT_EQ(counted().tcp_listen_overflows, 2u);
  EXPECT_EQ(counted().tcp_listen_drops, 2u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 2u);

  close(*server, *accepted(*listener));
  EXPECT_FALSE(listener->take_readable());
  ASSERT_TRUE(second->send(bytes_of("late"), {}, now).ok());
  settle();
  EXPECT_TRUE(listener->take_readable());
  Connection* in = accepted(*listener);
  EXPECT_EQ(in->tuple().remote, second->tuple().local);
  EXPECT_EQ(read_all(*in, now), "late");
  close(*server, *in);
  for (Connection* c : {first, second, third}) {
    c->abort(now);
    client->tcp.release(*c, now);
  }
  settle();
}

TEST_F(CookieTest, no_room_for_the_connection_is_counted_and_not_answered) {
  make_server(2, {.connections = 1, .listeners = 4, .time_waits = 4});
  Listener* listener = server->listen(kPort, 4);
  const Segment one = cookie_for(*listener, 1000), two = cookie_for(*listener, 1001);
  Connection* child = arrives(*listener, 1000, ack_of(one));
  ASSERT_NE(child, nullptr);
  server->tcp.settle(*child, now);
  EXPECT_EQ(arrives(*listener, 1001, ack_of(two)), nullptr);
  EXPECT_FALSE(server->tcp.next_reply());
  EXPECT_EQ(counted().tcp_no_memory, 1u);
  EXPECT_EQ(counted().tcp_listen_drops, 1u);
  EXPECT_EQ(server->ports.used(), 2u);
}

// MAY-2: the number must lie beyond the old connection's, which a cookie cannot promise.
TEST_F(CookieTest, may_2_a_syn_in_time_wait_gets_no_cookie) {
  make_server(2, {.connections = 80, .listeners = 4, .time_waits = 4, .half_open = 70});
  Listener* listener = server->listen(kPort, 4);
  Connection* out = connect(kPort);
  Connection* in = accepted(*listener);
  const FourTuple tuple = in->tuple();
  close(*server, *in);
  close(*client, *out);
  TimeWait* time_wait = server->tcp.find_time_wait(tuple);
  ASSERT_NE(time_wait, nullptr);
  const SeqNum old_end = time_wait->state.snd_nxt;
  Segment again = syn(time_wait->state.rcv_nxt + 1000);
  ASSERT_EQ(server->tcp.segment_arrives_time_wait(*time_wait, again, now), listener);
  EXPECT_EQ(arrives(*listener, tuple.remote.port, std::move(again)), nullptr);
  Connection* child = server->tcp.find_connection(tuple);
  ASSERT_NE(child, nullptr);
  EXPECT_GT(child->snd().una, old_end + 65535);
  EXPECT_EQ(server->tcp.time_waits(), 0u);
}

class FullTableTest : public CookieTest {
 protected:
  // A connection of our own that waits in TIME-WAIT, beside a table that is full.
  FourTuple fill(std::uint32_t mode, std::uint32_t all) {
    make_server(mode, {.connections = 200, .listeners = 4, .time_waits = 4, .half_open = all});
    listener = server->listen(kPort, 4);
    Connection* out = connect(kPort);
    Connection* in = accepted(*listener);
    const FourTuple tuple = in->tuple();
    close(*server, *in);
    close(*client, *out);
    spoof_many(*listener, 64);
    EXPECT_EQ(listener->half_open(), 64u);
    return tuple;
  }
  void reopen(const FourTuple& tuple) {
    Segment again = syn(server->tcp.find_time_wait(tuple)->state.rcv_nxt + 1000);
    EXPECT_EQ(arrives(*listener, tuple.remote.port, std::move(again)), nullptr);
  }
  Listener* listener = nullptr;
};

// MAY-2; Linux: tcp_conn_request() has room for those.
TEST_F(FullTableTest, may_2_time_wait_is_reopened_beyond_the_backlog) {
  const FourTuple tuple = fill(1, 100);
  reopen(tuple);
  EXPECT_NE(server->tcp.find_connection(tuple), nullptr);
  EXPECT_EQ(listener->half_open(), 65u);
}

TEST_F(FullTableTest, time_wait_is_not_reopened_beyond_what_all_listeners_may_have) {
  const FourTuple tuple = fill(1, 64);
  reopen(tuple);
  EXPECT_EQ(server->tcp.find_connection(tuple), nullptr);
  EXPECT_EQ(server->tcp.time_waits(), 1u);
  EXPECT_EQ(counted().tcp_syn_dropped, 1u);
}

TEST_F(FullTableTest, without_cookies_nobody_has_room) {
  const FourTuple tuple = fill(0, 100);
  reopen(tuple);
  spoof(*listener, 2000);
  EXPECT_EQ(listener->half_open(), 64u);
  EXPECT_EQ(counted().tcp_syn_dropped, 2u);
  EXPECT_EQ(counted().tcp_listen_drops, 2u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 0u);
  EXPECT_FALSE(server->tcp.next_reply());
}

// The memory of all listeners together has a bound, and each way out of the table gives room back.
TEST_F(CookieTest, v15_half_open_memory_is_bounded_over_all_listeners) {
  make_server(1, {.connections = 200, .listeners = 4, .time_waits = 4, .half_open = 40});
  Listener* one = server->listen(kPort, 64);
  Listener* two = server->listen(kPort + 1, 64);
  spoof_many(*one, 30);
  spoof_many(*two, 30);
  EXPECT_EQ(one->half_open(), 30u);
  EXPECT_EQ(two->half_open(), 10u);
  EXPECT_EQ(server->tcp.connections(), 40u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 20u);

  while (server->tcp.next_reply()) continue;
  is_cut = true;
  settle();
  is_cut = false;
  server->tcp.close(*one, now);  // its children are reset
  spoof_many(*two, 64);
  EXPECT_EQ(two->half_open(), 40u);
  is_cut = true;
  settle();
  advance(Duration::seconds(200));  // given up
  EXPECT_EQ(two->half_open(), 0u);
  is_cut = false;
  Connection* out = connect(kPort + 1);  // completed
  EXPECT_EQ(two->waiting(), 1u);
  const std::uint64_t sent = counted().tcp_syncookies_sent;
  spoof_many(*two, 41);
  EXPECT_EQ(two->half_open(), 40u);
  EXPECT_EQ(counted().tcp_syncookies_sent, sent + 1);
  close(*client, *out);
}

// V21. The whole answer to a SYN that nobody sent, as often as it goes out.
TEST_F(CookieTest, v21_a_crowded_table_answers_three_times_a_quiet_one_six_times) {
  Listener* listener = server->listen(kPort, 4);
  const auto answers_to = [&](unsigned spoofed) {
    const std::uint64_t before = counted().tcp_segments_out;
    spoof_many(*listener, spoofed);
    is_cut = true;
    settle();
    advance(Duration::seconds(200));
    EXPECT_EQ(listener->half_open(), 0u);
    return counted().tcp_segments_out - before;
  };
  EXPECT_EQ(answers_to(32), 32u * 6);
  const std::uint64_t crowded = answers_to(64);
  // Those given up leave the table quiet again before the last of one instant are asked.
  EXPECT_GE(crowded, 64u * 3);
  EXPECT_LE(crowded, 64u * 3 + 32u * 3);
  EXPECT_EQ(answers_to(564) - crowded, 500u - 244u);  // one each, but for what the ring dropped
}

}  // namespace
}  // namespace pollux::tcp
