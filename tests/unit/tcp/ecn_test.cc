// ecn_test.cc - marks instead of losses: who agrees, who echoes, who reduces, what is marked.
// RFC 3168 6.1; SHLD-8.
#include "stack/tcp/ecn.h"

#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

constexpr Control kNone{};
const Control kAsks = SYN | ECE | CWR;

Peer::Setup with_ecn(std::uint32_t ecn, TcpOptions syn = {.mss = 1000}) {
  Peer::Setup setup;
  setup.config.ecn = ecn;
  setup.syn = syn;
  return setup;
}

Control operator|(Control a, ControlBit b) { return a | Control(b); }

// The connection asks; the peer's SYN,ACK says `answer`.
std::unique_ptr<Peer> asked(Control answer, const Peer::Setup& setup = with_ecn(kEcnAsk)) {
  auto peer = std::make_unique<Peer>(setup);
  peer->connection().open_active(peer->tuple(), peer->iss, setup.mtu, peer->now);
  const bool asks = setup.config.ecn == kEcnAsk;
  EXPECT_EQ(peer->expects({.ctl = asks ? kAsks : Control(SYN)}).ecn, Ecn::kNotEct);
  peer->sends({.ack = peer->iss + 1, .ctl = SYN | ACK | answer, .options = setup.syn});
  peer->snd_nxt += 1;
  EXPECT_EQ(peer->expects({.ctl = ACK, .len = 0u}).ecn, Ecn::kNotEct);
  return peer;
}

bool sends_capable(Peer& peer) {
  peer.writes("x");
  const Segment seg = peer.expects({.ctl = PSH | ACK, .len = 1u});
  EXPECT_NE(seg.ecn, Ecn::kCe);
  return seg.ecn == Ecn::kEct0;
}

// 3168-6.1.1a, SHLD-8: both or nobody.
TEST(EcnTest, what_a_syn_ack_says_to_who_asked) {
  for (const std::uint32_t config : {kEcnOff, kEcnAsk, kEcnAnswer}) {
    for (const Control answer : {kNone, Control(ECE), Control(CWR), ECE | CWR}) {
      auto peer = asked(answer, with_ecn(config));
      const bool agreed = config == kEcnAsk && answer == Control(ECE);
      EXPECT_EQ(sends_capable(*peer), agreed) << config << " " << int{answer.bits()};
      EXPECT_EQ(peer->connection().info(peer->now).has_ecn, agreed);
    }
  }
}

// 3168-6.1.1a: passive by default, as Linux's tcp_ecn 2.
TEST(EcnTest, what_a_listener_says_to_a_syn) {
  EXPECT_EQ(TcpConfig().ecn, kEcnAnswer);
  for (const std::uint32_t config : {kEcnOff, kEcnAsk, kEcnAnswer}) {
    for (const Control question : {kNone, Control(ECE), Control(CWR), ECE | CWR}) {
      const Peer::Setup setup = with_ecn(config);
      Peer peer(setup);
      Segment syn;
      syn.seq = peer.snd_nxt;
      syn.ctl = question | SYN;
      syn.options = setup.syn;
      peer.connection().open_passive(peer.tuple(), peer.iss, setup.mtu, syn, peer.now);
      peer.snd_nxt += 1;
      const bool agreed = config != kEcnOff && question == (ECE | CWR);
      const Control answer = agreed ? SYN | ACK | ECE : SYN | ACK;
      EXPECT_EQ(peer.expects({.ctl = answer}).ecn, Ecn::kNotEct);
      peer.step();  // and again
      EXPECT_EQ(peer.expects({.ctl = answer}).ecn, Ecn::kNotEct);
      peer.acks();
      EXPECT_EQ(sends_capable(peer), agreed) << config << " " << int{question.bits()};
    }
  }
}

