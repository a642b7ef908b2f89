// segment_arrives_syn_test.cc - the handshake's odd cases, and what its options mean.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

struct Opening : Peer {
  explicit Opening(const Setup& setup = {}) : Peer(setup) {
    connection().open_active(tuple(), iss, 1500, now);
    drain();
  }
};
Segment syn_with(const TcpOptions& options, std::uint32_t wnd = 65535) {
  Segment syn;
  syn.seq = SeqNum(5000);
  syn.ctl = SYN;
  syn.wnd = wnd;
  syn.options = options;
  return syn;
}

TEST(SegmentArrivesSynSent, rst_counts_only_if_it_acknowledges_our_syn) {  // 5961-3.2d
  Opening peer;
  peer.sends({.ack = peer.iss, .ctl = RST | ACK});
  peer.sends({.ctl = RST});
  EXPECT_EQ(peer.state(), State::SYN_SENT);
  peer.sends({.ack = peer.iss + 1, .ctl = RST | ACK});
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_EQ(peer.connection().take_error(), Errno::connection_refused);  // 16.26
}

TEST(SegmentArrivesSynSent, bad_ack_without_rst_is_reset) {
  Opening peer;
  peer.sends({.ack = peer.iss + 100, .ctl = ACK});
  peer.expects({.seq = peer.iss + 100, .ctl = RST});
  EXPECT_EQ(peer.state(), State::SYN_SENT);
}

TEST(SegmentArrivesSynReceived, rst_ends_a_passive_open_silently) {  // MUST-11
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.snd_nxt += 1;
  peer.drain();
  peer.sends({.ctl = RST});
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_EQ(peer.connection().pending_error(), Errno{});
}

// 5961-3.2a: at the IRS it lies before the window, and a SYN with RST is no SYN that comes again.
TEST(SegmentArrivesSynReceived, syn_with_rst_before_the_window_is_dropped) {
  Peer passive;
  passive.connection().open_passive(passive.tuple(), passive.iss, 1500, syn_with({}), passive.now);
  passive.drain();
  Opening active;
  active.sends({.ctl = SYN});
  active.drain();
  for (Peer* peer : {&passive, static_cast<Peer*>(&active)}) {
    for (const Control ctl : {SYN | RST, SYN | RST | ACK}) {
      peer->sends({.seq = SeqNum(5000), .ctl = ctl});
      EXPECT_EQ(peer->state(), State::SYN_RECEIVED);
      peer->expects_nothing();
    }
    EXPECT_EQ(peer->connection().pending_error(), Errno{});
  }
}

TEST(SegmentArrivesSynReceived, rst_refuses_an_active_open) {  // MUST-11
  Opening peer;
  peer.sends({.ctl = SYN});
  peer.snd_nxt += 1;
  peer.drain();
  peer.sends({.ctl = RST});
  EXPECT_EQ(peer.connection().pending_error(), Errno::connection_refused);
}

TEST(SegmentArrivesSynReceived, repeated_syn_gets_the_syn_ack_again) {
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.expects({.seq = peer.iss, .ctl = SYN | ACK});
  peer.expects_nothing();
  peer.sends({.seq = SeqNum(5000), .ctl = SYN});
  peer.expects({.seq = peer.iss, .ack = SeqNum(5001), .ctl = SYN | ACK});
  peer.expects_nothing();
}

TEST(SegmentArrivesSynReceived, wrong_ack_is_reset) {
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.snd_nxt += 1;
  peer.drain();
  peer.sends({.ack = peer.iss + 7, .ctl = ACK});
  peer.expects({.seq = peer.iss + 7, .ctl = RST});
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
}

TEST(SegmentArrivesSynReceived, wrong_ack_with_an_old_octet_gets_one_answer) {  // 3.10.7.4, fifth
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.drain();
  peer.sends({.seq = SeqNum(5000), .ack = peer.iss, .ctl = ACK, .text = "old and new"});
  peer.expects({.seq = peer.iss, .ctl = RST});
  peer.expects_nothing();
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
}

TEST(SegmentArrivesSynReceived, text_with_the_last_ack_is_taken) {
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.snd_nxt += 1;
  peer.drain();
  peer.sends_text("request");
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  EXPECT_EQ(peer.reads(), "request");
}

TEST(SegmentArrivesSynReceived, close_before_the_handshake_ends_sends_fin_after_it) {
  Peer peer;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn_with({}), peer.now);
  peer.snd_nxt += 1;
  peer.drain();
  peer.connection().close(peer.now);
  peer.expects_nothing();
  peer.acks();
  EXPECT_EQ(peer.state(), State::FIN_WAIT_1);
  peer.expects({.seq = peer.iss + 1, .ctl = FIN | ACK});
}

