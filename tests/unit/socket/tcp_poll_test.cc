// tcp_poll_test.cc - epoll-behaviours 16 and 17, line by line: what a stream is ready for, who
// hears.
#include <linux/tcp.h>

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::KeyRecorder;
using testing_support::Pair;

class TcpPoll : public testing_support::SocketWorld {
 protected:
  static constexpr PollEvents kReady = kIn | kRdNorm;
  static constexpr PollEvents kSpace = kOut | kWrNorm;
  static constexpr PollEvents kOver = kReady | kSpace | kHup | kRdHup;
  static constexpr PollEvents kNoKey{};
};

TEST_F(TcpPoll, 16_1_fresh_or_bound_is_out_and_hup) {
  Held s = open();
  EXPECT_EQ(poll(s), kSpace | kHup);
  EXPECT_EQ(bind(s, {testing_support::kLoopback, 0}), 0);
  EXPECT_EQ(poll(s), kSpace | kHup);
}

TEST_F(TcpPoll, 16_2_and_16_3_listener_is_ready_when_a_connection_is) {
  Held listener = listening();
  EXPECT_EQ(poll(listener), PollEvents());
  KeyRecorder keys(*listener);
  Held client = open();
  connect(client, local(listener));
  EXPECT_EQ(poll(listener), kReady);
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});  // 17.11
  Held server = accept(listener);
  EXPECT_EQ(poll(listener), PollEvents());
}

TEST_F(TcpPoll, 16_5_syn_sent_is_nothing) {
  Held listener = listening();
  Held client = open();
  const Endpoint remote = local(listener);
  in([&](Instant now) {
    EXPECT_EQ(client->connect(remote, now).error(), Errno::in_progress);
    EXPECT_EQ(client->poll(), PollEvents());
  });
}

TEST_F(TcpPoll, 16_7_and_16_8_established) {
  Pair pair = connected();
  EXPECT_EQ(poll(pair.client), kSpace);
  EXPECT_EQ(poll(pair.server), kSpace);
  EXPECT_EQ(send(pair.client, "x"), 1);
  EXPECT_EQ(poll(pair.server), kReady | kSpace);
}

TEST_F(TcpPoll, 16_9_and_16_10_half_closed) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(poll(pair.client), kSpace);
  EXPECT_EQ(poll(pair.server), kReady | kSpace | kRdHup);
  EXPECT_EQ(receive(pair.server), "");
  EXPECT_EQ(poll(pair.server), kReady | kSpace | kRdHup);
  EXPECT_EQ(send(pair.server, "y"), 1);
  EXPECT_EQ(poll(pair.client), kReady | kSpace);
}

TEST_F(TcpPoll, 16_11_and_16_12_both_directions_closed) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(shutdown(pair.server, SHUT_WR), 0);
  EXPECT_EQ(poll(pair.server), kOver);  // LAST-ACK acknowledged
  EXPECT_EQ(poll(pair.client), kOver);  // TIME-WAIT
  EXPECT_EQ(receive(pair.client), "");
  EXPECT_EQ(poll(pair.client), kOver);
}

TEST_F(TcpPoll, 16_13_local_shut_rd) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.client, SHUT_RD), 0);
  EXPECT_EQ(poll(pair.client), kReady | kSpace | kRdHup);
  EXPECT_EQ(poll(pair.server), kSpace);
}

TEST_F(TcpPoll, 16_14_local_shut_rdwr_before_the_peers_fin) {
  Pair pair = connected();
  EXPECT_EQ(shutdown(pair.client, SHUT_RDWR), 0);
  EXPECT_EQ(poll(pair.client), kOver);
}

TEST_F(TcpPoll, 16_15_and_16_16_reset) {
  Pair pair = connected();
  close_with_reset(pair.client);
  EXPECT_EQ(poll(pair.server), kOver | kErr);
  EXPECT_EQ(get(pair.server, SOL_SOCKET, SO_ERROR), ECONNRESET);
  EXPECT_EQ(poll(pair.server), kOver);
  EXPECT_EQ(get(pair.server, SOL_SOCKET, SO_ERROR), 0);
}

TEST_F(TcpPoll, 16_15_refused) {
  Held client = open();
  EXPECT_EQ(connect(client, {testing_support::kLoopback, 9}), EINPROGRESS);
  EXPECT_EQ(poll(client), kOver | kErr);
}

