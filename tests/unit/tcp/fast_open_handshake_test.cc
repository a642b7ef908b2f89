// fast_open_handshake_test.cc - handshakes that carry text: what the SYN has, what becomes of what
// it did not deliver, and what may happen before the end. RFC 7413 3, 4.
#include <gtest/gtest.h>

#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

const FastOpenCookie kCookie{.size = 8, .octets = {1, 2, 3, 4, 5, 6, 7, 8}};

class FastOpenClient : public ::testing::Test {
 protected:
  void know_cookie(std::uint16_t mss = 1460) {
    cache().note_cookie(server(), kCookie, mss, peer.now);
  }
  bool open(bool needs_no_cookie = false) {
    peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
    return peer.connection().defer_syn(needs_no_cookie, peer.now);
  }
  // The SYN with this text, and the cookie.
  Segment open_with(std::string_view text) {
    know_cookie();
    EXPECT_TRUE(open());
    EXPECT_EQ(peer.writes(text), text.size());
    Segment syn = peer.expects({.seq = peer.iss, .ctl = SYN, .text = std::string(text)});
    EXPECT_TRUE(syn.options.has_fast_open);
    EXPECT_EQ(syn.options.fast_open, kCookie);
    return syn;
  }
  void answers(std::uint32_t acked, const TcpOptions& options = {.mss = 1460}) {
    peer.sends(
        {.seq = peer.snd_nxt, .ack = peer.iss + acked, .ctl = SYN | ACK, .options = options});
    peer.snd_nxt += 1;
  }
  static TcpOptions giving(const FastOpenCookie& cookie) {
    return {.mss = 1400, .has_fast_open = true, .fast_open = cookie};
  }
  FastOpenCache& cache() { return peer.shared().fast_open_cache; }
  FastOpenHint hint() { return cache().lookup(server(), peer.now); }
  Endpoint server() const { return peer.tuple().remote; }
  Info info() { return peer.connection().info(peer.now); }
  static std::uint8_t code(FastOpenFailure failure) { return static_cast<std::uint8_t>(failure); }

  Peer peer;
};

TEST_F(FastOpenClient, without_a_cookie_the_syn_asks_for_one_and_carries_no_text) {  // RFC 7413 3
  EXPECT_FALSE(open());
  EXPECT_EQ(peer.writes("text"), 0u);
  EXPECT_EQ(peer.last_error, Errno::again);
  const Segment syn = peer.expects({.seq = peer.iss, .ctl = SYN, .len = 0u});
  EXPECT_TRUE(syn.options.has_fast_open);
  EXPECT_EQ(syn.options.fast_open.size, 0);
  EXPECT_EQ(info().fastopen_client_fail, code(FastOpenFailure::no_cookie));
  answers(1, giving(kCookie));
  peer.expects({.seq = peer.iss + 1, .ctl = ACK, .len = 0u});
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  EXPECT_EQ(hint().cookie, kCookie);
  EXPECT_EQ(hint().mss, 1400);
  EXPECT_EQ(peer.counters.tcp_fast_open_active, 0u);
}

TEST_F(FastOpenClient, the_syn_waits_for_the_first_text) {
  know_cookie();
  EXPECT_TRUE(open());
  EXPECT_TRUE(peer.connection().is_syn_deferred());
  EXPECT_TRUE(peer.connection().is_writable());  // 16.6
  EXPECT_TRUE(peer.connection().next_timeout().is_never());
  EXPECT_FALSE(peer.connection().next_segment(peer.now));
  EXPECT_EQ(peer.writes("GET "), 4u);
  EXPECT_EQ(peer.writes("/"), 1u);  // the next piece of one message
  EXPECT_FALSE(peer.connection().is_writable());
  peer.connection().seal_syn();
  EXPECT_EQ(peer.writes("more"), 0u);
  EXPECT_EQ(peer.last_error, Errno::again);
  peer.expects({.seq = peer.iss, .ctl = SYN, .text = "GET /"});
  EXPECT_EQ(peer.connection().unsent_octets(), 0u);
  peer.expects_nothing();
}

TEST_F(FastOpenClient, what_the_syn_carried_may_be_acknowledged_with_it) {
  open_with("request");
  answers(8);
  peer.expects({.seq = peer.iss + 8, .ctl = ACK, .len = 0u});
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  EXPECT_EQ(peer.connection().unacked_octets(), 0u);
  EXPECT_EQ(peer.counters.tcp_fast_open_active, 1u);
  EXPECT_TRUE(info().has_syn_text);
  EXPECT_EQ(info().fastopen_client_fail, 0);
  EXPECT_EQ(hint().cookie, kCookie);
  peer.writes("next");
  peer.expects({.seq = peer.iss + 8, .ctl = PSH | ACK, .text = "next"});
}

