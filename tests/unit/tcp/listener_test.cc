// listener_test.cc - the two lists of a listener, their limits, and handshakes that go wrong.
#include "stack/tcp/listener.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {

// The lists alone; what Tcp does with them is further down.
class ListenerTest : public ::testing::Test {
 protected:
  Listener listener_{{IpAddress::v4(198, 18, 0, 2), 80}, nullptr, {}, 2};
  std::array<TcpLinks, 80> child_;
};

TEST_F(ListenerTest, children_go_from_one_list_to_the_other_in_order) {
  for (int i = 0; i < 3; ++i) listener_.add_half_open(child_[static_cast<std::size_t>(i)]);
  EXPECT_EQ(listener_.half_open(), 3u);
  EXPECT_FALSE(listener_.is_acceptable());
  listener_.complete(child_[2]);
  listener_.complete(child_[0]);
  EXPECT_EQ(listener_.half_open(), 1u);
  EXPECT_EQ(listener_.waiting(), 2u);
  EXPECT_EQ(listener_.first_waiting(), &child_[2]);
  listener_.remove(child_[2]);
  EXPECT_EQ(child_[2].listener, nullptr);
  EXPECT_EQ(listener_.first_waiting(), &child_[0]);
  listener_.remove(child_[0]);
  listener_.remove(child_[1]);
  EXPECT_EQ(listener_.first_half_open(), nullptr);
  EXPECT_EQ(listener_.first_waiting(), nullptr);
}

TEST_F(ListenerTest, one_more_than_the_backlog_may_wait) {
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(listener_.is_accept_queue_full());
    listener_.add_half_open(child_[i]);
    listener_.complete(child_[i]);
  }
  EXPECT_TRUE(listener_.is_accept_queue_full());
  listener_.set_backlog(3);
  EXPECT_FALSE(listener_.is_accept_queue_full());
}

TEST_F(ListenerTest, small_backlogs_leave_room_for_a_burst_of_handshakes) {
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_FALSE(listener_.is_half_open_full());
    listener_.add_half_open(child_[i]);
  }
  EXPECT_TRUE(listener_.is_half_open_full());
  listener_.set_backlog(100);
  EXPECT_FALSE(listener_.is_half_open_full());
}

TEST_F(ListenerTest, each_completed_connection_is_an_edge) {  // epoll-behaviours 16.70
  EXPECT_FALSE(listener_.take_readable());
  listener_.add_half_open(child_[0]);
  EXPECT_FALSE(listener_.take_readable());
  listener_.complete(child_[0]);
  EXPECT_TRUE(listener_.take_readable());
  EXPECT_FALSE(listener_.take_readable());
  listener_.add_half_open(child_[1]);
  listener_.complete(child_[1]);
  EXPECT_TRUE(listener_.take_readable());
}