TEST_F(TcpPoll, 16_17_shutdown_in_syn_sent) {
  Held listener = listening();
  Held client = open();
  const Endpoint remote = local(listener);
  in([&](Instant now) {
    EXPECT_EQ(client->connect(remote, now).error(), Errno::in_progress);
    EXPECT_TRUE(client->shutdown(SHUT_WR, now).ok());
    EXPECT_EQ(client->poll(), kSpace | kHup | kErr);
  });
}

TEST_F(TcpPoll, 16_18_disconnect_resets_the_peer) {
  Pair pair = connected();
  KeyRecorder keys(*pair.client);
  EXPECT_EQ(disconnect(pair.client), 0);
  EXPECT_EQ(keys.take().back(), kErr);  // 17.12
  EXPECT_EQ(poll(pair.client), kSpace | kHup | kErr);
  EXPECT_EQ(poll(pair.server), kOver | kErr);
}

TEST_F(TcpPoll, 16_19_and_16_20_listener_shut_down) {
  Held listener = listening();
  KeyRecorder keys(*listener);
  EXPECT_EQ(shutdown(listener, SHUT_WR), 0);
  EXPECT_EQ(poll(listener), PollEvents());
  EXPECT_EQ(keys.take(), std::vector{kNoKey});  // Linux: inet_shutdown(); of nothing new (17.9)
  EXPECT_EQ(shutdown(listener, SHUT_RD), 0);
  EXPECT_EQ(poll(listener), kSpace | kHup);
  EXPECT_EQ(keys.take(), std::vector{kNoKey});
}

TEST_F(TcpPoll, 16_21_reset_before_accept_is_accepted) {
  Held listener = listening();
  Held client = open();
  connect(client, local(listener));
  close_with_reset(client);
  Held server = accept(listener);
  EXPECT_EQ(poll(server), kOver | kErr);
}

TEST_F(TcpPoll, 16_40_to_16_43_low_water_mark) {
  Pair pair = connected();
  EXPECT_EQ(get(pair.server, SOL_SOCKET, SO_RCVLOWAT), 1);
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVLOWAT, 10), 0);
  KeyRecorder keys(*pair.server);
  EXPECT_EQ(send(pair.client, "123456789"), 9);
  EXPECT_EQ(poll(pair.server), kSpace);
  EXPECT_TRUE(keys.take().empty());
  EXPECT_EQ(send(pair.client, "0"), 1);
  EXPECT_EQ(poll(pair.server), kReady | kSpace);
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVLOWAT, 20), 0);
  EXPECT_EQ(poll(pair.server), kSpace);
  keys.take();
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVLOWAT, 0), 0);  // is 1, and an edge (17.13)
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});
  EXPECT_EQ(poll(pair.server), kReady | kSpace);
}

TEST_F(TcpPoll, 17_13_other_options_are_no_edge_and_after_a_fin_the_mark_always_is) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "x"), 1);
  KeyRecorder keys(*pair.server);
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
  EXPECT_TRUE(keys.take().empty());
  EXPECT_EQ(receive(pair.server), "x");
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVLOWAT, 1), 0);
  EXPECT_TRUE(keys.take().empty());
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  keys.take();
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVLOWAT, 1), 0);
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});
}

TEST_F(TcpPoll, a_failed_connect_wakes_when_it_is_told) {  // 16.26
  Held client = open();
  const Endpoint nobody{testing_support::kLoopback, 9};
  EXPECT_EQ(connect(client, nobody), EINPROGRESS);
  KeyRecorder keys(*client);
  EXPECT_EQ(connect(client, nobody), ECONNREFUSED);
  EXPECT_EQ(keys.take(), std::vector{kErr});
}

TEST_F(TcpPoll, 16_50_to_16_55_space_is_told_once_after_it_was_missed) {
  Pair pair = connected();
  EXPECT_EQ(set(pair.server, SOL_SOCKET, SO_RCVBUF, 4096), 0);
  EXPECT_EQ(set(pair.client, SOL_SOCKET, SO_SNDBUF, 20000), 0);
  const std::string block(8192, 'b');
  for (int n = 0; n < 64 && send(pair.client, block) > 0;) ++n;
  EXPECT_EQ(send(pair.client, block), -EAGAIN);
  EXPECT_EQ(poll(pair.client), PollEvents());
  KeyRecorder keys(*pair.client);
  for (int n = 0; n < 200 && !poll(pair.client).has(kOut); ++n) {
    receive(pair.server, 65536);
    pass(Duration::ms(100));
  }
  EXPECT_EQ(poll(pair.client), kSpace);
  EXPECT_EQ(keys.take(), std::vector{kWritableKey});  // 17.10
}

