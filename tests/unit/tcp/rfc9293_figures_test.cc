// rfc9293_figures_test.cc - figures 6 to 13 of RFC 9293, each numbered line a step.
// RFC 9293 3.5 and 3.6. "Peer" is the figure's other column; time stands still where it does there.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

// SHLD-5, MAY-3; Figure 6: basic three-way handshake, from the active side.
TEST(Rfc9293Figures, figure_6_active) {
  Peer peer;
  peer.snd_nxt = SeqNum(300);
  peer.iss = SeqNum(100);
  EXPECT_EQ(peer.state(), State::CLOSED);  // 1
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  EXPECT_EQ(peer.state(), State::SYN_SENT);  // 2
  const Segment syn = peer.expects({.seq = SeqNum(100), .ctl = SYN});
  EXPECT_EQ(syn.options.mss, 1460);                                        // MUST-14, MUST-67
  peer.sends({.seq = SeqNum(300), .ack = SeqNum(101), .ctl = SYN | ACK});  // 3
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  peer.expects({.seq = SeqNum(101), .ack = SeqNum(301), .ctl = ACK, .len = 0u});  // 4
  EXPECT_TRUE(peer.connection().take_events().has(Event::state_change));
  peer.writes("data");
  peer.expects({.seq = SeqNum(101), .ack = SeqNum(301), .ctl = PSH | ACK, .text = "data"});  // 5
}

TEST(Rfc9293Figures, figure_6_passive) {
  Peer peer;
  peer.snd_nxt = SeqNum(100);
  peer.iss = SeqNum(300);
  Segment syn;
  syn.seq = SeqNum(100);
  syn.ctl = SYN;
  syn.wnd = 1000;
  peer.connection().open_passive(peer.tuple(), peer.iss, 1500, syn, peer.now);
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);                              // 2
  peer.expects({.seq = SeqNum(300), .ack = SeqNum(101), .ctl = SYN | ACK});  // 3
  peer.sends({.seq = SeqNum(101), .ack = SeqNum(301), .ctl = ACK});          // 4
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  peer.sends({.seq = SeqNum(101), .ack = SeqNum(301), .ctl = ACK, .text = "data"});  // 5
  EXPECT_EQ(peer.reads(), "data");
}

// Figure 7: simultaneous connection synchronization (MUST-10).
TEST(Rfc9293Figures, figure_7_simultaneous_open) {
  Peer peer;
  peer.iss = SeqNum(100);
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.expects({.seq = SeqNum(100), .ctl = SYN});  // 2
  peer.sends({.seq = SeqNum(300), .ctl = SYN});    // 3
  EXPECT_EQ(peer.state(), State::SYN_RECEIVED);
  peer.expects({.seq = SeqNum(100), .ack = SeqNum(301), .ctl = SYN | ACK});  // 5
  peer.sends({.seq = SeqNum(300), .ack = SeqNum(101), .ctl = SYN | ACK});    // 6
  EXPECT_EQ(peer.state(), State::ESTABLISHED);                               // 7
  peer.snd_nxt = SeqNum(301);
  peer.sends_text("hello");
  EXPECT_EQ(peer.reads(), "hello");
}

// Figure 8: an old duplicate SYN,ACK is answered with a reset, and the handshake goes on.
TEST(Rfc9293Figures, figure_8_old_duplicate_syn) {
  Peer peer;
  peer.iss = SeqNum(100);
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.expects({.seq = SeqNum(100), .ctl = SYN});                         // 2
  peer.sends({.seq = SeqNum(300), .ack = SeqNum(91), .ctl = SYN | ACK});  // 4: answers SEQ=90
  peer.expects({.seq = SeqNum(91), .ctl = RST});                          // 5
  EXPECT_EQ(peer.state(), State::SYN_SENT);
  peer.sends({.seq = SeqNum(400), .ack = SeqNum(101), .ctl = SYN | ACK});  // 7
  EXPECT_EQ(peer.state(), State::ESTABLISHED);
  peer.expects({.seq = SeqNum(101), .ack = SeqNum(401), .ctl = ACK});  // 8
}

