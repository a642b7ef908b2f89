// acknowledge_test.cc - loss detection and recovery, with and without SACK; growth; the send
// window.
#include <deque>

#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

constexpr std::uint32_t kMss = 1000;

// Room for many segments.
Peer::Setup bulk() {
  Peer::Setup setup;
  setup.syn = {.mss = kMss};
  setup.options.send_buffer = 1 << 20;
  return setup;
}
Peer::Setup bulk_with_sack() {
  Peer::Setup setup = bulk();
  setup.syn.sack_permitted = true;
  return setup;
}
// A connection with `n` segments in flight, the first at the returned peer's iss + 1.
std::unique_ptr<Peer> in_flight(const Peer::Setup& setup, std::uint32_t n = 10,
                                std::uint32_t queued = 100) {
  auto peer = established(setup);
  peer->writes(std::string(queued * kMss, 'x'));
  EXPECT_EQ(peer->drain().size(), n);
  return peer;
}
SeqNum segment(const Peer& peer, std::uint32_t i) { return peer.iss + 1 + i * kMss; }
std::uint32_t cwnd(Peer& peer) { return peer.connection().info(peer.now).snd_cwnd; }
Seg sack(const Peer& peer, std::uint32_t ack, std::uint32_t left, std::uint32_t right) {
  TcpOptions options;
  options.sack_count = 1;
  options.sack[0] = {segment(peer, left), segment(peer, right)};
  return {.ack = segment(peer, ack), .options = options};
}

TEST(Acknowledge, first_burst_is_ten_segments) {  // 6928-2, MUST-19; 2525 2.1, 2.3
  auto peer = in_flight(bulk());
  peer->sends({.ack = segment(*peer, 1)});
  EXPECT_EQ(peer->drain().size(), 2u);  // slow start: one left, one more allowed
}

TEST(Acknowledge, third_duplicate_ack_sends_again) {  // 5681-3.2, RFC 3042; 2525 2.14
  auto peer = in_flight(bulk());
  peer->sends({.ack = segment(*peer, 0)});
  peer->expects({.seq = segment(*peer, 10), .len = kMss});  // limited transmit
  peer->expects_nothing();
  peer->sends({.ack = segment(*peer, 0)});
  peer->expects({.seq = segment(*peer, 11), .len = kMss});
  peer->expects_nothing();
  peer->sends({.ack = segment(*peer, 0)});
  peer->expects({.seq = segment(*peer, 0), .len = kMss});
  peer->expects_nothing();
  EXPECT_EQ(peer->connection().info(peer->now).snd_ssthresh, 5u);  // 5681-3.1d: half of ten
}