// 3168-6.1.1.1: the second SYN does not ask, and then no answer makes it ECN.
TEST(EcnTest, a_syn_sent_again_asks_no_more) {
  Peer peer(with_ecn(kEcnAsk));
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.expects({.ctl = kAsks});
  peer.step();
  peer.expects({.ctl = SYN});
  peer.sends({.ack = peer.iss + 1, .ctl = SYN | ACK | ECE, .options = TcpOptions{.mss = 1000}});
  peer.snd_nxt += 1;
  peer.expects({.ctl = ACK});
  EXPECT_FALSE(sends_capable(peer));
}

// MUST-10 with 3168-6.1.1a: both SYNs ask.
TEST(EcnTest, simultaneous_open_agrees_if_both_ask) {
  for (const Control theirs : {Control(SYN), kAsks}) {
    Peer peer(with_ecn(kEcnAsk));
    peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
    peer.expects({.ctl = kAsks});
    peer.sends({.ctl = theirs, .options = TcpOptions{.mss = 1000}});
    const bool agreed = theirs == kAsks;
    peer.expects({.seq = peer.iss, .ctl = agreed ? SYN | ACK | ECE : SYN | ACK});
    const SeqNum syn = peer.snd_nxt;
    peer.snd_nxt += 1;
    peer.sends({.seq = syn, .ctl = agreed ? SYN | ACK | ECE : SYN | ACK});
    EXPECT_EQ(peer.state(), State::ESTABLISHED);
    peer.drain();
    EXPECT_EQ(sends_capable(peer), agreed);
  }
}

// 3168-6.1.3: from the mark on until the sender says that it has reduced.
TEST(EcnTest, a_mark_is_echoed_until_cwr) {
  auto peer = asked(ECE);
  EXPECT_FALSE(peer->connection().info(peer->now).has_seen_ecn);
  const auto arrives = [&](Control ctl, std::uint8_t ecn) {
    peer->sends({.ctl = ctl, .text = "text", .ecn = ecn});
    peer->snd_nxt += 4;
    peer->advance(Duration::ms(300));  // a delayed ACK
    const auto all = peer->drain();
    EXPECT_EQ(all.size(), 1u);
    return !all.empty() && all[0].ctl.has(ECE);
  };
  EXPECT_FALSE(arrives(ACK, Ecn::kEct0));
  EXPECT_TRUE(peer->connection().info(peer->now).has_seen_ecn);
  EXPECT_TRUE(arrives(ACK, Ecn::kCe));
  EXPECT_TRUE(arrives(ACK, Ecn::kEct0));
  EXPECT_TRUE(arrives(ACK, Ecn::kNotEct));
  peer->writes("x");
  peer->expects({.ctl = PSH | ACK | ECE});  // text says it too
  peer->acks();
  EXPECT_FALSE(arrives(ACK | CWR, Ecn::kEct0));
  EXPECT_FALSE(arrives(ACK, Ecn::kEct0));
  EXPECT_TRUE(arrives(ACK, Ecn::kCe));
  EXPECT_TRUE(arrives(ACK | CWR, Ecn::kCe)) << "marked itself: a new one";
  EXPECT_FALSE(arrives(ACK | CWR, Ecn::kEct0));
  EXPECT_EQ(peer->counters.tcp_marked_in, 3u);
}

// Linux: tcp_ecn_accept_cwr(), __tcp_ecn_check_ce(): whoever has a window of one segment waits.
TEST(EcnTest, a_first_mark_and_a_cwr_are_answered_at_once) {
  auto peer = asked(ECE);
  for (int i = 0; i < 20; ++i) {  // the quick ACKs of the beginning
    peer->sends_text("text", ACK);
    peer->drain();
  }
  const auto arrives = [&](Control ctl, std::uint8_t ecn) {
    peer->advance(Duration::ms(10));
    peer->drain();
    peer->reads();
    peer->drain();
    peer->sends({.ctl = ctl, .text = "text", .ecn = ecn});
    peer->snd_nxt += 4;
    return peer->drain().size();
  };
  EXPECT_EQ(arrives(ACK, Ecn::kEct0), 0u);
  EXPECT_EQ(arrives(ACK, Ecn::kCe), 1u);
  EXPECT_EQ(arrives(ACK, Ecn::kCe), 0u);
  EXPECT_EQ(arrives(ACK | CWR, Ecn::kEct0), 1u);
}