TEST_F(TcpPoll, 17_13_a_limit_set_anew_is_an_event_if_there_is_space) {
  Pair pair = connected();
  Held fresh = open();
  for (Held* s : {&pair.client, &fresh}) {
    KeyRecorder keys(**s);
    EXPECT_EQ(set(*s, SOL_SOCKET, SO_SNDBUF, 100'000), 0);
    EXPECT_EQ(keys.take(), std::vector{kWritableKey});
    EXPECT_EQ(set(*s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100'000), 0);
    EXPECT_EQ(keys.take(), std::vector{kWritableKey});
    EXPECT_EQ(set(*s, SOL_SOCKET, SO_RCVBUF, 100'000), 0);
    EXPECT_TRUE(keys.take().empty());
  }
}

TEST_F(TcpPoll, 17_13_a_limit_that_leaves_no_space_is_no_event) {
  Pair pair = connected();
  const std::string block(65536, 'b');
  for (int n = 0; n < 1000 && send(pair.client, block) > 0;) ++n;
  KeyRecorder keys(*pair.client);
  EXPECT_EQ(set(pair.client, SOL_SOCKET, SO_SNDBUF, 5000), 0);
  EXPECT_TRUE(keys.take().empty());
}

TEST_F(TcpPoll, 16_54_send_side_shut_is_always_out) {
  Pair pair = connected();
  const std::string block(65536, 'b');
  for (int n = 0; n < 1000 && send(pair.client, block) > 0;) ++n;
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(poll(pair.client), kSpace);
}

TEST_F(TcpPoll, 16_60_to_16_64_urgent_octet) {
  Pair pair = connected();
  KeyRecorder keys(*pair.server);
  EXPECT_EQ(send(pair.client, "u", MSG_OOB), 1);
  EXPECT_EQ(poll(pair.server), kSpace | kPri);
  EXPECT_EQ(keys.take(), std::vector{kReadableKey});  // 17.2
  EXPECT_EQ(receive(pair.server, 8, MSG_OOB), "u");
  EXPECT_EQ(last_flags & MSG_OOB, MSG_OOB);
  EXPECT_EQ(poll(pair.server), kSpace);
  EXPECT_EQ(receive(pair.server, 8, MSG_OOB), errno_text(EINVAL));
}

TEST_F(TcpPoll, 16_63_receive_stops_at_the_mark) {
  Pair pair = connected();
  EXPECT_EQ(send(pair.client, "ab"), 2);
  EXPECT_EQ(send(pair.client, "u", MSG_OOB), 1);
  EXPECT_EQ(send(pair.client, "cd"), 2);
  EXPECT_EQ(poll(pair.server), kReady | kSpace | kPri);
  EXPECT_EQ(receive(pair.server), "ab");
  EXPECT_EQ(receive(pair.server), "cd");
}

TEST_F(TcpPoll, 17_3_to_17_8_state_changes_have_no_key) {
  Pair pair = connected();
  KeyRecorder client(*pair.client);
  KeyRecorder server(*pair.server);
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  const std::vector<PollEvents> at_server = server.take();
  EXPECT_EQ(at_server, (std::vector{kNoKey, kReadableKey}));  // 17.3
  const std::vector<PollEvents> at_client = client.take();
  EXPECT_EQ(std::vector(at_client.size(), kNoKey), at_client);  // 17.6, 17.8
  EXPECT_GE(at_client.size(), 2u);
}

TEST_F(TcpPoll, 17_4_reset_is_told_to_all_and_then_as_an_error) {
  Pair pair = connected();
  KeyRecorder server(*pair.server);
  close_with_reset(pair.client);
  const std::vector<PollEvents> keys = server.take();
  ASSERT_GE(keys.size(), 2u);
  EXPECT_EQ(keys[0], kNoKey);
  EXPECT_EQ(keys[1], kErr);
}

TEST_F(TcpPoll, 17_5_connect_completed) {
  Held listener = listening();
  Held client = open();
  KeyRecorder keys(*client);
  connect(client, local(listener));
  EXPECT_EQ(keys.take(), std::vector{kNoKey});
}

}  // namespace
}  // namespace pollux
