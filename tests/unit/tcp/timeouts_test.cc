// timeouts_test.cc - retransmission, probes, keepalive, giving up, ICMP; hours in virtual time.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

Duration seconds(std::int64_t n) { return Duration::seconds(n); }

// --- retransmission

TEST(Timeouts, intervals_double_up_to_two_minutes) {  // MUST-18, MUST-19, 6298-5.5; 2525 2.10
  auto peer = established();
  peer->writes("x");
  peer->expects({.ctl = PSH | ACK, .len = 1u});
  Duration rto = Duration::ms(200);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(peer->step(), rto);
    peer->expects({.seq = peer->iss + 1, .ctl = PSH | ACK, .len = 1u});
    peer->expects_nothing();
    rto = std::min(rto * 2, seconds(120));
  }
}

TEST(Timeouts, gives_up_after_r2) {  // MUST-20, SHLD-10, SHLD-11: 924 s by default
  auto peer = established();
  const Instant start = peer->now;
  peer->writes("x");
  int sent = 0;
  while (peer->state() != State::CLOSED) {
    sent += static_cast<int>(peer->drain().size());
    peer->step();
  }
  EXPECT_EQ(sent, 16);
  EXPECT_NEAR(static_cast<double>((peer->now - start).to_ms()), 924'600, 10);
  EXPECT_EQ(peer->connection().take_error(), Errno::timed_out);  // 16.28
  EXPECT_TRUE(peer->connection().take_events().has(Event::error));
}

// SHLD-9: what a program can know between R1 and R2: how often the same text has gone (tcp_info).
TEST(Timeouts, retransmissions_are_told_while_they_last) {
  auto peer = established();
  peer->writes("x");
  peer->drain();
  for (int i = 1; i <= 5; ++i) {
    peer->step();
    peer->drain();
    EXPECT_EQ(peer->connection().info(peer->now).retransmits, i);
  }
  peer->acks();
  EXPECT_EQ(peer->connection().info(peer->now).retransmits, 0);
}

TEST(Timeouts, program_sets_r2) {  // MUST-21
  Peer::Setup setup = plain();
  setup.options.user_timeout_ms = 5000;
  auto peer = established(setup);
  const Instant start = peer->now;
  peer->writes("x");
  peer->drain();
  while (peer->state() != State::CLOSED) peer->step(), peer->drain();
  EXPECT_NEAR(static_cast<double>((peer->now - start).to_ms()), 5000, 10);
}

TEST(Timeouts, soft_icmp_error_is_what_the_program_learns) {  // MUST-47, MUST-56, SHLD-25, 5927-5.2
  auto peer = established();
  peer->writes("x");
  peer->drain();
  peer->connection().icmp_error(Errno::host_unreachable, false, peer->iss + 1, peer->now);
  peer->connection().icmp_error(Errno::connection_refused, true, peer->iss + 2, peer->now);
  EXPECT_EQ(peer->state(), State::ESTABLISHED);  // SHLD-26: hard ones neither, once synchronized
  EXPECT_EQ(peer->connection().pending_error(), Errno{});
  while (peer->state() != State::CLOSED) peer->step(), peer->drain();
  EXPECT_EQ(peer->connection().take_error(), Errno::host_unreachable);
}

TEST(Timeouts, soft_icmp_error_is_told_to_who_asks_and_ends_with_the_next_ack) {  // 16.29
  auto peer = established();
  peer->writes("x");
  peer->drain();
  const auto error = [&] {
    peer->connection().icmp_error(Errno::host_unreachable, false, peer->iss + 1, peer->now);
  };
  error();
  EXPECT_EQ(peer->connection().take_any_error(), Errno::host_unreachable);
  EXPECT_EQ(peer->connection().take_any_error(), Errno{});
  error();
  EXPECT_TRUE(peer->connection().take_events().empty());
  peer->acks();
  EXPECT_EQ(peer->connection().take_any_error(), Errno{});
}

TEST(Timeouts, icmp_error_is_pending_if_the_program_wants_it) {  // 16.29: IP_RECVERR, SHLD-20
  auto peer = established();
  peer->connection().options().receive_error = true;
  peer->writes("x");
  peer->drain();
  peer->connection().icmp_error(Errno::connection_refused, true, peer->iss + 1, peer->now);
  EXPECT_TRUE(peer->connection().take_events().has(Event::error));
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
  EXPECT_EQ(peer->reads(), "");
  EXPECT_EQ(peer->last_error, Errno::connection_refused);  // once
  EXPECT_EQ(peer->reads(), "");
  EXPECT_EQ(peer->last_error, Errno::again);
}

TEST(Timeouts, cwnd_is_one_segment_after_a_timeout) {  // 5681-3.1e, 5681-4.3; 2525 2.2, 2.3
  auto peer = established(plain());
  peer->writes(std::string(20'000, 'x'));
  EXPECT_EQ(peer->drain().size(), 10u);
  peer->step();
  EXPECT_EQ(peer->drain().size(), 1u);
  Info info = peer->connection().info(peer->now);
  EXPECT_EQ(info.snd_cwnd, 1u);
  EXPECT_EQ(info.snd_ssthresh, 5u);
  peer->step();
  EXPECT_EQ(peer->drain().size(), 1u);
  info = peer->connection().info(peer->now);
  EXPECT_EQ(info.snd_ssthresh, 5u);  // the same segment again: it stays
  peer->sends({.ack = peer->iss + 1 + 1000});
  EXPECT_EQ(peer->drain().size(), 2u);  // slow start
}

TEST(Timeouts, an_ack_of_everything_stops_the_timer) {  // 6298-5.2
  auto peer = established();
  peer->writes("x");
  peer->drain();
  EXPECT_FALSE(peer->connection().next_timeout().is_never());
  peer->acks();
  EXPECT_TRUE(peer->connection().next_timeout().is_never());
}

TEST(Timeouts, early_call_does_nothing) {
  auto peer = established();
  peer->writes("x");
  peer->drain();
  peer->connection().timeout(peer->now);
  peer->expects_nothing();
}

// --- SYN

TEST(Timeouts, syn_is_tried_for_three_minutes) {  // MUST-22, MUST-23, 6298-2.1
  Peer peer;
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  const Instant start = peer.now;
  EXPECT_EQ(peer.drain().size(), 1u);
  EXPECT_EQ(peer.step(), seconds(1));
  while (peer.state() != State::CLOSED) {
    EXPECT_EQ(peer.drain().size(), 1u);
    peer.step();
  }
  EXPECT_GE(peer.now - start, seconds(180));
  EXPECT_EQ(peer.connection().take_error(), Errno::timed_out);
}

TEST(Timeouts, syn_count_of_the_program) {
  Peer::Setup setup;
  setup.options.syn_count = 1;
  Peer peer(setup);
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.drain();
  peer.step();
  peer.drain();
  peer.step();
  EXPECT_EQ(peer.state(), State::CLOSED);
}

TEST(Timeouts, syn_ack_nobody_answers_ends_silently) {
  Peer peer;
  Segment syn;
  syn.seq = SeqNum(5000);
  syn.ctl = SYN;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn, peer.now);
  int sent = 0;
  while (peer.state() != State::CLOSED) {
    sent += static_cast<int>(peer.drain().size());
    peer.step();
  }
  EXPECT_EQ(sent, 6);
  EXPECT_EQ(peer.connection().pending_error(), Errno{});
}

TEST(Timeouts, icmp_error_ends_a_connect) {  // 16.29, 5927-4.1
  Peer peer;
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.drain();
  peer.connection().icmp_error(Errno::host_unreachable, false, peer.iss + 5, peer.now);
  EXPECT_EQ(peer.state(), State::SYN_SENT);  // quotes what we never sent
  peer.connection().icmp_error(Errno::host_unreachable, false, peer.iss, peer.now);
  EXPECT_EQ(peer.connection().take_error(), Errno::host_unreachable);
}

TEST(Timeouts, hard_icmp_error_ends_a_handshake_of_either_kind) {  // SHLD-26
  for (const bool is_simultaneous : {false, true}) {
    Peer peer;
    peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
    peer.drain();
    if (is_simultaneous) {
      peer.sends({.ctl = SYN});
      peer.drain();
      peer.connection().icmp_error(Errno::host_unreachable, false, peer.iss, peer.now);
      EXPECT_EQ(peer.state(), State::SYN_RECEIVED);  // a soft one does not
    }
    peer.connection().icmp_error(Errno::connection_refused, true, peer.iss, peer.now);
    EXPECT_EQ(peer.state(), State::CLOSED);
    EXPECT_EQ(peer.connection().take_error(), Errno::connection_refused);
  }
}

TEST(Timeouts, what_fits_a_shrunken_window_is_repeated_and_no_more) {  // SHLD-16
  Peer::Setup setup = plain();
  setup.config.mtu_probing = 0;  // for a path that swallows large packets looks like this too
  auto peer = established(setup);
  peer->writes(std::string(5000, 'x'));
  EXPECT_EQ(peer->drain().size(), 5u);
  peer->sends({.ack = peer->iss + 1, .wnd = 2000});
  for (int i = 0; i < 5; ++i) {
    peer->step();
    peer->expects({.seq = peer->iss + 1, .len = 1000u});
    peer->expects_nothing();
  }
  peer->sends({.ack = peer->iss + 1001, .wnd = 1000});
  peer->expects({.seq = peer->iss + 1001, .len = 1000u});
  peer->expects_nothing();
  peer->sends({.ack = peer->iss + 2001, .wnd = 60'000});
  peer->expects({.seq = peer->iss + 2001, .len = 1000u});
}

// --- zero window

TEST(Timeouts, zero_window_is_probed_less_and_less_often) {  // MUST-35, MUST-36, SHLD-29, SHLD-30
  auto peer = established();
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->expects_nothing();
  Duration interval = Duration::ms(200);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(peer->step(), interval);
    peer->expects({.seq = peer->iss + 1, .ctl = ACK, .text = "h"});
    peer->expects_nothing();
    peer->sends({.ack = peer->iss + 1});
    interval = interval * 2;
  }
  peer->peer_wnd = 1000;
  peer->sends({.ack = peer->iss + 1});
  peer->expects({.seq = peer->iss + 1, .ctl = PSH | ACK, .text = "hello"});
}

TEST(Timeouts, zero_window_may_stay_for_a_day_if_probes_are_answered) {  // MUST-37, MAY-8; 6429
  auto peer = established();
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->drain();
  const Instant end = peer->now + seconds(24 * 3600);
  while (peer->now < end) {
    peer->step();
    EXPECT_LE(peer->drain().size(), 1u);
    peer->sends({.ack = peer->iss + 1});
  }
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
  peer->peer_wnd = 1000;
  peer->sends({.ack = peer->iss + 1});
  peer->expects({.ctl = PSH | ACK, .text = "hello"});
}

TEST(Timeouts, unanswered_probes_end_it) {
  auto peer = established();
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->drain();
  while (peer->state() != State::CLOSED) peer->step(), peer->drain();
  EXPECT_EQ(peer->connection().take_error(), Errno::timed_out);
}

TEST(Timeouts, answered_probes_end_it_when_the_program_says_so) {  // 16.28, 6429
  Peer::Setup setup = plain();
  setup.options.user_timeout_ms = 5000;
  auto peer = established(setup);
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->drain();
  const Duration first = peer->step();
  const Instant start = peer->now;
  while (peer->now < start + seconds(5)) {
    EXPECT_EQ(peer->drain().size(), 1u);
    peer->sends({.ack = peer->iss + 1});
    peer->step();
  }
  EXPECT_EQ(peer->state(), State::CLOSED);
  EXPECT_EQ(first, Duration::ms(200));
  EXPECT_EQ((peer->now - start).to_ms(), 5000);
  EXPECT_EQ(peer->connection().take_error(), Errno::timed_out);
}

TEST(Timeouts, taken_probe_moves_on) {
  auto peer = established();
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->drain();
  peer->step();
  peer->expects({.ctl = ACK, .text = "h"});
  peer->peer_wnd = 100;
  peer->acks();
  peer->expects({.seq = peer->iss + 2, .ctl = PSH | ACK, .text = "ello"});
}

TEST(Timeouts, text_beyond_a_shrunk_edge_does_not_end_it) {  // SHLD-16, SHLD-17
  auto peer = established();
  peer->writes(std::string(5000, 'x'));
  peer->drain();
  peer->sends({.ack = peer->iss + 1, .wnd = 0});
  peer->peer_wnd = 0;
  for (int i = 0; i < 40; ++i) {
    peer->step();
    EXPECT_LE(peer->drain().size(), 1u);
    peer->sends({.ack = peer->iss + 1});
  }
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
}

TEST(Timeouts, orphan_with_zero_window_is_given_up) {  // CVE-2008-4609
  auto peer = established();
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("hello");
  peer->connection().close(peer->now);
  peer->drain();
  while (peer->state() != State::CLOSED) {
    peer->step();
    if (!peer->connection().is_linked()) continue;
    for (const Segment& seg : peer->drain()) {
      if (!seg.ctl.has(RST)) peer->sends({.ack = peer->iss + 1});
    }
  }
}

// --- keepalive

TEST(Timeouts, no_keepalive_unless_asked) {  // MUST-24, MUST-25, 9293-keepalive
  auto peer = established();
  auto asked = established();
  EXPECT_TRUE(peer->connection().next_timeout().is_never());
  asked->connection().options().keepalive = true;
  asked->connection().options_changed(asked->now);
  EXPECT_FALSE(asked->connection().next_timeout().is_never());
  EXPECT_TRUE(peer->connection().next_timeout().is_never());
  asked->connection().options().keepalive = false;
  asked->connection().options_changed(asked->now);
  asked->advance(seconds(3 * 7200));
  asked->expects_nothing();
}

TEST(Timeouts, first_keepalive_after_two_hours) {  // MUST-28, SHLD-12, MAY-5; 2525 2.11
  Peer::Setup setup;
  setup.options.keepalive = true;
  auto peer = established(setup);
  EXPECT_EQ(peer->step(), seconds(7200));
  peer->expects({.seq = peer->iss, .ack = peer->snd_nxt, .ctl = ACK, .len = 0u});
  peer->expects_nothing();
}

TEST(Timeouts, traffic_postpones_keepalive) {  // MUST-26, MUST-27
  Peer::Setup setup;
  setup.options.keepalive = true;
  setup.options.keepalive_idle_s = 10;
  auto peer = established(setup);
  peer->now = peer->now + seconds(9);
  peer->sends_text("x");
  peer->drain();
  const Instant last = peer->now;
  peer->step();
  peer->expects_nothing();
  while (peer->drain().empty()) peer->step();
  EXPECT_GE(peer->now - last, seconds(10));
}

TEST(Timeouts, one_answer_keeps_it_alive) {  // MUST-29, 9293-keepalive
  Peer::Setup setup;
  setup.options.keepalive = true;
  setup.options.keepalive_idle_s = 10;
  setup.options.keepalive_interval_s = 1;
  setup.options.keepalive_count = 3;
  auto peer = established(setup);
  peer->drain();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) {
      while (!peer->connection().is_linked()) peer->step();
      peer->expects({.seq = peer->iss, .ctl = ACK, .len = 0u});
      peer->expects_nothing();
    }
    peer->acks();
    peer->drain();
    EXPECT_EQ(peer->state(), State::ESTABLISHED);
  }
}

TEST(Timeouts, keepalive_waits_for_what_is_in_flight) {  // MUST-26
  Peer::Setup setup;
  setup.options.keepalive = true;
  setup.options.keepalive_idle_s = 10;
  auto peer = established(setup);
  peer->writes("x");
  peer->drain();
  const Instant end = peer->now + seconds(60);
  while (peer->now < end) {
    peer->step();
    for (const Segment& seg : peer->drain()) EXPECT_EQ(seg.text_length, 1u);
  }
  peer->acks();
  const Instant answered = peer->now;
  while (peer->drain().empty()) peer->step();
  EXPECT_GE(peer->now - answered, seconds(10));
}

TEST(Timeouts, unanswered_keepalives_reset) {  // 9293-keepalive; 2525 2.9
  Peer::Setup setup;
  setup.options.keepalive = true;
  auto peer = established(setup);
  const Instant start = peer->now;
  std::vector<Segment> last;
  while (peer->state() != State::CLOSED) peer->step(), last = peer->drain();
  EXPECT_EQ(peer->now - start, seconds(7200 + 9 * 75));
  ASSERT_EQ(last.size(), 1u);
  EXPECT_TRUE(last[0].ctl.has(RST));
  EXPECT_EQ(peer->connection().take_error(), Errno::timed_out);
}

// --- FIN-WAIT-2

TEST(Timeouts, orphan_leaves_fin_wait_2) {
  auto peer = established();
  peer->connection().close(peer->now);
  peer->drain();
  peer->acks();
  EXPECT_EQ(peer->state(), State::FIN_WAIT_2);
  EXPECT_EQ(peer->step(), seconds(60));
  EXPECT_EQ(peer->state(), State::CLOSED);
}

TEST(Timeouts, half_closed_waits_for_ever) {  // MAY-1
  auto peer = established();
  peer->connection().shutdown_send(peer->now);
  peer->drain();
  peer->acks();
  EXPECT_TRUE(peer->connection().take_events().has(Event::state_change));  // 17.6
  EXPECT_TRUE(peer->connection().next_timeout().is_never());
}

TEST(Timeouts, linger2_below_zero_resets) {
  Peer::Setup setup;
  setup.options.linger2_s = -1;
  auto peer = established(setup);
  peer->connection().close(peer->now);
  peer->drain();
  peer->acks();
  EXPECT_EQ(peer->state(), State::CLOSED);
  peer->expects({.ctl = RST | ACK});
}

}  // namespace
}  // namespace pollux::testing_support