TEST(SynOptions, answered_only_if_offered) {  // 7323-2.2a, 2018-2
  for (const bool offered : {false, true}) {
    Peer peer;
    peer.connection().open_passive(peer.tuple(), peer.iss, 1500,
                                   syn_with(offered ? all_options() : TcpOptions{}), peer.now);
    const Segment seg = peer.expects({.ctl = SYN | ACK});
    EXPECT_EQ(seg.options.has_window_scale, offered);
    EXPECT_EQ(seg.options.sack_permitted, offered);
    EXPECT_EQ(seg.options.has_timestamps, offered);
    EXPECT_EQ(seg.options.mss, 1460);
  }
}

TEST(SynOptions, scale_needs_both) {  // 7323-2.2a
  Peer::Setup setup;
  setup.syn = {.mss = 1460};  // we offered it
  auto peer = established(setup);
  peer->sends({.wnd = 1000, .ctl = ACK});
  EXPECT_EQ(peer->connection().info(peer->now).snd_wnd, 1000u);
  peer->sends_text(std::string(1460, 'x'));
  peer->sends_text(std::string(1460, 'x'));
  EXPECT_EQ(peer->expects({.ctl = ACK}).wnd, peer->connection().rcv().wnd);
  peer->sends({.wnd = 1000, .ctl = ACK, .options = all_options()});  // in no SYN: nothing
  EXPECT_EQ(peer->connection().info(peer->now).snd_wnd, 1000u);
}

TEST(SynOptions, window_of_a_syn_is_not_scaled) {  // 7323-2.2b
  Peer::Setup setup;
  setup.syn = all_options();
  setup.wnd = 1000;
  auto peer = established(setup);
  EXPECT_EQ(peer->connection().info(peer->now).snd_wnd, 1000u);
  peer->sends({.wnd = 1000, .ctl = ACK});
  EXPECT_EQ(peer->connection().info(peer->now).snd_wnd, 1000u << 7);
}

TEST(SynOptions, scale_above_14_means_14) {  // 7323-2.3
  Peer::Setup setup;
  setup.syn = all_options();
  setup.syn.window_scale = 255;
  auto peer = established(setup);
  peer->sends({.wnd = 2, .ctl = ACK});
  EXPECT_EQ(peer->connection().info(peer->now).snd_wnd, 2u << 14);
}

TEST(SynOptions, no_mss_means_536_or_1220) {  // MUST-15
  Peer::Setup setup;
  setup.syn = {};
  EXPECT_EQ(established(setup)->connection().send_mss(), 536);
  Peer peer;
  const Endpoint a{*IpAddress::parse("2001:db8::1"), 1}, b{*IpAddress::parse("2001:db8::2"), 2};
  peer.connection().open_passive({a, b}, peer.iss, 1500, syn_with({}), peer.now);
  EXPECT_EQ(peer.connection().send_mss(), 1220);
  EXPECT_EQ(peer.expects({.ctl = SYN | ACK}).options.mss, 1440);  // MUST-67
}

TEST(SynOptions, options_take_their_room_from_the_payload) {  // MUST-16; 2525 2.18
  Peer::Setup setup;
  setup.syn = all_options();
  EXPECT_EQ(established(setup)->connection().send_mss(), 1448);
  setup.mtu = 576;
  EXPECT_EQ(established(setup)->connection().send_mss(), 524);
}

TEST(SynOptions, tiny_mss_is_not_believed) {  // section 14: floor 48
  Peer::Setup setup;
  setup.syn = {.mss = 1};
  EXPECT_EQ(established(setup)->connection().send_mss(), 48);
}

TEST(SynOptions, timestamp_offsets_differ) {  // 7323-7.1
  Peer::Setup setup;
  setup.syn = all_options();
  auto a = established(setup);
  EXPECT_NE(a->connection().ts_offset(), 0u);
  Peer b;
  b.connection().set_timestamp_offset(12345);
  b.connection().open_active(b.tuple(), b.iss, 1500, b.now);
  const Segment syn = b.expects({.ctl = SYN});
  EXPECT_EQ(syn.options.ts_val, milliseconds(b.now) + 12345);
}

TEST(SynOptions, lost_syn_means_one_segment_and_three_seconds) {  // 5681-3.1a, 6298-5.7
  Opening peer;
  peer.step();
  peer.expects({.seq = peer.iss, .ctl = SYN});
  peer.sends({.ctl = SYN | ACK, .options = TcpOptions{.mss = 1000}});
  peer.snd_nxt += 1;
  peer.drain();
  EXPECT_EQ(peer.connection().info(peer.now).rto, 3'000'000u);
  peer.writes(std::string(5000, 'x'));
  EXPECT_EQ(peer.drain().size(), 1u);
}

}  // namespace
}  // namespace pollux::testing_support