TEST(EcnTest, marks_mean_nothing_to_who_has_not_agreed) {
  auto peer = asked(kNone);
  peer->sends({.ctl = ACK, .text = "text", .ecn = Ecn::kCe});
  peer->snd_nxt += 4;
  peer->expects({.ctl = ACK});
  peer->writes(std::string(4000, 'x'));
  peer->drain();
  const std::uint32_t before = peer->connection().info(peer->now).snd_cwnd;
  peer->sends({.ctl = ACK | ECE});
  peer->drain();
  EXPECT_GE(peer->connection().info(peer->now).snd_cwnd, before);
  EXPECT_EQ(peer->counters.tcp_marked_in + peer->counters.tcp_ecn_reductions, 0u);
}

// 3168-6.1.5: forged, for anybody can set two bits of what nobody waits for. 6.1.4: a bare ACK.
TEST(EcnTest, marks_of_what_is_not_acceptable_are_ignored) {
  auto peer = asked(ECE);
  const auto is_echoed = [&] {
    peer->writes("x");
    const auto all = peer->drain();
    peer->acks();
    EXPECT_FALSE(all.empty());
    return !all.empty() && all.back().ctl.has(ECE);
  };
  peer->sends_text("text");
  peer->drain();
  peer->sends({.seq = peer->snd_nxt - 4, .text = "text", .ecn = Ecn::kCe});  // a duplicate
  EXPECT_FALSE(is_echoed());
  peer->sends({.seq = peer->snd_nxt + (1u << 20), .text = "text", .ecn = Ecn::kCe});
  EXPECT_FALSE(is_echoed());
  peer->sends({.ack = peer->rcv_nxt + 5000, .text = "text", .ecn = Ecn::kCe});
  EXPECT_FALSE(is_echoed());
  peer->sends({.ctl = ACK, .ecn = Ecn::kCe});
  EXPECT_FALSE(is_echoed());
  peer->sends({.text = "text", .ecn = Ecn::kCe});
  EXPECT_TRUE(is_echoed());
}

