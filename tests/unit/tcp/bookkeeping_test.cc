// bookkeeping_test.cc - Tcp's tables over whole connections: TIME-WAIT, limits, timers, lifetimes.
#include <gtest/gtest.h>

#include "stack/wire/headers.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::Frame;
using testing_support::TcpHost;
using testing_support::TcpHosts;

class BookkeepingTest : public TcpHosts {};

TEST_F(BookkeepingTest, a_connection_from_open_to_time_wait_and_away) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  ASSERT_EQ(out->status(), State::ESTABLISHED);
  ASSERT_TRUE(listener->is_acceptable());
  EXPECT_TRUE(listener->take_readable());
  EXPECT_FALSE(listener->take_readable());
  Connection* in = accepted(*listener);
  EXPECT_EQ(server->tcp.accept(*listener).error(), Errno::again);
  EXPECT_EQ(in->tuple(), (FourTuple{out->tuple().remote, out->tuple().local}));

  expect_dialogue(*out, *in);

  close(*client, *out);
  EXPECT_EQ(in->status(), State::CLOSE_WAIT);
  close(*server, *in);
  EXPECT_EQ(client->tcp.connections(), 0u);
  EXPECT_EQ(client->tcp.time_waits(), 1u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_EQ(server->tcp.time_waits(), 0u);
  advance(Duration::seconds(59));
  EXPECT_EQ(client->tcp.time_waits(), 1u);
  advance(Duration::seconds(2));
  EXPECT_EQ(client->tcp.time_waits(), 0u);
  EXPECT_EQ(client->ports.used(), 0u);
  EXPECT_TRUE(client->tcp.next_timeout().is_never());
}

TEST_F(BookkeepingTest, text_of_every_size_arrives_whole) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  std::string sent, received;
  for (const std::size_t size : {1u, 63u, 64u, 255u, 256u, 257u, 1448u, 1449u, 4000u, 10000u}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(server->rng.next());
    ASSERT_TRUE(out->send(bytes_of(text), {}, now).ok());
    sent += text;
    settle();
    for (std::string part; !(part = read_all(*in, now)).empty();) received += part;
    settle();
  }
  EXPECT_EQ(sent, received);
  out->abort(now);
  client->tcp.release(*out, now);
  settle();
  server->tcp.release(*in, now);
}

TEST_F(BookkeepingTest, no_listener_is_connection_refused) {
  Connection* out = connect(81);
  EXPECT_EQ(out->status(), State::CLOSED);
  EXPECT_EQ(out->take_error(), Errno::connection_refused);
  EXPECT_EQ(server->counters.tcp_resets_out, 1u);
  client->tcp.release(*out, now);
  EXPECT_EQ(client->tcp.connections(), 0u);
  EXPECT_EQ(client->ports.used(), 0u);
}

TEST_F(BookkeepingTest, an_exact_listener_comes_before_the_wildcard) {
  Listener* exact = server->listen(80, 4);
  PortUse* any_port = *server->ports.bind({IpAddress::any_v4(), 81}, {});
  Listener* any = *server->tcp.open_passive({IpAddress::any_v4(), 81}, *any_port, {}, 4);
  EXPECT_EQ(server->tcp.find_listener(from_port(5, 80)), exact);
  EXPECT_EQ(server->tcp.find_listener(from_port(5, 81)), any);
  EXPECT_EQ(server->tcp.find_listener(from_port(5, 82)), nullptr);
  EXPECT_EQ(server->tcp.find_listener(from_port(5, 80 + 1024)), nullptr);  // same bucket
}

// MUST-41.
TEST_F(BookkeepingTest, must_41_a_second_listener_is_refused) {
  Listener* first = server->listen(80, 4);
  EXPECT_EQ(server->ports.bind({server->address, 80}, {}).error(), Errno::address_in_use);
  server->ports.set_sharing(*first->port(), {.reuse_address = true});
  EXPECT_EQ(server->ports.bind({server->address, 80}, {.reuse_address = true}).error(),
            Errno::address_in_use);
}

TEST_F(BookkeepingTest, listeners_with_reuse_port_share_the_connections) {
  Listener* listeners[4];
  for (Listener*& listener : listeners) {
    PortUse* use = *server->ports.bind({server->address, 80}, {.reuse_port = true});
    listener = *server->tcp.open_passive({server->address, 80}, *use, {}, 512);
  }
  std::map<Listener*, int> chosen;
  for (std::uint16_t port = 1000; port < 5000; ++port) {
    ++chosen[server->tcp.find_listener(from_port(port, 80))];
  }
  for (Listener* listener : listeners) EXPECT_NEAR(chosen[listener], 1000, 150);
}