TEST_F(FastOpenClient, text_that_is_not_acknowledged_goes_again_at_once) {  // RFC 7413 4.2.1
  open_with("request");
  answers(1);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "request"});
  EXPECT_EQ(peer.counters.tcp_fast_open_active_failed, 1u);
  EXPECT_FALSE(info().has_syn_text);
  EXPECT_EQ(info().fastopen_client_fail, code(FastOpenFailure::text_not_acked));
  EXPECT_FALSE(hint().may_try);  // no cookie came either
  peer.acks();
  EXPECT_EQ(peer.connection().unacked_octets(), 0u);
}

TEST_F(FastOpenClient, a_part_that_is_not_acknowledged_goes_again) {
  open_with("request");
  answers(4, giving(kCookie));
  peer.expects({.seq = peer.iss + 4, .ctl = PSH | ACK, .text = "uest"});
  EXPECT_TRUE(hint().may_try);
}

// A new cookie takes the place of the one that the server no longer knows.
TEST_F(FastOpenClient, a_fresh_cookie_with_a_refusal_is_kept) {
  open_with("request");
  FastOpenCookie fresh = kCookie;
  fresh.octets[0] = 99;
  answers(1, giving(fresh));
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "request"});
  EXPECT_EQ(hint().cookie, fresh);
}

// 7413-4.1.3.1
TEST_F(FastOpenClient, row_7413_4_1_3_1_a_syn_sent_again_has_neither_text_nor_cookie) {
  open_with("request");
  peer.step();
  const Segment again = peer.expects({.seq = peer.iss, .ctl = SYN, .len = 0u});
  EXPECT_FALSE(again.options.has_fast_open);
  answers(1);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "request"});
  EXPECT_EQ(info().fastopen_client_fail, code(FastOpenFailure::syn_sent_again));
  EXPECT_FALSE(hint().may_try);
}

// 7413-4.1.3.1
TEST_F(FastOpenClient, row_7413_4_1_3_1_who_gives_no_cookie_is_not_asked_for_a_while) {
  EXPECT_FALSE(open());
  peer.expects({.ctl = SYN, .len = 0u});
  answers(1);
  EXPECT_FALSE(hint().may_try);

  Peer other;
  other.shared().fast_open_cache.note_failure(server(), other.now);
  other.connection().open_active(other.tuple(), other.iss, 1500, other.now);
  EXPECT_FALSE(other.connection().defer_syn(false, other.now));
  EXPECT_FALSE(other.expects({.ctl = SYN, .len = 0u}).options.has_fast_open);
  EXPECT_EQ(other.connection().info(other.now).fastopen_client_fail,
            code(FastOpenFailure::no_cookie));
}

TEST_F(FastOpenClient, a_cookie_that_nobody_asked_for_is_none) {
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.expects({.ctl = SYN, .len = 0u});
  answers(1, giving(kCookie));
  EXPECT_EQ(hint().cookie.size, 0);
}

// Linux: TCP_FASTOPEN_NO_COOKIE.
TEST_F(FastOpenClient, without_need_of_a_cookie_text_goes_bare) {
  EXPECT_TRUE(open(true));
  EXPECT_EQ(peer.writes("request"), 7u);
  EXPECT_FALSE(peer.expects({.ctl = SYN, .text = "request"}).options.has_fast_open);
  answers(1);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "request"});
  EXPECT_TRUE(hint().may_try);  // nothing was asked for
}

// Room for what middleboxes add; RFC 7413 4.1.3: the default MSS unless the cache knows better.
TEST_F(FastOpenClient, the_syn_carries_what_fits_beside_all_options) {
  know_cookie(1000);
  EXPECT_TRUE(open());
  EXPECT_EQ(peer.writes(std::string(3000, 'x')), 960u);
  peer.expects({.ctl = SYN, .len = 960u});

  Peer other;
  other.connection().open_active(other.tuple(), other.iss, 1500, other.now);
  EXPECT_TRUE(other.connection().defer_syn(true, other.now));
  EXPECT_EQ(other.writes(std::string(3000, 'x')), 496u);
  other.expects({.ctl = SYN, .len = 496u});
}

TEST_F(FastOpenClient, a_cookie_may_go_without_text) {
  const Segment syn = open_with("");
  EXPECT_EQ(syn.text_length, 0u);
  answers(1);
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  EXPECT_EQ(peer.counters.tcp_fast_open_active_failed, 0u);
  EXPECT_TRUE(hint().may_try);
}

