// segment_arrives_test.cc - the eight checks, one after the other, as a peer meets them.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

Peer::Setup with_timestamps() {
  Peer::Setup setup;
  setup.syn = all_options();
  return setup;
}
TcpOptions stamp(std::uint32_t value, std::uint32_t echo = 0) {
  return {.has_timestamps = true, .ts_val = value, .ts_ecr = echo};
}

// --- RFC 7323 5: before the first check

TEST(SegmentArrives, old_timestamp_is_acknowledged_and_dropped) {  // 7323-5.3
  auto peer = established(with_timestamps());
  peer->sends({.text = "new", .options = stamp(100)});
  peer->snd_nxt += 3;
  peer->drain();
  peer->sends({.text = "old", .options = stamp(50)});
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK, .len = 0u});
  EXPECT_EQ(peer->reads(), "new");
}

TEST(SegmentArrives, old_timestamp_counts_after_24_days_of_silence) {  // 7323-5.5
  auto peer = established(with_timestamps());
  peer->sends({.text = "new", .options = stamp(100)});
  peer->snd_nxt += 3;
  peer->drain();
  peer->now = peer->now + Duration::seconds(25 * 24 * 3600);
  peer->sends({.text = "old", .options = stamp(50)});
  EXPECT_EQ(peer->reads(), "newold");
}

TEST(SegmentArrives, missing_timestamp_is_accepted) {  // 7323-3.2b, as Linux and FreeBSD
  auto peer = established(with_timestamps());
  peer->sends_text("bare");
  EXPECT_EQ(peer->reads(), "bare");
}

TEST(SegmentArrives, delayed_ack_echoes_the_earliest_timestamp) {  // 7323-4.3
  auto peer = established(with_timestamps());
  peer->drain();
  peer->sends({.text = "a", .options = stamp(100)});
  peer->snd_nxt += 1;
  peer->sends({.text = "b", .options = stamp(110)});
  peer->snd_nxt += 1;
  const Segment ack = peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  EXPECT_EQ(ack.options.ts_ecr, 100u);
}

TEST(SegmentArrives, every_segment_carries_a_timestamp) {  // 7323-3.2a
  auto peer = established(with_timestamps());
  peer->writes("x");
  EXPECT_TRUE(peer->expects({.ctl = PSH | ACK}).options.has_timestamps);
  peer->connection().abort(peer->now);
  EXPECT_TRUE(peer->expects({.ctl = RST | ACK}).options.has_timestamps);
}

TEST(SegmentArrives, timestamps_nobody_agreed_on_are_ignored) {  // 7323-3.2c
  auto peer = established();
  peer->sends({.text = "new", .options = stamp(100)});
  peer->snd_nxt += 3;
  EXPECT_FALSE(peer->expects({.ctl = ACK}).options.has_timestamps);
  peer->sends({.text = "old", .options = stamp(50)});
  EXPECT_EQ(peer->reads(), "newold");
}

TEST(SegmentArrives, a_rst_is_not_judged_by_its_timestamp) {  // 7323-3.2d
  auto peer = established(with_timestamps());
  peer->sends({.text = "new", .options = stamp(100)});
  peer->snd_nxt += 3;
  peer->drain();
  peer->sends({.ctl = RST, .options = stamp(50)});
  EXPECT_EQ(peer->state(), State::CLOSED);
}