TEST_F(ListenerTest, deferring_is_for_bare_acks_and_for_a_time) {
  const Instant start = Instant::from_ns(1'000'000'000);
  Segment bare;
  bare.ctl = ACK;
  Segment text;
  text.ctl = ACK;
  text.text_length = 1;
  Segment fin;
  fin.ctl = ACK | FIN;
  child_[0].created_ms = milliseconds(start);
  EXPECT_FALSE(listener_.defers(child_[0], bare, start));
  listener_.set_defer_accept(Duration::seconds(5));
  EXPECT_TRUE(listener_.defers(child_[0], bare, start));
  EXPECT_FALSE(listener_.defers(child_[0], text, start));
  EXPECT_FALSE(listener_.defers(child_[0], fin, start));
  EXPECT_FALSE(listener_.defers(child_[0], bare, start + Duration::seconds(5)));
}

using testing_support::bytes_of;

// Whole connections between two hosts.
class ListeningTest : public testing_support::TcpHosts {};

// Linux: backlog + 1 fit; then the last ACK of a handshake is as if lost, and comes back.
// fault-accept-overflow.
TEST_F(ListeningTest, a_full_accept_queue_drops_the_last_ack_and_takes_it_later) {
  Listener* listener = server->listen(80, 1);
  Connection* first = connect(80);
  Connection* second = client->connect({server->address, 80}, now);
  Connection* third = client->connect({server->address, 80}, now);
  settle();
  EXPECT_EQ(listener->waiting(), 2u);
  EXPECT_EQ(listener->half_open(), 1u);
  EXPECT_EQ(third->status(), State::ESTABLISHED);
  EXPECT_GE(server->counters.tcp_listen_overflows, 1u);
  EXPECT_EQ(server->counters.tcp_listen_drops, server->counters.tcp_listen_overflows);
  Connection* fourth = connect(80);
  EXPECT_EQ(fourth->status(), State::SYN_SENT);  // its SYN was dropped
  EXPECT_EQ(listener->half_open(), 1u);

  Connection* a = accepted(*listener);
  Connection* b = accepted(*listener);
  EXPECT_TRUE(listener->take_readable());
  advance(Duration::seconds(4));  // SYN,ACK and SYN are sent again
  EXPECT_EQ(listener->waiting(), 2u);
  EXPECT_TRUE(listener->take_readable());
  EXPECT_EQ(fourth->status(), State::ESTABLISHED);
  for (Connection* c : {first, second, third, fourth}) close(*client, *c);
  for (Connection* c : {a, b}) close(*server, *c);
  server->tcp.close(*listener, now);
  settle();
  EXPECT_EQ(server->tcp.connections(), 0u);
}

TEST_F(ListeningTest, too_many_half_open_children_are_dropped_and_counted) {
  config.syncookies = 0;
  server = std::make_unique<testing_support::TcpHost>(server->address, config);
  Listener* listener = server->listen(80, 4);
  for (std::uint16_t i = 0; i < 100; ++i) {
    server->tcp.segment_arrives_listen(
        *listener, from_port(static_cast<std::uint16_t>(1000 + i), 80), syn(SeqNum(1)), 1500, now);
  }
  EXPECT_EQ(listener->half_open(), 64u);
  EXPECT_EQ(server->counters.tcp_syn_dropped, 36u);
  EXPECT_EQ(server->counters.tcp_listen_drops, 36u);
  EXPECT_EQ(server->tcp.connections(), 64u);
  is_cut = true;
  settle();
  advance(Duration::seconds(200));  // SYN,ACK 5 times, then given up
  EXPECT_EQ(listener->half_open(), 0u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_EQ(server->ports.used(), 1u);
  EXPECT_FALSE(listener->take_readable());
}

// MUST-11.
TEST_F(ListeningTest, must_11_rst_in_syn_received_removes_the_child_silently) {
  Listener* listener = server->listen(80, 4);
  const FourTuple tuple = from_port(1000, 80);
  server->tcp.segment_arrives_listen(*listener, tuple, syn(SeqNum(100)), 1500, now);
  Connection* child = server->tcp.find_connection(tuple);
  ASSERT_NE(child, nullptr);
  server->flush(now, wire);
  wire.clear();
  Segment reset;
  reset.seq = SeqNum(101);
  reset.ctl = RST;
  child->segment_arrives(std::move(reset), now);
  EXPECT_EQ(server->tcp.settle(*child, now), nullptr);
  EXPECT_EQ(listener->half_open(), 0u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_EQ(server->tcp.find_connection(tuple), nullptr);
  EXPECT_FALSE(listener->is_acceptable());
}

// epoll-behaviours 16.21, 16.71.
TEST_F(ListeningTest, a_connection_reset_before_accept_is_accepted) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  out->abort(now);
  client->tcp.release(*out, now);
  settle();
  EXPECT_EQ(client->tcp.connections(), 0u);
  ASSERT_TRUE(listener->is_acceptable());
  Connection* in = accepted(*listener);
  EXPECT_EQ(in->status(), State::CLOSED);
  EXPECT_EQ(in->take_error(), Errno::connection_reset);
  EXPECT_EQ(server->tcp.connections(), 1u);
  server->tcp.release(*in, now);
  EXPECT_EQ(server->tcp.connections(), 0u);
}

// MUST-63: a SYN from ourselves, as nobody sends it.
TEST_F(ListeningTest, a_syn_from_its_own_destination_is_ignored) {
  Listener* listener = server->listen(80, 4);
  const FourTuple land{.local = listener->local(), .remote = listener->local()};
  server->tcp.segment_arrives_listen(*listener, land, syn(SeqNum(1)), 1500, now);
  EXPECT_EQ(listener->half_open(), 0u);
  EXPECT_FALSE(server->tcp.has_output());
}

// RFC 9293 3.10.7.2.
TEST_F(ListeningTest, listen_answers_ack_with_rst_and_ignores_the_rest) {
  Listener* listener = server->listen(80, 4);
  const FourTuple tuple = from_port(1000, 80);
  for (const Control control : {Control(RST), Control(FIN), RST | ACK, SYN | FIN, Control()}) {
    Segment seg;
    seg.ctl = control;
    server->tcp.segment_arrives_listen(*listener, tuple, std::move(seg), 1500, now);
  }
  EXPECT_FALSE(server->tcp.has_output());
  Segment ack;
  ack.ctl = SYN | ACK;
  ack.ack = SeqNum(77);
  server->tcp.segment_arrives_listen(*listener, tuple, std::move(ack), 1500, now);
  const auto reply = server->tcp.next_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->segment.ctl, Control(RST));
  EXPECT_EQ(reply->segment.seq, SeqNum(77));
  EXPECT_EQ(listener->half_open(), 0u);
}

TEST_F(ListeningTest, defer_accept_waits_for_text) {  // epoll-behaviours 16.72
  Listener* listener = server->listen(80, 4);
  listener->set_defer_accept(Duration::seconds(30));
  Connection* out = connect(80);
  EXPECT_EQ(out->status(), State::ESTABLISHED);
  EXPECT_FALSE(listener->is_acceptable());
  ASSERT_TRUE(out->send(bytes_of("x"), {}, now).ok());
  settle();
  ASSERT_TRUE(listener->is_acceptable());
  Connection* in = accepted(*listener);
  EXPECT_EQ(read_all(*in, now), "x");
  close(*client, *out);
  close(*server, *in);
}

TEST_F(ListeningTest, defer_accept_gives_in_after_its_time) {
  Listener* listener = server->listen(80, 4);
  listener->set_defer_accept(Duration::seconds(5));
  Connection* out = connect(80);
  advance(Duration::seconds(4));
  EXPECT_FALSE(listener->is_acceptable());
  advance(Duration::seconds(12));
  EXPECT_TRUE(listener->is_acceptable());
  close(*client, *out);
  server->tcp.close(*listener, now);
  settle();
}

TEST_F(ListeningTest, closing_a_listener_resets_its_children) {
  Listener* listener = server->listen(80, 4);
  PortUse* port = listener->port();
  Connection* waiting = connect(80);
  listener->set_defer_accept(Duration::seconds(30));
  Connection* half_open = connect(80);
  ASSERT_EQ(listener->waiting(), 1u);
  ASSERT_EQ(listener->half_open(), 1u);
  server->tcp.close(*listener, now);
  settle();
  EXPECT_EQ(waiting->take_error(), Errno::connection_reset);
  EXPECT_EQ(half_open->take_error(), Errno::connection_reset);
  EXPECT_EQ(server->tcp.connections(), 0u);
  server->ports.release(*port);
  EXPECT_EQ(server->ports.used(), 0u);
  client->tcp.release(*waiting, now);
  client->tcp.release(*half_open, now);
}

TEST_F(ListeningTest, children_inherit_what_the_program_set) {
  UserOptions options;
  options.no_delay = true;
  options.keepalive = true;
  options.tos = 0x20;
  Listener* listener = server->listen(80, 4, options);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  EXPECT_TRUE(in->options().no_delay);
  EXPECT_TRUE(in->options().keepalive);
  EXPECT_EQ(in->options().tos, 0x20);
  EXPECT_FALSE(out->options().no_delay);
  close(*client, *out);
  close(*server, *in);
}

// V21: a RST is never larger than what it answers, and none answers a RST.
TEST_F(ListeningTest, v21_no_reset_is_longer_than_what_it_answers) {
  Listener* listener = server->listen(80, 4);
  for (unsigned bits = 0; bits < 256; ++bits) {
    for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{9}}) {
      Segment seg;
      seg.ctl = Control(static_cast<std::uint8_t>(bits));
      const Control control = seg.ctl;
      seg.ack = SeqNum(bits);
      if (port == 80) {
        server->tcp.segment_arrives_listen(*listener, from_port(1000, 80), std::move(seg), 1500,
                                           now);
      } else {
        server->tcp.segment_arrives_closed(from_port(1000, 9), seg);
      }
      const auto reply = server->tcp.next_reply();
      EXPECT_FALSE(server->tcp.next_reply());
      if (!reply) continue;
      EXPECT_FALSE(control.has(RST)) << bits;
      EXPECT_TRUE(reply->segment.ctl.has(RST)) << bits;
      const Encoded encoded = server->tcp.encode(*reply, {});
      EXPECT_EQ(encoded.packet.size(), 20u);  // a header, the least there is
    }
    if (Connection* child = server->tcp.find_connection(from_port(1000, 80))) {
      child->abort(now);
      server->tcp.settle(*child, now);
      server->flush(now, wire);
      wire.clear();
    }
  }
}

}  // namespace pollux::tcp