// Figure 9: half-open connection discovered by a SYN; the peer crashed and opens again.
TEST(Rfc9293Figures, figure_9_half_open_discovery) {
  auto peer = established();
  peer->sends({.seq = SeqNum(400), .ack = SeqNum(0), .ctl = SYN});          // 3
  peer->expects({.seq = peer->iss + 1, .ack = peer->snd_nxt, .ctl = ACK});  // 4
  peer->sends({.seq = peer->snd_nxt, .ctl = RST});  // 5: what that ACK asked for
  EXPECT_EQ(peer->state(), State::CLOSED);          // 6
  EXPECT_EQ(peer->connection().pending_error(), Errno::connection_reset);
}

// Figure 10: the active side causes half-open connection discovery.
TEST(Rfc9293Figures, figure_10_active_side_discovers) {
  auto peer = established();
  peer->writes("data");
  const Segment seg = peer->expects({.ctl = PSH | ACK, .text = "data"});  // 2
  peer->sends({.seq = seg.ack, .ctl = RST});                              // 3
  EXPECT_EQ(peer->state(), State::CLOSED);
}

// Figure 12: normal close sequence.
TEST(Rfc9293Figures, figure_12_normal_close_active) {
  auto peer = established();
  const SeqNum seq = peer->iss + 1;
  const SeqNum ack = peer->snd_nxt;
  peer->connection().close(peer->now);  // 2
  EXPECT_EQ(peer->state(), State::FIN_WAIT_1);
  peer->expects({.seq = seq, .ack = ack, .ctl = FIN | ACK});
  peer->sends({.seq = ack, .ack = seq + 1, .ctl = ACK});  // 3
  EXPECT_EQ(peer->state(), State::FIN_WAIT_2);
  peer->sends({.seq = ack, .ack = seq + 1, .ctl = FIN | ACK});  // 4
  EXPECT_EQ(peer->state(), State::TIME_WAIT);                   // MUST-13
  peer->expects({.seq = seq + 1, .ack = ack + 1, .ctl = ACK});  // 5
  peer->expects_nothing();
}

TEST(Rfc9293Figures, figure_12_normal_close_passive) {
  auto peer = established();
  const SeqNum seq = peer->iss + 1;
  const SeqNum ack = peer->snd_nxt;
  peer->sends({.ctl = FIN | ACK});  // 2
  EXPECT_EQ(peer->state(), State::CLOSE_WAIT);
  peer->expects({.seq = seq, .ack = ack + 1, .ctl = ACK});  // 3
  peer->connection().close(peer->now);                      // 4
  EXPECT_EQ(peer->state(), State::LAST_ACK);
  peer->expects({.seq = seq, .ack = ack + 1, .ctl = FIN | ACK});
  peer->sends({.seq = ack + 1, .ack = seq + 1, .ctl = ACK});  // 5
  EXPECT_EQ(peer->state(), State::CLOSED);
}

// Figure 13: simultaneous close sequence.
TEST(Rfc9293Figures, figure_13_simultaneous_close) {
  auto peer = established();
  const SeqNum seq = peer->iss + 1;
  const SeqNum ack = peer->snd_nxt;
  peer->connection().close(peer->now);  // 2
  peer->expects({.seq = seq, .ack = ack, .ctl = FIN | ACK});
  peer->sends({.seq = ack, .ack = seq, .ctl = FIN | ACK});
  EXPECT_EQ(peer->state(), State::CLOSING);
  peer->expects({.seq = seq + 1, .ack = ack + 1, .ctl = ACK});  // 3
  peer->sends({.seq = ack + 1, .ack = seq + 1, .ctl = ACK});
  EXPECT_EQ(peer->state(), State::TIME_WAIT);  // 4
}

}  // namespace
}  // namespace pollux::testing_support
