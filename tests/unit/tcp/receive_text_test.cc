// receive_text_test.cc - reordering as the peer sees it, and the window that is offered.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

Peer::Setup with_sack() {
  Peer::Setup setup;
  setup.syn = sack_only();
  return setup;
}

TEST(ReceiveText, every_segment_out_of_order_gets_its_duplicate_ack) {  // 5681-4.2, MAY-13
  auto peer = established();
  const SeqNum hole = peer->snd_nxt;
  for (std::uint32_t i = 1; i <= 4; ++i) peer->sends({.seq = hole + 10 * i, .text = "0123456789"});
  for (int i = 0; i < 4; ++i) peer->expects({.ack = hole, .ctl = ACK, .len = 0u});
  peer->expects_nothing();
  peer->sends({.seq = hole, .text = "abcdefghij"});
  peer->expects({.ack = hole + 50, .ctl = ACK});
  EXPECT_EQ(peer->reads().size(), 50u);
}

TEST(ReceiveText, blocks_lead_with_the_latest) {  // 2018-4
  auto peer = established(with_sack());
  const SeqNum hole = peer->snd_nxt;
  for (const std::uint32_t at : {10u, 30u, 50u}) peer->sends({.seq = hole + at, .text = "01234"});
  std::vector<Segment> acks = peer->drain();
  ASSERT_EQ(acks.size(), 3u);
  const TcpOptions& last = acks.back().options;
  ASSERT_EQ(last.sack_count, 3);
  EXPECT_EQ(last.sack[0].left, hole + 50);
  EXPECT_EQ(last.sack[1].left, hole + 30);
  EXPECT_EQ(last.sack[2], (SackBlock{hole + 10, hole + 15}));
  EXPECT_EQ(acks[0].options.sack[0].left, hole + 10);  // one for each, in order
  EXPECT_EQ(acks[1].options.sack[0].left, hole + 30);
}

TEST(ReceiveText, three_blocks_fit_beside_timestamps) {  // 2018-3
  Peer::Setup setup;
  setup.syn = all_options();
  auto peer = established(setup);
  for (std::uint32_t i = 1; i < 6; ++i) {
    peer->sends({.seq = peer->snd_nxt + 10 * i, .text = "01234"});
  }
  EXPECT_EQ(peer->drain().back().options.sack_count, 3);
}

TEST(ReceiveText, duplicates_are_reported_once) {  // 2883
  auto peer = established(with_sack());
  peer->sends_text("0123456789");
  peer->drain();
  peer->sends({.seq = peer->snd_nxt - 10u, .text = "01234"});
  const Segment ack = peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  ASSERT_EQ(ack.options.sack_count, 1);
  EXPECT_EQ(ack.options.sack[0], (SackBlock{peer->snd_nxt - 10u, peer->snd_nxt - 5u}));
  peer->sends_text("more");
  peer->connection().options().quick_ack = false;
  peer->advance(Duration::ms(500));
  EXPECT_EQ(peer->drain().back().options.sack_count, 0);
  EXPECT_EQ(peer->shared().reassemblies.used(), 0u);
}

TEST(ReceiveText, no_block_without_permission) {
  auto peer = established();
  peer->sends({.seq = peer->snd_nxt + 10, .text = "01234"});
  EXPECT_EQ(peer->expects({.ctl = ACK}).options.sack_count, 0);
}

// CVE-2018-5390: single octets all over the window; what is held is bounded by its true size.
TEST(ReceiveText, out_of_order_text_is_bounded_by_the_buffer) {
  auto peer = established(with_sack());
  for (std::uint32_t i = 60'000; i > 0; i -= 2) {
    peer->sends({.seq = peer->snd_nxt + i, .text = "x"});
  }
  EXPECT_LE(peer->text.live(), 131072 / 2304 + 1);
  peer->drain();
  peer->sends_text("in order");
  EXPECT_EQ(peer->reads(), "in orderx");  // the nearest was kept
}

TEST(ReceiveText, without_memory_for_order_it_comes_again) {
  auto peer = established();
  std::vector<Reassembly*> taken;
  while (Reassembly* r = peer->shared().reassemblies.create()) taken.push_back(r);
  peer->sends({.seq = peer->snd_nxt + 4, .text = "late"});
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  peer->sends_text("soonlate");
  EXPECT_EQ(peer->reads(), "soonlate");
  for (Reassembly* r : taken) peer->shared().reassemblies.destroy(r);
}