TEST(SegmentArrives, the_timestamp_clock_ticks_once_a_millisecond) {  // 7323-5.4
  auto peer = established(with_timestamps());
  const auto now_shown = [&] {
    peer->writes("x");
    const std::uint32_t value = peer->expects({.ctl = PSH | ACK}).options.ts_val;
    peer->sends({.options = stamp(2, value)});
    return value;
  };
  std::uint32_t last = now_shown();
  for (const std::int64_t ms : {1, 10, 60'000, 3'600'000}) {
    peer->now = peer->now + Duration::ms(ms);
    const std::uint32_t next = now_shown();
    EXPECT_EQ(next - last, static_cast<std::uint32_t>(ms));
    last = next;
  }
}

// --- first: sequence number

TEST(SegmentArrives, outside_the_window_is_answered_with_an_ack) {  // RFC 9293 3.10.7.4
  auto peer = established();
  for (const std::int32_t offset : {-10, 70'000}) {
    peer->sends({.seq = peer->snd_nxt + static_cast<std::uint32_t>(offset), .text = "strange"});
    peer->expects({.seq = peer->iss + 1, .ack = peer->snd_nxt, .ctl = ACK, .len = 0u});
    peer->expects_nothing();
  }
  EXPECT_EQ(peer->reads(), "");
}

TEST(SegmentArrives, overlap_in_front_is_cut_off) {
  auto peer = established();
  peer->sends_text("hello");
  peer->sends({.seq = peer->snd_nxt - 2u, .text = "lo world"});
  EXPECT_EQ(peer->reads(), "hello world");
}

TEST(SegmentArrives, text_in_many_buffers_is_cut_at_both_ends) {
  Peer::Setup setup;
  setup.options.receive_buffer = 2304;  // a window of 1,152
  auto peer = established(setup);
  peer->sends_text(std::string(100, 'a'));
  const std::string more(1200, 'b');
  peer->sends({.seq = peer->snd_nxt - 50u, .text = more, .piece = 7});
  EXPECT_EQ(peer->connection().readable_octets(), 1152u);
}

TEST(SegmentArrives, keepalive_of_the_peer_is_answered_at_a_bounded_rate) {  // RFC 5961 7
  auto peer = established();
  for (int i = 0; i < 10; ++i) peer->sends({.seq = peer->snd_nxt - 1u, .ctl = ACK});
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  peer->expects_nothing();
  peer->advance(Duration::ms(500));
  peer->sends({.seq = peer->snd_nxt - 1u, .ctl = ACK});
  peer->expects({.ctl = ACK});
}

TEST(SegmentArrives, zero_window_still_takes_ack_rst_and_urg) {  // MUST-66
  Peer::Setup setup;
  setup.options.receive_buffer = 2304;
  auto peer = established(setup);
  peer->writes("out");
  peer->drain();
  peer->sends({.ack = peer->iss + 1, .ctl = PSH | ACK, .text = std::string(1152, 'x')});
  peer->snd_nxt += 1152;
  peer->expects({.wnd = 0, .ctl = ACK});
  peer->sends(
      {.ctl = URG | ACK, .up = 1, .text = "!"});  // its ACK and URG count, its text does not
  EXPECT_EQ(peer->connection().unacked_octets(), 0u);
  EXPECT_EQ(peer->connection().readable_octets(), 1152u);
  peer->expects({.ack = peer->snd_nxt, .wnd = 0, .ctl = ACK});
  peer->sends({.ctl = RST});
  EXPECT_EQ(peer->state(), State::CLOSED);
}

TEST(SegmentArrives, zero_window_still_heeds_an_urgent_pointer) {  // MUST-66
  Peer::Setup setup;
  setup.options.receive_buffer = 2304;
  auto peer = established(setup);
  peer->sends_text(std::string(1152, 'x'));
  peer->expects({.wnd = 0, .ctl = ACK});
  peer->sends({.ctl = URG | ACK, .up = 2});
  EXPECT_EQ(peer->reads().size(), 1152u);
  peer->drain();
  peer->sends_text("a!b", PSH | ACK);  // says nothing of it any more
  EXPECT_TRUE(peer->connection().has_urgent());
  EXPECT_EQ(peer->reads(1, {.oob = true}), "!");
  EXPECT_EQ(peer->reads(), "a");
}

// --- second: RST

TEST(SegmentArrives, rst_in_established_resets) {  // 5961-3.2a, MUST-12, SHLD-2
  for (const char* text : {"", "with text"}) {
    auto peer = established();
    peer->sends_text("last words");
    peer->connection().take_events();
    peer->drain();
    peer->sends({.ctl = RST, .text = text});
    peer->expects_nothing();
    EXPECT_EQ(peer->state(), State::CLOSED);
    EXPECT_EQ(peer->connection().take_events(), Event::state_change | Event::error);  // 17.4
    EXPECT_EQ(peer->reads(), "last words");  // 16.24: text, the error once, then the end
    EXPECT_EQ(peer->reads(), "");
    EXPECT_EQ(peer->last_error, Errno::connection_reset);
    EXPECT_EQ(peer->reads(), "");
    EXPECT_EQ(peer->last_error, Errno{});
  }
}

TEST(SegmentArrives, rst_inside_the_window_is_challenged) {  // 5961-3.2c
  auto peer = established();
  for (const std::uint32_t offset : {1u, 1000u, 60'000u}) {
    peer->advance(Duration::seconds(1));
    peer->sends({.seq = peer->snd_nxt + offset, .ctl = RST});
    peer->expects({.seq = peer->iss + 1, .ack = peer->snd_nxt, .ctl = ACK});
    EXPECT_EQ(peer->state(), State::ESTABLISHED);
  }
  EXPECT_EQ(peer->counters.tcp_challenge_acks, 3u);
}

TEST(SegmentArrives, rst_outside_the_window_is_ignored) {  // 5961-3.2b
  auto peer = established();
  const std::uint32_t window = peer->connection().rcv().wnd;
  peer->sends({.seq = peer->snd_nxt - 1u, .ctl = RST});
  peer->sends({.seq = peer->snd_nxt - 1u, .ctl = RST, .text = "reaches into it"});
  peer->sends({.seq = peer->snd_nxt + window, .ctl = RST});
  peer->sends({.seq = peer->snd_nxt + 70'000u, .ctl = RST});
  peer->expects_nothing();
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
}

TEST(SegmentArrives, challenges_are_counted_per_connection) {  // 5961-7; CVE-2016-5696
  auto a = established();
  auto b = established();
  for (int i = 0; i < 1000; ++i) a->sends({.seq = a->snd_nxt + 5u, .ctl = RST});
  EXPECT_EQ(a->drain().size(), 1u);
  b->sends({.seq = b->snd_nxt + 5u, .ctl = RST});
  EXPECT_EQ(b->drain().size(), 1u);
}

TEST(SegmentArrives, rst_after_fin_is_a_broken_pipe) {  // 16.24
  auto peer = established();
  peer->sends({.ctl = FIN | ACK});
  peer->snd_nxt += 1;
  peer->drain();
  peer->sends({.ctl = RST});
  EXPECT_EQ(peer->connection().pending_error(), Errno::pipe);
}

TEST(SegmentArrives, rst_in_time_wait_is_ignored) {  // RFC 1337
  auto peer = established();
  peer->connection().close(peer->now);
  peer->drain();
  peer->sends({.ctl = FIN | ACK});
  peer->snd_nxt += 1;
  peer->drain();
  EXPECT_EQ(peer->state(), State::TIME_WAIT);
  peer->sends({.ctl = RST});
  EXPECT_EQ(peer->state(), State::TIME_WAIT);
  peer->sends({.seq = peer->snd_nxt - 1u, .ctl = FIN | ACK});  // the peer's FIN again
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
}

// --- fourth: SYN

TEST(SegmentArrives, syn_is_challenged_wherever_it_stands) {  // 5961-4.2
  for (const std::uint32_t offset : {0u, 100u, 0x40000000u, 0xffffff00u}) {
    auto peer = established();
    peer->sends({.seq = peer->snd_nxt + offset, .ctl = SYN});
    peer->expects({.seq = peer->iss + 1, .ack = peer->snd_nxt, .ctl = ACK});
    EXPECT_EQ(peer->state(), State::ESTABLISHED);
  }
}

// --- fifth: ACK

TEST(SegmentArrives, without_ack_it_is_dropped) {
  auto peer = established();
  peer->sends({.ctl = PSH, .text = "no ack"});
  EXPECT_EQ(peer->reads(), "");
}

TEST(SegmentArrives, ack_of_what_was_not_sent_is_answered_and_dropped) {  // 5961-5.2
  auto peer = established();
  peer->sends({.ack = peer->iss + 2, .ctl = PSH | ACK, .text = "injected"});
  peer->expects({.seq = peer->iss + 1, .ack = peer->snd_nxt, .ctl = ACK});
  EXPECT_EQ(peer->reads(), "");
}

TEST(SegmentArrives, ack_older_than_the_largest_window_is_refused) {  // 5961-5.2, MAY-12
  auto peer = established();
  peer->sends({.ack = peer->iss + 1 - 65'536u, .text = "injected"});
  EXPECT_EQ(peer->reads(), "");
  peer->sends({.ack = peer->iss, .text = "late but fine"});
  EXPECT_EQ(peer->reads(), "late but fine");
}

// --- sixth: URG

TEST(SegmentArrives, urgent_octet_is_announced_found_and_read) {  // MUST-30, MUST-32; 16.60, 6093-4
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 4, .text = "abc!def"});
  EXPECT_TRUE(peer->connection().has_urgent());
  EXPECT_TRUE(peer->connection().take_events().has(Event::readable));
  EXPECT_EQ(peer->reads(10, {.oob = true}), "!");
  EXPECT_FALSE(peer->connection().has_urgent());
}

TEST(SegmentArrives, urgent_octet_may_come_later) {  // MUST-31
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 6, .text = "abc"});
  peer->snd_nxt += 3;
  EXPECT_FALSE(peer->connection().has_urgent());
  peer->reads(10, {.oob = true});
  EXPECT_EQ(peer->last_error, Errno::again);
  peer->sends_text("de!");
  EXPECT_TRUE(peer->connection().has_urgent());
  EXPECT_EQ(peer->reads(10, {.oob = true}), "!");
}

TEST(SegmentArrives, newer_urgent_octet_makes_the_older_ordinary) {  // 16.66
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 2, .text = "a!b"});
  peer->snd_nxt += 3;
  peer->sends({.ctl = URG | ACK, .up = 2, .text = "c?d"});
  EXPECT_EQ(peer->reads(), "a!bc");
  EXPECT_EQ(peer->reads(), "d");
}

TEST(SegmentArrives, absurd_urgent_pointers_harm_nothing) {  // faults V2
  for (const std::uint16_t up : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{65535}}) {
    auto peer = established();
    peer->sends({.seq = peer->snd_nxt - 2u, .ctl = URG | ACK, .up = up, .text = "xxabc"});
    peer->reads();
    EXPECT_EQ(peer->state(), State::ESTABLISHED);
  }
}