// MUST-10 with text: the SYN,ACK of a simultaneous open has none; it goes when that is answered.
TEST_F(FastOpenClient, text_survives_a_simultaneous_open) {
  open_with("request");
  peer.sends({.seq = peer.snd_nxt, .ctl = SYN, .options = TcpOptions{.mss = 1460}});
  peer.snd_nxt += 1;
  const Segment answer = peer.expects({.seq = peer.iss, .ctl = SYN | ACK, .len = 0u});
  EXPECT_FALSE(answer.options.has_fast_open);
  peer.expects_nothing();
  peer.sends({.ack = peer.iss + 1, .ctl = ACK});
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "request"});
}

TEST_F(FastOpenClient, a_reset_refuses_the_whole) {
  open_with("request");
  peer.sends({.seq = SeqNum(0), .ack = peer.iss + 8, .ctl = RST | ACK});
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_EQ(peer.connection().take_error(), Errno::connection_refused);
  EXPECT_EQ(peer.shared().fast_opens.used(), 0u);
}

class FastOpenChild : public ::testing::Test {
 protected:
  // A SYN with this text, which the listener has found to be good.
  void open(std::string_view text, const TcpOptions& options = {.mss = 1460}) {
    Segment syn;
    syn.seq = peer.snd_nxt;
    syn.wnd = 65535;
    syn.ctl = SYN;
    syn.options = options;
    syn.text_length = static_cast<std::uint32_t>(text.size());
    syn.text = peer.text.chain(std::as_bytes(std::span(text)), HeapText::kChunk);
    peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn, peer.now);
    EXPECT_TRUE(peer.connection().open_fast(syn, peer.now));
    peer.snd_nxt += 1 + static_cast<std::uint32_t>(text.size());
  }
  void open_and_answer(std::string_view text) {
    open(text);
    peer.expects({.seq = peer.iss, .ack = peer.snd_nxt, .ctl = SYN | ACK, .len = 0u});
    peer.connection().take_events();
  }
  Peer peer;
};

TEST_F(FastOpenChild, the_syns_text_is_acknowledged_and_can_be_read) {  // RFC 7413 4.2.2
  open("request");
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
  EXPECT_FALSE(peer.connection().is_opening());
  EXPECT_TRUE(peer.connection().is_readable());
  EXPECT_TRUE(peer.connection().is_writable());
  EXPECT_TRUE(peer.connection().info(peer.now).has_syn_text);
  EXPECT_EQ(peer.reads(), "request");
  peer.expects({.seq = peer.iss, .ack = peer.snd_nxt, .ctl = SYN | ACK, .len = 0u});
  peer.expects_nothing();
}

TEST_F(FastOpenChild, may_answer_before_the_handshake_ends) {
  open_and_answer("request");
  EXPECT_EQ(peer.writes("answer"), 6u);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "answer"});
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
  EXPECT_EQ(peer.connection().unacked_octets(), 0u);  // as Linux: SIOCOUTQ in this state
  peer.acks();
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  EXPECT_TRUE(peer.connection().take_events().has(Event::state_change));
  EXPECT_EQ(peer.connection().unacked_octets(), 0u);
  EXPECT_EQ(peer.shared().fast_opens.used(), 0u);
}

// RFC 7413 4.2.2, RFC 6928: no more than the initial window before the client is known.
TEST_F(FastOpenChild, sends_an_initial_window_at_most) {
  open_and_answer("request");
  peer.writes(std::string(60000, 'x'));
  std::uint32_t sent = 0;
  for (const Segment& seg : peer.drain()) sent += seg.text_length;
  EXPECT_LE(sent, 14600u);
  EXPECT_GE(sent, 14600u - 1460u);
}

// SHLD-14: a SYN,ACK cannot offer more than 65,535 octets, so nothing before its answer does.
TEST_F(FastOpenChild, shld_14_the_syn_ack_sent_again_takes_nothing_back) {
  open("request", {.mss = 1460, .window_scale = 7, .has_window_scale = true});
  const auto edge_of = [&](const Segment& seg) {
    const unsigned scale = seg.ctl.has(SYN) ? 0 : peer.connection().receive_scale();
    return seg.ack + (seg.wnd << scale);
  };
  const SeqNum first = edge_of(peer.expects({.ctl = SYN | ACK}));
  peer.writes("answer");
  const SeqNum second = edge_of(peer.expects({.ctl = PSH | ACK}));
  peer.step();
  const SeqNum third = edge_of(peer.expects({.ctl = SYN | ACK}));
  peer.sends({.ack = peer.iss + 7, .ctl = ACK});
  peer.writes("more");
  const SeqNum fourth = edge_of(peer.expects({.ctl = PSH | ACK}));
  EXPECT_TRUE(first <= second && second <= third && third <= fourth);
}