// 3168-6.1.2: once for a window of text, and the first new text says so.
TEST(EcnTest, an_echo_halves_the_window_once_and_cwr_says_so) {
  auto peer = asked(ECE);
  peer->writes(std::string(40'000, 'x'));
  ASSERT_EQ(peer->drain().size(), 10u);
  const auto cwnd = [&] { return peer->connection().info(peer->now).snd_cwnd; };
  ASSERT_EQ(cwnd(), 10u);
  const SeqNum una = peer->iss + 1;
  peer->sends({.ack = una + 1000, .ctl = ACK | ECE});
  EXPECT_EQ(cwnd(), 5u);
  peer->expects_nothing();  // nine are in the network
  for (std::uint32_t acked = 2; acked <= 5; ++acked) {
    peer->sends({.ack = una + acked * 1000, .ctl = ACK | ECE});
    EXPECT_EQ(cwnd(), 5u) << "marks of the same window";
    peer->expects_nothing();
  }
  peer->sends({.ack = una + 6000, .ctl = ACK | ECE});
  EXPECT_EQ(peer->expects({.seq = una + 10'000, .ctl = ACK | CWR, .len = 1000u}).ecn, Ecn::kEct0);
  peer->sends({.ack = una + 7000, .ctl = ACK | ECE});
  EXPECT_EQ(peer->expects({.seq = una + 11'000, .ctl = ACK, .len = 1000u}).ecn, Ecn::kEct0);
  peer->sends({.ack = una + 10'000, .ctl = ACK | ECE});  // the segment with CWR is on its way
  EXPECT_EQ(cwnd(), 5u);
  peer->drain();
  EXPECT_EQ(peer->counters.tcp_ecn_reductions, 1u);
  peer->sends({.ack = una + 11'000, .ctl = ACK | ECE});  // sent after CWR had arrived: a new mark
  EXPECT_EQ(cwnd(), 2u);
  EXPECT_EQ(peer->counters.tcp_ecn_reductions, 2u);
  EXPECT_EQ(peer->counters.tcp_retransmitted, 0u);
}

// 3168-6.1.2: a loss has reduced the window; marks of that window do not reduce it again.
TEST(EcnTest, a_loss_counts_as_the_reduction_of_its_window) {
  auto peer = asked(ECE);
  peer->writes(std::string(40'000, 'x'));
  peer->drain();
  const SeqNum una = peer->iss + 1;
  for (int i = 0; i < 3; ++i) peer->sends({.ack = una, .ctl = ACK});
  const Segment again = peer->expects({.seq = una, .ctl = ACK, .len = 1000u});
  EXPECT_EQ(again.ecn, Ecn::kNotEct);  // 3168-6.1.5
  peer->drain();
  const SeqNum end = peer->connection().snd().max;
  peer->sends({.ack = end, .ctl = ACK | ECE});
  EXPECT_EQ(peer->counters.tcp_ecn_reductions, 0u);
  const auto more = peer->drain();
  ASSERT_FALSE(more.empty());
  EXPECT_EQ(more[0].seq, end);
  EXPECT_TRUE(more[0].ctl.has(CWR));
  EXPECT_EQ(more[0].ecn, Ecn::kEct0);
}

TEST(EcnTest, a_timeout_too) {
  auto peer = asked(ECE);
  peer->writes("text");
  peer->drain();
  peer->step();
  const Segment again = peer->expects({.seq = peer->iss + 1, .ctl = PSH | ACK, .len = 4u});
  EXPECT_EQ(again.ecn, Ecn::kNotEct);  // 3168-6.1.5
  peer->sends({.ctl = ACK | ECE});
  EXPECT_EQ(peer->counters.tcp_ecn_reductions, 0u);
  peer->writes("more");
  EXPECT_EQ(peer->expects({.ctl = PSH | ACK | CWR, .len = 4u}).ecn, Ecn::kEct0);
}

// 3168-6.1.4, 3168-6.1.6: bare ACKs, window probes, the FIN alone, keepalives.
TEST(EcnTest, what_carries_no_new_text_is_not_capable) {
  auto peer = asked(ECE);
  peer->sends({.wnd = 0u, .ctl = ACK});
  peer->writes("text");
  peer->expects_nothing();
  peer->step();
  EXPECT_EQ(peer->expects({.ctl = ACK, .len = 1u}).ecn, Ecn::kNotEct);  // a probe
  peer->sends({.ack = peer->iss + 1, .ctl = ACK});                      // it opens
  EXPECT_EQ(peer->expects({.seq = peer->iss + 1, .ctl = PSH | ACK, .len = 4u}).ecn, Ecn::kNotEct);
  peer->acks();
  peer->sends_text("text");
  EXPECT_EQ(peer->expects({.ctl = ACK, .len = 0u}).ecn, Ecn::kNotEct);
  peer->connection().shutdown_send(peer->now);
  EXPECT_EQ(peer->expects({.ctl = FIN | ACK, .len = 0u}).ecn, Ecn::kNotEct);
}

// CSUM-2: a device may copy the flags to every segment that it cuts.
TEST(EcnTest, cwr_is_of_one_segment_when_a_device_cuts) {
  auto peer = asked(ECE);
  peer->connection().set_gso_limit(64'000);
  peer->writes(std::string(60'000, 'x'));
  peer->drain();
  const SeqNum una = peer->iss + 1;
  peer->sends({.ack = una + 8000, .ctl = ACK | ECE});
  EXPECT_EQ(peer->expects({.ctl = ACK | CWR}).text_length, 1000u);
  const Segment next = peer->expects({.ctl = ACK});
  EXPECT_EQ(next.text_length, 2000u);
  EXPECT_EQ(next.gso_size, 1000u);
}

}  // namespace
}  // namespace pollux::testing_support
