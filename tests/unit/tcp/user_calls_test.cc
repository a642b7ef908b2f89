// user_calls_test.cc - what a program sees: epoll-behaviours 16 and 17, by their numbers.
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

TEST(UserCalls, before_the_handshake) {  // 16.5, 16.27
  Peer peer;
  EXPECT_EQ(peer.writes("x"), 0u);
  EXPECT_EQ(peer.last_error, Errno::pipe);
  peer.reads();
  EXPECT_EQ(peer.last_error, Errno::not_connected);
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  EXPECT_EQ(peer.writes("x"), 0u);
  EXPECT_EQ(peer.last_error, Errno::again);
  peer.reads();
  EXPECT_EQ(peer.last_error, Errno::again);
  EXPECT_FALSE(peer.connection().is_readable());
  EXPECT_FALSE(peer.connection().is_writable());
}

TEST(UserCalls, established_idle_is_writable_only) {  // 16.7
  auto peer = established();
  EXPECT_TRUE(peer->connection().is_writable());
  EXPECT_FALSE(peer->connection().is_readable());
  peer->reads();
  EXPECT_EQ(peer->last_error, Errno::again);
}

TEST(UserCalls, shutdown_in_syn_sent_disconnects) {  // 16.17
  Peer peer;
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  peer.drain();
  peer.connection().shutdown_send(peer.now);
  EXPECT_EQ(peer.state(), State::CLOSED);
  EXPECT_EQ(peer.connection().take_error(), Errno::connection_reset);
  EXPECT_FALSE(peer.connection().is_receive_shutdown());
  peer.expects_nothing();
}

TEST(UserCalls, sending_after_shutdown_is_a_broken_pipe) {  // 16.9, 16.54
  auto peer = established();
  peer->connection().shutdown_send(peer->now);
  EXPECT_TRUE(peer->connection().take_events().has(Event::state_change));  // 17.8
  peer->writes("x");
  EXPECT_EQ(peer->last_error, Errno::pipe);
  EXPECT_TRUE(peer->connection().is_writable());
}

TEST(UserCalls, fin_follows_what_is_queued) {  // 2525 2.15
  auto peer = established();
  peer->writes("data");
  peer->connection().shutdown_send(peer->now);
  peer->expects({.ctl = FIN | PSH | ACK, .text = "data"});
}

TEST(UserCalls, reading_all_acknowledges_what_waits) {  // for a peer with Nagle's algorithm
  auto peer = established();
  int delayed = 0;
  for (int i = 0; i < 32; ++i) {  // the first are quick
    peer->sends_text("ab");
    const bool was_quick = !peer->drain().empty();
    delayed += was_quick ? 0 : 1;
    EXPECT_EQ(peer->reads(1), "a");
    peer->expects_nothing();
    EXPECT_EQ(peer->reads(1), "b");
    if (!was_quick) peer->expects({.ack = peer->snd_nxt, .ctl = ACK, .len = 0u});
    peer->expects_nothing();
  }
  EXPECT_GE(delayed, 16);
}

TEST(UserCalls, close_with_unread_text_resets) {  // SHLD-3; 2525 2.17
  auto peer = established();
  peer->sends_text("unread");
  peer->connection().close(peer->now);
  peer->expects({.seq = peer->iss + 1, .ctl = RST | ACK});
  peer->expects_nothing();
  EXPECT_EQ(peer->state(), State::CLOSED);
}

TEST(UserCalls, abort_resets_and_forgets) {  // 16.18
  auto peer = established();
  peer->writes("never");
  peer->connection().abort(peer->now);
  peer->expects({.ctl = RST | ACK});
  EXPECT_EQ(peer->connection().pending_error(), Errno::connection_reset);
  EXPECT_FALSE(peer->connection().is_send_shutdown());
}

TEST(UserCalls, low_water_mark) {  // 16.41, 16.43, 17.1, 17.13
  auto peer = established();
  peer->connection().options().receive_low_water = 100;
  peer->sends_text(std::string(99, 'x'));
  EXPECT_FALSE(peer->connection().is_readable());
  EXPECT_TRUE(peer->connection().take_events().empty());
  peer->sends_text("y");
  EXPECT_TRUE(peer->connection().is_readable());
  EXPECT_TRUE(peer->connection().take_events().has(Event::readable));
  peer->connection().options().receive_low_water = 200;
  peer->connection().receive_low_water_changed();
  EXPECT_FALSE(peer->connection().is_readable());
  peer->connection().take_events();
  peer->connection().options().receive_low_water = 50;
  peer->connection().receive_low_water_changed();
  EXPECT_TRUE(peer->connection().take_events().has(Event::readable));
  peer->connection().options_changed(peer->now);
  EXPECT_TRUE(peer->connection().take_events().empty());
}