// --- seventh: text

TEST(SegmentArrives, burst_is_acknowledged_once) {  // MUST-58, SHLD-19
  auto peer = established();
  for (int i = 0; i < 32; ++i) peer->sends_text(std::string(1460, 'x'));
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  peer->expects_nothing();
}

TEST(SegmentArrives, hole_filled_within_the_burst_is_one_ack) {  // MUST-59
  auto peer = established();
  const SeqNum hole = peer->snd_nxt;
  peer->snd_nxt += 4;
  for (int i = 0; i < 5; ++i) peer->sends_text("text");
  peer->sends({.seq = hole, .text = "hole"});
  peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
  peer->expects_nothing();
}

TEST(SegmentArrives, text_for_nobody_resets) {  // SHLD-3; 2525 2.16
  auto peer = established();
  peer->connection().close(peer->now);
  peer->drain();
  peer->sends_text("too late");
  EXPECT_EQ(peer->state(), State::CLOSED);
  peer->expects({.ctl = RST | ACK});
}

TEST(SegmentArrives, text_after_shutdown_of_receiving_only_is_kept) {  // 16.23
  auto peer = established();
  peer->connection().shutdown_receive(peer->now);
  peer->sends_text("still");
  EXPECT_EQ(peer->reads(), "still");
  EXPECT_EQ(peer->reads(), "");
  EXPECT_EQ(peer->last_error, Errno{});
}