TEST(ReceiveText, window_follows_what_is_unread) {
  Peer::Setup setup;
  setup.options.receive_buffer = 20'000;
  auto peer = established(setup);
  peer->sends_text(std::string(1460, 'x'));
  peer->sends_text(std::string(1460, 'x'));
  peer->expects({.wnd = 10'000 - 2920, .ctl = ACK});
}

TEST(ReceiveText, reading_octet_by_octet_opens_the_window_in_one_step) {  // MUST-39
  Peer::Setup setup;
  setup.options.receive_buffer = 20'000;
  auto peer = established(setup);
  for (int i = 0; i < 10; ++i) peer->sends_text(std::string(1000, 'x'));
  peer->expects({.wnd = 0, .ctl = ACK});
  for (int i = 0; i < 1459; ++i) {
    peer->reads(1);
    peer->expects_nothing();
  }
  peer->reads(1);
  peer->expects({.wnd = 1460, .ctl = ACK});
}

TEST(ReceiveText, step_is_half_of_a_small_buffer) {  // MUST-39: min(RCV.BUFF/2, MSS)
  Peer::Setup setup;
  setup.options.receive_buffer = 2400;  // a window of 1,200
  auto peer = established(setup);
  peer->sends_text(std::string(1200, 'x'));
  peer->drain();
  peer->reads(599);
  peer->expects_nothing();
  peer->reads(1);
  peer->expects({.wnd = 600, .ctl = ACK});
}

TEST(ReceiveText, window_never_shrinks) {  // SHLD-14, 7323-2.4
  Peer::Setup setup;
  setup.syn = all_options();
  auto peer = established(setup);
  const auto edge = [&](const Segment& seg) {
    return seg.ack + (std::uint32_t{seg.wnd} << peer->connection().receive_scale());
  };
  peer->sends_text("x");
  peer->sends_text("y");
  const SeqNum before = edge(peer->drain().back());
  peer->connection().options().receive_buffer = 4608;
  peer->connection().options_changed(peer->now);
  peer->shared().memory_is_low = true;
  for (int i = 0; i < 20; ++i) {
    peer->sends_text(std::string(777, 'z'));
    for (const Segment& seg : peer->drain()) EXPECT_GE(edge(seg) - before, 0);
  }
}

TEST(ReceiveText, buffer_grows_with_what_is_read) {
  Peer::Setup setup;
  setup.syn = all_options();
  auto peer = established(setup);
  const std::uint32_t before = peer->connection().receive_buffer_size();
  for (int i = 0; i < 2000; ++i) {
    peer->sends_text(std::string(1448, 'x'));
    peer->reads();
    peer->drain();
    if (i % 50 == 0) peer->now = peer->now + Duration::ms(2);
  }
  EXPECT_GT(peer->connection().receive_buffer_size(), before);
}

TEST(ReceiveText, low_memory_copies_out_of_packets) {  // design.md 4
  auto peer = established();
  peer->shared().memory_is_low = true;
  for (int i = 0; i < 10; ++i) peer->sends_text(std::string(400, 'x'));
  EXPECT_EQ(peer->text.live(), 2);
}

TEST(ReceiveText, scarce_memory_is_for_those_that_hold_little) {
  auto peer = established();
  peer->shared().memory_is_scarce = peer->shared().memory_is_low = true;
  const std::string first(1459, 'x');
  peer->sends_text(first);
  peer->sends_text("taken");
  peer->drain();
  const SeqNum taken = peer->snd_nxt;
  peer->sends({.seq = taken, .ctl = FIN | ACK, .text = "dropped"});
  peer->expects({.ack = taken, .ctl = ACK});
  peer->sends({.seq = taken + 7, .text = "out of order"});
  peer->expects({.ack = taken, .ctl = ACK});
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
  EXPECT_EQ(peer->reads(), first + "taken");
  peer->sends({.seq = taken, .ctl = FIN | ACK, .text = "dropped"});
  EXPECT_EQ(peer->reads(), "dropped");
  EXPECT_EQ(peer->state(), State::CLOSE_WAIT);
}

// fault-no-packets.
TEST(ReceiveText, exhausted_memory_is_a_closed_window_that_never_shrinks) {  // SHLD-14
  auto peer = established();
  peer->sends({.seq = peer->snd_nxt + 10, .text = "later"});
  const Segment before = peer->expects({.ctl = ACK});
  peer->writes("ours");
  const Segment ours = peer->expects({.ctl = PSH | ACK, .text = "ours"});
  peer->shared().memory_is_exhausted = peer->shared().memory_is_scarce = true;
  peer->shared().memory_is_low = true;
  peer->sends({.ack = ours.seq + 4, .text = "0123456789"});
  const Segment refused = peer->expects({.ack = before.ack, .ctl = ACK});
  EXPECT_GE(refused.wnd, before.wnd);
  EXPECT_EQ(peer->connection().unacked_octets(), 0u);  // its ACK counts
  EXPECT_EQ(peer->text.live(), 0);                     // what waited out of order is gone
  EXPECT_EQ(peer->shared().reassemblies.used(), 0u);
  peer->shared().memory_is_exhausted = peer->shared().memory_is_scarce = false;
  peer->sends_text("0123456789later");
  EXPECT_EQ(peer->reads(), "0123456789later");
  peer->drain();
  peer->shared().memory_is_exhausted = true;
  peer->sends({.ctl = RST});
  EXPECT_EQ(peer->state(), State::CLOSED);
}

TEST(ReceiveText, the_program_hears_of_text_that_finds_no_memory) {  // 17.16
  auto peer = established();
  peer->connection().options().receive_low_water = 1000;
  peer->sends_text("below the mark");
  EXPECT_FALSE(peer->connection().take_events().has(Event::readable));
  peer->shared().memory_is_exhausted = peer->shared().memory_is_scarce = true;
  peer->shared().memory_is_low = true;
  peer->sends({.text = "dropped"});
  EXPECT_TRUE(peer->connection().take_events().has(Event::readable));
  EXPECT_TRUE(peer->connection().is_readable());
}

TEST(ReceiveText, the_program_hears_of_what_is_dropped_out_of_order) {  // 17.16
  Peer::Setup setup;
  setup.options.receive_buffer = 4 * HeapText::kChunk;
  auto peer = established(setup);
  EventSet events;
  for (std::uint32_t i = 1; i < 20 && events.empty(); ++i) {
    peer->sends({.seq = peer->snd_nxt + 2 * i, .text = "x"});
    events = peer->connection().take_events();
  }
  EXPECT_TRUE(events.has(Event::readable));
}

// fault-slow-reader.
TEST(ReceiveText, slow_reader_holds_no_more_than_its_buffer) {  // faults: SO_RCVBUF + 25 %
  Peer::Setup setup;
  setup.options.receive_buffer = 100'000;
  auto peer = established(setup);
  for (int i = 0; i < 50'000 / 300; ++i) peer->sends_text(std::string(300, 'x'));
  EXPECT_LE(peer->text.live() * 2304, 125'000);
}

}  // namespace
}  // namespace pollux::testing_support