TEST(UserCalls, fin_and_full_window_make_it_readable_below_the_mark) {  // 16.42, 16.44
  Peer::Setup setup;
  setup.options.receive_buffer = 8192;
  setup.options.receive_low_water = 1u << 30;
  auto peer = established(setup);
  peer->sends_text(std::string(1000, 'x'));
  EXPECT_FALSE(peer->connection().is_readable());
  for (int i = 0; i < 2; ++i) peer->sends_text(std::string(1460, 'x'));
  EXPECT_TRUE(peer->connection().is_readable());
  auto other = established(setup);
  other->sends({.ctl = FIN | ACK, .text = "x"});
  EXPECT_TRUE(other->connection().is_readable());
}

TEST(UserCalls, writable_by_thirds) {  // 16.50, 16.51, 17.10
  Peer::Setup setup;
  setup.options.send_buffer = 46'080;  // 20 chunks
  auto peer = established(setup);
  const std::string chunk(HeapText::kChunk, 'x');
  for (int i = 0; i < 13; ++i) EXPECT_EQ(peer->writes(chunk), chunk.size());
  EXPECT_TRUE(peer->connection().is_writable());
  peer->writes(chunk);
  EXPECT_FALSE(peer->connection().is_writable());  // 14 of 20 are more than two thirds
  EXPECT_EQ(peer->writes(chunk), chunk.size());    // and yet it may send
  while (peer->writes(chunk) != 0) {
  }
  EXPECT_EQ(peer->last_error, Errno::again);
  peer->connection().take_events();
  peer->drain();
  peer->acks();
  EXPECT_EQ(peer->connection().take_events().has(Event::writable),
            peer->connection().is_writable());
  while (!peer->connection().is_writable()) peer->drain(), peer->acks();
  EXPECT_TRUE(peer->connection().is_writable());
}

TEST(UserCalls, no_writable_event_unless_space_was_missed) {  // 17.10, 16.55
  auto peer = established();
  peer->writes("x");
  peer->drain();
  peer->acks();
  EXPECT_FALSE(peer->connection().take_events().has(Event::writable));
  peer->connection().note_no_space();
  peer->writes("x");
  peer->drain();
  peer->acks();
  EXPECT_TRUE(peer->connection().take_events().has(Event::writable));
}

TEST(UserCalls, notsent_low_water) {  // 16.52
  auto peer = established();
  peer->connection().options().notsent_low_water = 4096;
  peer->peer_wnd = 0;
  peer->acks();
  peer->writes(std::string(1792, 'x'));
  EXPECT_TRUE(peer->connection().is_writable());
  peer->writes(std::string(256, 'x'));
  EXPECT_FALSE(peer->connection().is_writable());
}

TEST(UserCalls, a_writer_without_memory_is_woken_when_there_is_some) {  // 17.14
  auto peer = established();
  peer->text.limit = 0;
  EXPECT_EQ(peer->writes("x"), 0u);
  EXPECT_EQ(peer->last_error, Errno::again);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(peer->step(), Duration::ms(10));
    EXPECT_FALSE(peer->connection().take_events().has(Event::writable));
  }
  peer->text.limit = 1;
  peer->step();
  EXPECT_TRUE(peer->connection().take_events().has(Event::writable));
  EXPECT_TRUE(peer->connection().next_timeout().is_never());
}

TEST(UserCalls, what_is_written_after_a_wait_for_memory_has_its_full_timeout) {
  auto peer = established();
  peer->text.limit = 0;
  EXPECT_EQ(peer->writes("x"), 0u);
  peer->text.limit = 1;
  EXPECT_EQ(peer->writes("x"), 1u);
  peer->expects({.ctl = PSH | ACK, .text = "x"});
  EXPECT_GE(peer->step(), Duration::ms(200));
}

TEST(UserCalls, raising_the_send_buffer_is_an_event) {  // 16.53, 17.13
  Peer::Setup setup;
  setup.options.send_buffer = 4608;
  auto peer = established(setup);
  while (peer->writes(std::string(1000, 'x')) != 0) {
  }
  peer->connection().take_events();
  peer->connection().options().send_buffer = 100'000;
  peer->connection().options_changed(peer->now);
  EXPECT_TRUE(peer->connection().take_events().has(Event::writable));
}