// --- eighth: FIN

TEST(SegmentArrives, fin_ends_the_stream) {  // MUST-12; 17.3
  auto peer = established();
  peer->sends({.ctl = FIN | PSH | ACK, .text = "bye"});
  EXPECT_TRUE(peer->connection().take_events().has(Event::state_change));
  EXPECT_EQ(peer->state(), State::CLOSE_WAIT);
  peer->expects({.ack = peer->snd_nxt + 4, .ctl = ACK});
  EXPECT_EQ(peer->reads(), "bye");
  EXPECT_EQ(peer->reads(), "");
  EXPECT_EQ(peer->last_error, Errno{});
}

TEST(SegmentArrives, fin_before_its_turn_waits) {
  auto peer = established();
  peer->sends({.seq = peer->snd_nxt + 3, .ctl = FIN | ACK, .text = "end"});
  EXPECT_EQ(peer->state(), State::ESTABLISHED);
  peer->sends({.text = "the"});
  EXPECT_EQ(peer->state(), State::CLOSE_WAIT);
  EXPECT_EQ(peer->reads(), "theend");
}

TEST(SegmentArrives, fin_in_fin_wait_2_enters_time_wait) {  // MAY-1
  auto peer = established();
  peer->connection().shutdown_send(peer->now);
  peer->drain();
  peer->acks();
  EXPECT_EQ(peer->state(), State::FIN_WAIT_2);
  peer->sends({.ctl = FIN | ACK, .text = "half"});
  EXPECT_EQ(peer->state(), State::TIME_WAIT);
  EXPECT_EQ(peer->reads(), "half");
}

TEST(SegmentArrives, fin_and_our_fins_ack_in_one_segment) {
  auto peer = established();
  peer->connection().close(peer->now);
  peer->drain();
  peer->sends({.ctl = FIN | ACK});
  EXPECT_EQ(peer->state(), State::TIME_WAIT);
}

}  // namespace
}  // namespace pollux::testing_support