TEST_F(FastOpenChild, a_fin_may_follow_at_once) {  // RFC 9293 3.10.4
  open_and_answer("request");
  peer.writes("answer");
  peer.connection().shutdown_send(peer.now);
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK | FIN, .text = "answer"});
  peer.acks();
  EXPECT_EQ(peer.state(), State::FIN_WAIT_2);
}

// Linux: tcp_fastopen_synack_timer(): nothing but the SYN,ACK, 1 + 5 + 1 times.
TEST_F(FastOpenChild, only_the_syn_ack_is_sent_again_until_it_is_given_up) {
  open_and_answer("request");
  peer.writes("answer");
  peer.drain();
  for (int i = 0; i < 6; ++i) {
    peer.step();
    peer.expects({.seq = peer.iss, .ack = peer.snd_nxt, .ctl = SYN | ACK, .len = 0u});
    peer.expects_nothing();
  }
  peer.step();
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_EQ(peer.connection().take_error(), Errno::timed_out);
}

TEST_F(FastOpenChild, what_was_lost_behind_the_syn_ack_goes_again) {
  open_and_answer("request");
  peer.writes("answer");
  peer.drain();
  peer.sends({.ack = peer.iss + 1, .ctl = ACK});
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  peer.step();
  peer.expects({.seq = peer.iss + 1, .ctl = PSH | ACK, .text = "answer"});
}

TEST_F(FastOpenChild, the_same_syn_again_is_answered_again) {
  open_and_answer("request");
  peer.sends({.seq = peer.snd_nxt - 8, .ctl = SYN, .text = "request"});
  peer.expects({.seq = peer.iss, .ack = peer.snd_nxt, .ctl = SYN | ACK, .len = 0u});
  EXPECT_EQ(peer.reads(), "request");
}

TEST_F(FastOpenChild, a_reset_is_an_error_of_the_program) {
  open_and_answer("request");
  peer.sends({.ctl = RST});
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_TRUE(peer.connection().take_events().has(Event::error));
  EXPECT_EQ(peer.connection().take_error(), Errno::connection_reset);
}

TEST_F(FastOpenChild, an_icmp_error_is_a_soft_one) {  // as for what is connected (MUST-56)
  open_and_answer("request");
  peer.connection().icmp_error(Errno::connection_refused, true, peer.iss, peer.now);
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
  EXPECT_EQ(peer.connection().take_any_error(), Errno::connection_refused);
}

TEST_F(FastOpenChild, an_ack_of_what_was_never_sent_is_answered_by_a_reset) {
  open_and_answer("request");
  peer.sends({.ack = peer.iss + 2, .ctl = ACK});
  peer.expects({.seq = peer.iss + 2, .ctl = RST});
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
}

TEST_F(FastOpenChild, without_memory_the_text_comes_again) {
  peer.shared().memory_is_scarce = true;
  open("request");
  EXPECT_FALSE(peer.connection().is_readable());
  EXPECT_FALSE(peer.connection().info(peer.now).has_syn_text);
  peer.expects({.ack = peer.snd_nxt - 7, .ctl = SYN | ACK});
}

TEST_F(FastOpenChild, every_syn_ack_carries_the_cookie_that_is_offered) {
  Segment syn;
  syn.seq = peer.snd_nxt;
  syn.ctl = SYN;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn, peer.now);
  EXPECT_TRUE(peer.connection().offer_cookie(kCookie, true));
  EXPECT_TRUE(peer.connection().is_opening());
  for (int i = 0; i < 2; ++i) {
    const Segment answer = peer.expects({.ctl = SYN | ACK});
    EXPECT_EQ(answer.options.fast_open, kCookie);
    EXPECT_TRUE(answer.options.is_fast_open_experimental);
    peer.step();
  }
}

TEST_F(FastOpenChild, without_a_place_for_it_the_handshake_is_an_ordinary_one) {
  while (peer.shared().fast_opens.create()) continue;
  Segment syn;
  syn.seq = peer.snd_nxt;
  syn.ctl = SYN;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn, peer.now);
  EXPECT_FALSE(peer.connection().offer_cookie(kCookie, false));
  EXPECT_FALSE(peer.connection().open_fast(syn, peer.now));
  peer.expects({.ctl = SYN | ACK});
  EXPECT_TRUE(peer.connection().is_opening());
}

}  // namespace
}  // namespace pollux::testing_support