// MUST-13.
TEST_F(BookkeepingTest, must_13_time_wait_answers_the_fin_again_and_waits_anew) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  close(*client, *out);
  in->close(now);
  server->tcp.release(*in, now);
  server->flush(now, wire);
  deliver_all();
  client->flush(now, wire);
  wire.clear();  // the ACK of the server's FIN is lost
  ASSERT_EQ(client->tcp.time_waits(), 1u);
  ASSERT_EQ(server->tcp.connections(), 1u);
  const Instant expires = client->tcp.next_timeout();
  advance(Duration::seconds(1));  // the FIN is sent again
  EXPECT_EQ(server->tcp.connections(), 0u);
  EXPECT_GT(client->tcp.next_timeout(), expires);
}

// SHLD-14, 7323-2.4: whatever the connection had offered last, and however the scale rounds.
TEST_F(BookkeepingTest, shld_14_time_wait_keeps_the_right_edge_that_was_offered) {
  Listener* listener = server->listen(80, 4);
  for (const std::size_t octets : {1u, 100u, 127u, 128u, 129u, 1000u, 20000u}) {
    Connection* out = connect(80);
    Connection* in = accepted(*listener);
    const unsigned scale = in->receive_scale();
    ASSERT_NE(scale, 0u);
    ASSERT_TRUE(out->send(bytes_of(std::string(octets, 'x')), {}, now).ok());
    settle();
    while (read_all(*in, now).size() != 0) settle();
    SeqNum edge{};
    const auto note_edge = [&] {
      server->flush(now, wire);
      for (const Frame& frame : wire) {
        const auto& header = *frame.packet.peek<wire::TcpHeader>();
        const SeqNum offered = SeqNum(header.ack) + (std::uint32_t{header.window} << scale);
        EXPECT_TRUE(edge == SeqNum{} || edge <= offered) << edge - offered << " with " << octets;
        edge = offered;
      }
    };
    const FourTuple tuple = in->tuple();
    in->close(now);
    server->tcp.release(*in, now);
    note_edge();
    settle();
    out->close(now);
    client->tcp.release(*out, now);
    client->flush(now, wire);
    deliver_all();
    note_edge();  // the ACK of the FIN, the connection's
    wire.clear();
    TimeWait* time_wait = server->tcp.find_time_wait(tuple);
    ASSERT_NE(time_wait, nullptr);
    Segment fin;
    fin.seq = time_wait->state.rcv_nxt - 1;
    fin.ctl = FIN | ACK;
    fin.ack = time_wait->state.snd_nxt;
    server->tcp.segment_arrives_time_wait(*time_wait, fin, now);
    note_edge();  // the block's
    deliver_all();
    settle();
  }
}

// MAY-2.
TEST_F(BookkeepingTest, may_2_a_new_syn_reopens_what_waits) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  const FourTuple tuple = in->tuple();
  const SeqNum old_end = in->snd().nxt;
  close(*server, *in);
  close(*client, *out);
  ASSERT_EQ(server->tcp.time_waits(), 1u);
  TimeWait* time_wait = server->tcp.find_time_wait(tuple);
  ASSERT_NE(time_wait, nullptr);

  Segment again = syn(time_wait->state.rcv_nxt + 1000);
  EXPECT_EQ(server->tcp.segment_arrives_time_wait(*time_wait, again, now), listener);
  server->tcp.segment_arrives_listen(*listener, tuple, std::move(again), 1500, now);
  EXPECT_EQ(server->tcp.time_waits(), 0u);
  Connection* child = server->tcp.find_connection(tuple);
  ASSERT_NE(child, nullptr);
  EXPECT_GT(child->snd().una, old_end + 65535);
}

TEST_F(BookkeepingTest, without_a_listener_the_syn_in_time_wait_is_acknowledged) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  const FourTuple tuple = in->tuple();
  close(*server, *in);
  close(*client, *out);
  server->tcp.close(*listener, now);
  TimeWait* time_wait = server->tcp.find_time_wait(tuple);
  ASSERT_NE(time_wait, nullptr);
  const Segment again = syn(time_wait->state.rcv_nxt + 1000);
  EXPECT_EQ(server->tcp.segment_arrives_time_wait(*time_wait, again, now), nullptr);
  const auto reply = server->tcp.next_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->segment.ctl, Control(ACK));
  EXPECT_EQ(server->tcp.time_waits(), 1u);
}