TEST(Acknowledge, what_is_no_duplicate) {  // 5681-2: text, another window
  auto peer = in_flight(bulk());
  for (std::uint32_t i = 0; i < 5; ++i) {
    peer->sends({.ack = segment(*peer, 0), .wnd = 60'000 + i});
    peer->sends({.ack = segment(*peer, 0), .text = "x"});
    peer->snd_nxt += 1;
  }
  for (const Segment& seg : peer->drain()) EXPECT_EQ(seg.text_length, 0u);
}

// 6582-3.2: two losses in one window; 2525 2.8
TEST(Acknowledge, partial_acks_send_the_next_hole) {
  auto peer = in_flight(bulk());
  for (int i = 0; i < 8; ++i) peer->sends({.ack = segment(*peer, 0)});
  peer->drain();
  peer->sends({.ack = segment(*peer, 4)});
  peer->expects({.seq = segment(*peer, 4), .len = kMss});
  const SeqNum recover = peer->rcv_nxt;
  peer->drain();
  peer->sends({.ack = later(recover, segment(*peer, 12))});
  EXPECT_EQ(peer->connection().info(peer->now).ca_state, 0);
  EXPECT_LE(cwnd(*peer), 5u);
}

TEST(Acknowledge, duplicates_never_inflate_beyond_the_flight) {  // faults V18
  auto peer = in_flight(bulk());
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    peer->sends({.ack = segment(*peer, 0)});
    sent += peer->drain().size();
  }
  EXPECT_LE(sent, 1u + 10u + 5u);
}

TEST(Acknowledge, sack_recovery_fills_holes_before_new_text) {  // 6675-5
  auto peer = in_flight(bulk_with_sack());
  peer->sends(sack(*peer, 0, 1, 2));
  peer->sends(sack(*peer, 0, 3, 4));
  peer->drain();
  peer->sends(sack(*peer, 0, 5, 8));
  std::vector<SeqNum> again;
  for (const Segment& seg : peer->drain()) {
    if (seg.seq < segment(*peer, 10)) again.push_back(seg.seq);
  }
  ASSERT_GE(again.size(), 1u);
  EXPECT_EQ(again[0], segment(*peer, 0));
  peer->sends(sack(*peer, 1, 5, 10));
  peer->sends({.ack = segment(*peer, 2)});
  for (const Segment& seg : peer->drain()) {
    if (seg.seq < segment(*peer, 10)) again.push_back(seg.seq);
  }
  ASSERT_GE(again.size(), 3u);
  EXPECT_EQ(again[1], segment(*peer, 2));
  EXPECT_EQ(again[2], segment(*peer, 4));
}

TEST(Acknowledge, what_was_sacked_is_not_sent_again) {
  auto peer = in_flight(bulk_with_sack());
  peer->sends(sack(*peer, 0, 1, 10));
  std::vector<Segment> out = peer->drain();
  ASSERT_FALSE(out.empty());
  EXPECT_EQ(out[0].seq, segment(*peer, 0));
  for (std::size_t i = 1; i < out.size(); ++i) EXPECT_GE(out[i].seq, segment(*peer, 10));
}

TEST(Acknowledge, absurd_blocks_are_ignored) {  // 2018-x
  auto peer = in_flight(bulk_with_sack());
  for (const auto& [left, right] : {std::pair{5u, 5u}, {6u, 5u}, {5u, 50u}, {0xfff00000u, 2u}}) {
    peer->sends(sack(*peer, 0, left, right));
  }
  EXPECT_EQ(peer->connection().info(peer->now).sacked, 0u);
  EXPECT_EQ(peer->shared().scoreboards.used(), 0u);
}

// On the circle left < right =< SND.MAX holds for a block that lies far away.
TEST(Acknowledge, block_from_the_far_side_of_the_circle_is_ignored) {
  auto peer = in_flight(bulk_with_sack());
  TcpOptions options;
  options.sack_count = 1;
  options.sack[0] = {peer->iss + 0x43000000u, peer->iss + 0xb3000000u};
  peer->sends({.ack = segment(*peer, 0), .options = options});
  EXPECT_EQ(peer->shared().scoreboards.used(), 0u);
}

TEST(Acknowledge, text_written_during_recovery_leaves_if_there_is_room) {
  auto peer = in_flight(bulk_with_sack(), 10, 10);
  peer->sends(sack(*peer, 0, 1, 10));
  peer->expects({.seq = segment(*peer, 0), .len = kMss});
  peer->expects_nothing();
  peer->writes(std::string(kMss, 'y'));
  peer->expects({.seq = segment(*peer, 10), .ctl = PSH | ACK, .len = kMss});
}

TEST(Acknowledge, timer_runs_when_a_window_opens_over_a_probe) {  // 2525 2.12
  auto peer = established(bulk_with_sack());
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes("x");
  peer->drain();
  peer->step();
  peer->expects({.ctl = PSH | ACK, .text = "x"});
  peer->sends({.ack = segment(*peer, 0), .wnd = 1000});
  EXPECT_FALSE(peer->connection().next_timeout().is_never());
  peer->expects({.seq = segment(*peer, 0), .ctl = PSH | ACK, .text = "x"});
}

TEST(Acknowledge, reneging_peer_gets_everything_after_the_timeout) {  // 2018-8
  auto peer = in_flight(bulk_with_sack(), 10, 10);
  peer->sends(sack(*peer, 0, 1, 10));
  peer->drain();
  peer->step();
  SeqNum next = segment(*peer, 0);
  for (int i = 0; i < 10; ++i) {
    auto out = peer->connection().next_segment(peer->now);
    ASSERT_TRUE(out.has_value());
    EXPECT_EQ(out->seq, next);
    EXPECT_EQ(out->text_length, kMss);
    next = out->seq + out->len();
    if (i == 0 || i % 2 == 0) peer->sends({.ack = next});
  }
  peer->sends({.ack = next});
  EXPECT_EQ(peer->connection().unacked_octets(), 0u);
}

TEST(Acknowledge, adversarial_sacks_cost_little) {  // faults V8: MSS 48, a million ACKs
  Peer::Setup setup = bulk_with_sack();
  setup.syn.mss = 8;
  auto peer = established(setup);
  peer->writes(std::string(4000, 'x'));
  peer->drain();
  Rng rng(5);
  for (int i = 0; i < 100'000; ++i) {
    Seg seg;
    seg.ack = peer->iss + 1;
    seg.options = TcpOptions{};
    seg.options->sack_count = 4;
    for (SackBlock& block : seg.options->sack) {
      block.left = peer->iss + 1 + static_cast<std::uint32_t>(rng.below(480));
      block.right = block.left + 1;
    }
    peer->sends(seg);
    if (i % 100 == 0) peer->drain();
  }
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
}

TEST(Acknowledge, no_growth_when_the_program_is_the_limit) {  // 2861/7661
  auto peer = established(bulk());
  for (int i = 0; i < 100; ++i) {
    peer->writes(std::string(kMss, 'x'));
    peer->drain();
    peer->acks();
  }
  EXPECT_EQ(cwnd(*peer), 10u);
}

TEST(Acknowledge, window_shrunk_by_the_peer) {  // MUST-34, SHLD-15
  auto peer = in_flight(bulk());
  peer->sends({.ack = segment(*peer, 1), .wnd = 2000});
  peer->expects_nothing();
  peer->sends({.ack = segment(*peer, 10), .wnd = 2000});
  EXPECT_EQ(peer->drain().size(), 2u);
}

// What is in flight once `n` segments were acknowledged, one after the other.
std::size_t flight_after(Peer& peer, int n) {
  std::deque<SeqNum> ends;
  for (;; --n) {
    for (const Segment& seg : peer.drain()) ends.push_back(seg.seq + seg.len());
    if (n == 0) return ends.size();
    peer.sends({.ack = ends.front()});
    ends.pop_front();
  }
}

TEST(Acknowledge, large_windows_are_unsigned) {  // MUST-1, REC-1
  auto peer = established(bulk());
  peer->writes(std::string(500 * kMss, 'x'));
  EXPECT_EQ(flight_after(*peer, 200), 65'535 / kMss);
}

TEST(Acknowledge, scaled_windows_have_more_than_16_bits) {  // REC-1
  Peer::Setup setup = bulk();
  setup.syn = all_options();
  setup.syn.mss = kMss + 12;  // timestamps
  auto peer = established(setup);
  peer->peer_wnd = 1001;
  peer->acks();
  peer->writes(std::string(500 * kMss, 'x'));
  EXPECT_EQ(flight_after(*peer, 200), (1001u << 7) / kMss);
}

TEST(Acknowledge, rtt_from_timestamps_after_a_retransmission) {  // 6298-3
  Peer::Setup setup = bulk();
  setup.syn = all_options();
  auto peer = established(setup);
  peer->writes("x");
  peer->drain();
  peer->step();
  const Segment again = peer->expects({.ctl = PSH | ACK});
  peer->now = peer->now + Duration::ms(30);
  peer->sends(
      {.options = TcpOptions{.has_timestamps = true, .ts_val = 2, .ts_ecr = again.options.ts_val}});
  const Info info = peer->connection().info(peer->now);
  EXPECT_EQ(info.backoff, 0);
  EXPECT_LT(info.rtt, 31'000u);
  EXPECT_GT(info.rtt, 3'000u);
}

}  // namespace
}  // namespace pollux::testing_support