TEST(UserCalls, peek_and_trunc) {
  auto peer = established();
  peer->sends_text("hello world");
  EXPECT_EQ(peer->reads(5, {.peek = true}), "hello");
  EXPECT_EQ(peer->reads(5, {.peek = true, .trunc = true}), std::string(5, '\0'));
  EXPECT_EQ(peer->reads(6, {.trunc = true}), std::string(6, '\0'));
  EXPECT_EQ(peer->reads(), "world");
}

TEST(UserCalls, the_mark_of_an_urgent_octet_is_an_event_and_not_readable) {  // 16.62, 17.13
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 1, .text = "!"});
  peer->connection().take_events();
  EXPECT_FALSE(peer->connection().is_readable());
  peer->connection().receive_low_water_changed();
  EXPECT_TRUE(peer->connection().take_events().has(Event::readable));
}

TEST(UserCalls, reading_nothing_at_the_mark_skips_nothing) {  // 16.62
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 2, .text = "a!"});
  EXPECT_EQ(peer->reads(), "a");
  EXPECT_EQ(peer->reads(0), "");
  EXPECT_TRUE(peer->connection().has_urgent());
}

TEST(UserCalls, reading_stops_at_the_mark) {  // 16.63, MUST-33
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 4, .text = "abc!def"});
  EXPECT_EQ(peer->connection().readable_octets(), 3u);
  EXPECT_FALSE(peer->connection().is_at_mark());
  EXPECT_EQ(peer->reads(), "abc");
  EXPECT_TRUE(peer->connection().is_at_mark());
  EXPECT_EQ(peer->reads(), "def");
  EXPECT_FALSE(peer->connection().has_urgent());  // 16.61: it was passed
}

TEST(UserCalls, only_the_urgent_octet) {  // 16.62, 16.45
  auto peer = established();
  peer->sends({.ctl = URG | ACK, .up = 1, .text = "!"});
  EXPECT_TRUE(peer->connection().has_urgent());
  EXPECT_FALSE(peer->connection().is_readable());
  EXPECT_EQ(peer->connection().readable_octets(), 0u);
  EXPECT_EQ(peer->reads(), "");
  EXPECT_EQ(peer->last_error, Errno::again);
  EXPECT_FALSE(peer->connection().has_urgent());
}

TEST(UserCalls, oob_twice_or_inline_is_invalid) {  // 16.64
  auto peer = established();
  peer->reads(1, {.oob = true});
  EXPECT_EQ(peer->last_error, Errno::invalid);
  peer->sends({.ctl = URG | ACK, .up = 1, .text = "!"});
  EXPECT_EQ(peer->reads(1, {.oob = true}), "!");
  peer->reads(1, {.oob = true});
  EXPECT_EQ(peer->last_error, Errno::invalid);
}

TEST(UserCalls, urgent_octet_in_line) {  // 16.65
  auto peer = established();
  peer->connection().options().oob_inline = true;
  peer->sends({.ctl = URG | ACK, .up = 2, .text = "a!b"});
  EXPECT_EQ(peer->reads(), "a");
  EXPECT_TRUE(peer->connection().is_at_mark());
  EXPECT_EQ(peer->reads(), "!b");
  peer->reads(1, {.oob = true});
  EXPECT_EQ(peer->last_error, Errno::invalid);
}

TEST(UserCalls, sending_urgent) {  // MUST-30, MUST-62, 6093-4
  auto peer = established();
  EXPECT_EQ(peer->writes("abc!", {.oob = true}), 4u);
  const Segment seg = peer->expects({.ctl = URG | PSH | ACK, .text = "abc!"});
  EXPECT_EQ(seg.up, 4);  // the octet behind
  peer->acks();
  peer->writes("d");
  peer->expects({.ctl = PSH | ACK});
}

TEST(UserCalls, queue_lengths) {
  auto peer = established();
  peer->writes(std::string(100, 'x'));
  EXPECT_EQ(peer->connection().unsent_octets(), 100u);
  peer->drain();
  EXPECT_EQ(peer->connection().unsent_octets(), 0u);
  EXPECT_EQ(peer->connection().unacked_octets(), 100u);
  peer->acks();
  EXPECT_EQ(peer->connection().unacked_octets(), 0u);
}

}  // namespace
}  // namespace pollux::testing_support