TEST_F(BookkeepingTest, the_oldest_time_wait_makes_room) {
  client = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 1), config,
                                     TcpLimits{.connections = 64, .listeners = 4, .time_waits = 3});
  Listener* listener = server->listen(80, 4);
  FourTuple tuples[5];
  for (FourTuple& tuple : tuples) {
    Connection* out = connect(80);
    tuple = out->tuple();
    Connection* in = accepted(*listener);
    close(*client, *out);
    close(*server, *in);
    advance(Duration::ms(10));
  }
  EXPECT_EQ(client->tcp.time_waits(), 3u);
  EXPECT_EQ(client->tcp.find_time_wait(tuples[1]), nullptr);
  EXPECT_NE(client->tcp.find_time_wait(tuples[2]), nullptr);
  EXPECT_EQ(client->tcp.connections(), 0u);
  EXPECT_LE(client->ports.used(), 3u);
}

TEST_F(BookkeepingTest, the_pool_of_connections_is_a_limit_with_an_errno) {
  client = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 1), config,
                                     TcpLimits{.connections = 2, .listeners = 4, .time_waits = 3});
  is_cut = true;
  ASSERT_NE(connect(80), nullptr);
  ASSERT_NE(connect(80), nullptr);
  ActiveOpen open;
  open.tuple = {.local = {.address = client->address}, .remote = {server->address, 80}};
  const Result<Connection*> refused = client->tcp.open_active(open, now);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::no_buffer_space);
  EXPECT_EQ(client->ports.used(), 2u);
}

TEST_F(BookkeepingTest, a_tuple_in_use_is_not_available) {
  server->listen(80, 4);
  PortUse* port = client->bind(5000);
  ActiveOpen open;
  open.tuple = {.local = {client->address, 5000}, .remote = {server->address, 80}};
  open.port = port;
  ASSERT_TRUE(client->tcp.open_active(open, now).ok());
  const Result<Connection*> refused = client->tcp.open_active(open, now);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::address_not_available);
}

TEST_F(BookkeepingTest, replies_are_bounded) {
  for (std::uint16_t i = 0; i < 1000; ++i) {
    server->tcp.segment_arrives_closed(from_port(i, 9), syn(SeqNum(i)));
  }
  EXPECT_EQ(server->counters.tcp_no_memory, 1000u - 256u);
  unsigned replies = 0;
  while (server->tcp.next_reply()) ++replies;
  EXPECT_EQ(replies, 256u);
}

// Whatever programs and the wire do: in the end nothing is left of any connection.
class BookkeepingLives : public BookkeepingTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr std::uint16_t kPort = 80;

  void lose_some() {
    for (Frame& frame : wire) {
      if (rng_.chance(0.05)) frame.packet.reset();
    }
    std::erase_if(wire, [](const Frame& frame) { return !frame.packet; });
  }
  void exchange() {
    client->flush(now, wire);
    server->flush(now, wire);
    lose_some();
    deliver_all();
  }
  void tick(Duration time) {
    now = now + time;
    client->advance(now);
    server->advance(now);
  }
  // One connection of `held` does something; it may be let go.
  void act(TcpHost& host, std::vector<Connection*>& held) {
    if (held.empty()) return;
    const std::size_t i = rng_.below(held.size());
    Connection& connection = *held[i];
    if (rng_.chance(0.5)) {
      (void)connection.send(bytes_of(std::string(rng_.below(3000), 'x')), {}, now);
      (void)read_all(connection, now);
      return;
    }
    if (rng_.chance(0.6)) return connection.shutdown_send(now);
    rng_.chance(0.5) ? connection.close(now) : connection.abort(now);
    host.tcp.release(connection, now);
    held[i] = held.back();
    held.pop_back();
  }
  void let_go(TcpHost& host, std::vector<Connection*>& held) {
    for (Connection* connection : held) {
      connection->close(now);
      host.tcp.release(*connection, now);
    }
    held.clear();
  }

  Rng rng_{GetParam()};
  std::vector<Connection*> outs_, ins_;
};

