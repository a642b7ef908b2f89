// output_test.cc - when text may leave, in what sizes, and what its segments say.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

TEST(Output, nagle_holds_the_second_small_segment) {  // SHLD-7, MUST-17
  auto peer = established(plain());
  peer->writes("first");
  peer->expects({.ctl = PSH | ACK, .text = "first"});
  peer->writes("second");
  peer->expects_nothing();
  peer->acks();
  peer->expects({.ctl = PSH | ACK, .text = "second"});
}

TEST(Output, no_delay_sends_both) {  // MUST-17
  Peer::Setup setup = plain();
  setup.options.no_delay = true;
  auto peer = established(setup);
  peer->writes("first");
  peer->expects({.ctl = PSH | ACK, .text = "first"});
  peer->writes("second");
  peer->expects({.ctl = PSH | ACK, .text = "second"});
}

TEST(Output, minshall_lets_a_tail_follow_full_segments) {
  auto peer = established(plain());
  peer->writes(std::string(2100, 'x'));
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects({.ctl = PSH | ACK, .len = 100u});
}

TEST(Output, turning_nagle_off_releases_what_waits) {
  auto peer = established(plain());
  peer->writes("first");
  peer->drain();
  peer->writes("second");
  peer->expects_nothing();
  peer->connection().options().no_delay = true;
  peer->connection().options_changed(peer->now);
  EXPECT_TRUE(peer->connection().is_linked());
  peer->expects({.ctl = PSH | ACK, .text = "second"});
}

TEST(Output, cork_holds_a_partial_segment_but_not_for_ever) {  // MAY-16, MUST-60
  Peer::Setup setup = plain();
  setup.options.no_delay = true;
  setup.options.cork = true;
  auto peer = established(setup);
  peer->writes(std::string(1100, 'x'));
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->acks();
  peer->expects_nothing();
  EXPECT_LE(peer->step(), Duration::ms(200));
  peer->expects({.ctl = PSH | ACK, .len = 100u});
}

TEST(Output, more_holds_a_partial_segment_until_the_peer_speaks_or_time_passes) {
  Peer::Setup setup = plain();
  setup.options.no_delay = true;
  auto peer = established(setup);
  peer->writes(std::string(1100, 'x'), {.more = true});
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects_nothing();
  peer->acks();
  peer->expects({.ctl = PSH | ACK, .len = 100u});
  peer->acks();
  peer->writes("held", {.more = true});
  peer->expects_nothing();
  EXPECT_LE(peer->step(), Duration::ms(200));
  peer->expects({.ctl = PSH | ACK, .text = "held"});
}

// MAY-15.
TEST(Output, uncorking_releases) {
  Peer::Setup setup = plain();
  setup.options.cork = true;
  auto peer = established(setup);
  peer->writes("header");
  peer->expects_nothing();
  peer->writes("body");
  peer->connection().options().cork = false;
  peer->connection().options_changed(peer->now);
  peer->expects({.ctl = PSH | ACK, .text = "headerbody"});
}

TEST(Output, push_on_the_last_segment_only) {  // MUST-61
  auto peer = established(plain());
  peer->writes(std::string(2500, 'x'));
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects({.ctl = PSH | ACK, .len = 500u});
}

// fault-slow-writer.
TEST(Output, small_writes_join_to_full_segments) {  // SHLD-27, SHLD-28
  auto peer = established(plain());
  for (int i = 0; i < 50; ++i) peer->writes(std::string(100, 'x'));
  for (int i = 0; i < 4; ++i) peer->expects({.ctl = ACK, .len = 1000u});
  peer->expects({.ctl = PSH | ACK, .len = 1000u});
}

TEST(Output, window_opening_by_crumbs_is_not_used) {  // MUST-38
  auto peer = established(plain());
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes(std::string(5000, 'x'));
  for (std::uint32_t wnd = 10; wnd < 1000; wnd += 10) {
    peer->peer_wnd = wnd;
    peer->acks();
    peer->expects_nothing();
  }
  peer->peer_wnd = 1000;
  peer->acks();
  peer->expects({.ctl = ACK, .len = 1000u});
}

TEST(Output, crumb_leaves_at_the_override_timeout) {
  auto peer = established(plain());
  peer->peer_wnd = 100;
  peer->acks();
  peer->writes(std::string(5000, 'x'));
  peer->expects_nothing();
  peer->step();
  peer->expects({.ctl = ACK, .len = 100u});
}

TEST(Output, half_of_a_small_window_is_worth_a_segment) {  // MUST-38
  Peer::Setup setup = plain();
  setup.wnd = 400;
  auto peer = std::make_unique<Peer>(setup);
  peer->peer_wnd = 400;
  peer->open_active();
  peer->writes(std::string(5000, 'x'));
  peer->expects({.ctl = ACK, .len = 400u});
}

TEST(Output, fin_waits_for_window) {
  auto peer = established(plain());
  peer->peer_wnd = 0;
  peer->acks();
  peer->connection().close(peer->now);
  peer->expects_nothing();
  peer->step();
  peer->expects({.seq = peer->iss + 1, .ctl = FIN | ACK});  // as the probe
}

TEST(Output, segments_for_the_device_to_cut) {  // CSUM-2
  auto peer = established(plain());
  peer->connection().set_gso_limit(65535);
  peer->writes(std::string(9500, 'x'));
  const Segment seg = peer->expects({.ctl = ACK, .len = 9000u});
  EXPECT_EQ(seg.gso_size, 1000);
  peer->expects({.ctl = PSH | ACK, .len = 500u});
}

TEST(Output, acks_ride_on_text) {
  auto peer = established(plain());
  peer->sends_text("request");
  peer->reads();
  peer->writes("answer");
  peer->expects({.ack = peer->snd_nxt, .ctl = PSH | ACK, .text = "answer"});
  peer->expects_nothing();
}

TEST(Output, sack_blocks_only_where_they_fit) {  // MUST-16
  Peer::Setup setup = plain();
  setup.syn.sack_permitted = true;
  auto peer = established(setup);
  peer->sends({.seq = peer->snd_nxt + 100, .text = "later"});
  peer->drain();
  peer->writes(std::string(1100, 'x'));
  EXPECT_EQ(peer->expects({.ctl = ACK, .len = 1000u}).options.sack_count, 0);
  EXPECT_EQ(peer->expects({.ctl = PSH | ACK, .len = 100u}).options.sack_count, 1);
}

TEST(Output, restart_after_idle) {  // 5681-4.1
  auto peer = established(plain());
  for (int i = 0; i < 20; ++i) {
    peer->writes(std::string(40'000, 'x'));
    peer->drain();
    peer->acks();
  }
  peer->drain();
  peer->acks();
  EXPECT_GT(peer->connection().info(peer->now).snd_cwnd, 20u);
  peer->now = peer->now + Duration::seconds(5);
  peer->writes(std::string(60'000, 'x'));
  EXPECT_EQ(peer->drain().size(), 10u);
}

TEST(Output, reset_stands_where_the_peer_expects_it) {
  auto peer = established(plain());
  peer->writes(std::string(3000, 'x'));
  peer->drain();
  peer->step();  // SND.NXT has gone back
  peer->drain();
  peer->connection().abort(peer->now);
  peer->expects({.seq = peer->iss + 3001, .ctl = RST | ACK});
}

TEST(Output, mss_option_stands_in_syns_only) {  // MUST-65
  auto peer = established(plain());
  peer->writes("x");
  EXPECT_EQ(peer->expects({.ctl = PSH | ACK}).options.mss, 0);
}

}  // namespace
}  // namespace pollux::testing_support
