// faults_test.cc - faults of peers, clocks and memory that a connection meets without losing its
// way.
#include <gtest/gtest.h>

#include "tests/support/tcp_hosts.h"
#include "tests/support/tcp_peer.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::established;
using testing_support::Peer;
using testing_support::TcpHost;
using testing_support::TcpHosts;

class Faults : public TcpHosts {};

// fault-half-open. Its RST to our next text is what the program learns.
TEST_F(Faults, a_peer_that_has_rebooted_resets_what_it_does_not_know) {
  server->listen(80, 4);
  Connection* out = connect(80);
  ASSERT_EQ(out->status(), State::ESTABLISHED);
  const IpAddress address = server->address;
  server = std::make_unique<TcpHost>(address, config);  // it knows nothing any more
  advance(Duration::seconds(10));
  EXPECT_EQ(out->status(), State::ESTABLISHED) << "it cannot know yet";
  ASSERT_TRUE(out->send(bytes_of("are you there?"), {}, now).ok());
  settle();
  EXPECT_EQ(out->status(), State::CLOSED);
  EXPECT_EQ(out->take_error(), Errno::connection_reset);
  client->tcp.release(*out, now);
}

// fault-vanished. Silence is told after R2, and nothing is left.
TEST_F(Faults, a_peer_that_has_vanished_is_given_up_after_r2) {
  server->listen(80, 4);
  Connection* out = connect(80);
  ASSERT_TRUE(out->send(bytes_of("are you there?"), {}, now).ok());
  is_cut = true;
  const Instant begin = now;
  while (out->status() != State::CLOSED) advance(Duration::seconds(1));
  EXPECT_GE(now - begin, Duration::seconds(900));
  EXPECT_LE(now - begin, Duration::seconds(1100));
  EXPECT_EQ(out->take_error(), Errno::timed_out);
  client->tcp.release(*out, now);
  EXPECT_EQ(client->tcp.connections(), 0u);
}

// fault-clock (an hour at once, as after a suspension). What was due fires once: one
// retransmission, one keepalive probe, one ACK; nobody is given up for the time that nobody saw.
TEST(FaultsOfTime, a_jump_of_an_hour_is_one_timeout) {
  Peer::Setup setup;
  setup.options.keepalive = true;
  auto sender = established(setup);
  sender->writes("text");
  ASSERT_EQ(sender->drain().size(), 1u);
  sender->now = sender->now + Duration::seconds(3600);
  sender->connection().timeout(sender->now);
  EXPECT_EQ(sender->drain().size(), 1u);
  EXPECT_EQ(sender->state(), State::ESTABLISHED);
  EXPECT_GT(sender->connection().next_timeout(), sender->now);
  sender->acks();
  EXPECT_EQ(sender->connection().unacked_octets(), 0u);

  auto idle = established(setup);
  idle->now = idle->now + Duration::seconds(3 * 3600);
  idle->connection().timeout(idle->now);
  EXPECT_EQ(idle->drain().size(), 1u);
  EXPECT_EQ(idle->state(), State::ESTABLISHED);
  idle->acks();
  idle->step();  // where the next probe would have been due
  EXPECT_TRUE(idle->drain().empty());
}

}  // namespace
}  // namespace pollux::tcp