TEST_P(BookkeepingLives, end_with_nothing_left) {
  Listener* listener = server->listen(kPort, 8);
  PortUse* port = listener->port();
  for (int step = 0; step < 3000; ++step) {
    if (outs_.size() < 40 && rng_.chance(0.3)) {
      outs_.push_back(client->connect({server->address, kPort}, now));
    }
    if (rng_.chance(0.3)) {
      if (Result<Connection*> in = server->tcp.accept(*listener)) ins_.push_back(*in);
    }
    act(*client, outs_);
    act(*server, ins_);
    exchange();
    tick(Duration::us(static_cast<std::int64_t>(rng_.below(20'000))));
  }
  server->tcp.close(*listener, now);
  let_go(*client, outs_);
  let_go(*server, ins_);
  for (int step = 0; step < 40'000 && client->tcp.connections() + server->tcp.connections() != 0;
       ++step) {
    exchange();
    tick(Duration::ms(50));
  }
  EXPECT_EQ(client->tcp.connections(), 0u);
  EXPECT_EQ(server->tcp.connections(), 0u);
  tick(Duration::seconds(61));
  server->ports.release(*port);
  EXPECT_EQ(client->tcp.time_waits() + server->tcp.time_waits(), 0u);
  EXPECT_EQ(client->ports.used() + server->ports.used(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, BookkeepingLives, ::testing::Range(1u, 31u));

// Listeners, children and orphans of a world that ends at once; the pool must be full again.
TEST_F(BookkeepingTest, a_world_may_end_in_the_middle_of_everything) {
  Listener* listener = server->listen(80, 4);
  connect(80);
  connect(80);
  Connection* orphan = accepted(*listener);
  (void)orphan->send(bytes_of("never read"), {}, now);
  orphan->close(now);
  server->tcp.release(*orphan, now);
  is_cut = true;
  client->connect({server->address, 80}, now);
  server->tcp.segment_arrives_listen(*listener, from_port(1000, 80), syn(SeqNum(1)), 1500, now);
  EXPECT_EQ(server->tcp.connections(), 3u);
}

// Lazy timers: an idle connection costs no wake-up, a busy one no more than it must.
TEST_F(BookkeepingTest, a_timer_that_moved_later_fires_early_and_does_nothing) {
  Listener* listener = server->listen(80, 4);
  Connection* out = connect(80);
  Connection* in = accepted(*listener);
  const std::uint64_t sent = client->counters.tcp_segments_out;
  advance(Duration::seconds(600));
  EXPECT_LE(client->counters.tcp_segments_out, sent + 1);
  EXPECT_TRUE(client->tcp.next_timeout().is_never());
  close(*client, *out);
  close(*server, *in);
}

TEST_F(BookkeepingTest, abort_all_owes_every_peer_a_rst) {
  Listener* listener = server->listen(80, 16);
  Connection* outs[8];
  for (Connection*& out : outs) out = connect(80);
  server->tcp.abort_all(now);
  settle();
  for (Connection* out : outs) EXPECT_EQ(out->take_error(), Errno::connection_reset);
  EXPECT_EQ(server->counters.tcp_resets_out, 8u);
  EXPECT_EQ(listener->waiting(), 8u);
  for (Connection* out : outs) client->tcp.release(*out, now);
  EXPECT_EQ(client->tcp.connections(), 0u);
}

// 7323-7.1, 6528-3
TEST_F(BookkeepingTest, one_tuple_has_one_timestamp_offset_and_growing_numbers) {
  Segment first = syn(SeqNum(1));
  Listener* listener = server->listen(80, 4);
  const FourTuple tuple = from_port(1000, 80);
  server->tcp.segment_arrives_listen(*listener, tuple, syn(SeqNum(1)), 1500, now);
  Connection* child = server->tcp.find_connection(tuple);
  const std::uint32_t offset = child->ts_offset();
  const SeqNum una = child->snd().una;
  child->abort(now);
  settle();
  EXPECT_EQ(server->tcp.find_connection(tuple), nullptr);
  advance(Duration::ms(10));
  server->tcp.segment_arrives_listen(*listener, tuple, syn(SeqNum(1)), 1500, now);
  child = server->tcp.find_connection(tuple);
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->ts_offset(), offset);
  EXPECT_GT(child->snd().una, una);
}

}  // namespace
}  // namespace pollux::tcp
