// mtu_probe_test.cc - routers believed and not, black holes, probes that arrive and probes that do
// not.
#include "stack/tcp/mtu_probe.h"

#include "tests/support/tcp_pair.h"
#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

constexpr std::uint16_t kHeaders = 40;

std::unique_ptr<Peer> with_probing(std::uint32_t mode, TcpOptions syn = {.mss = 1460}) {
  Peer::Setup setup;
  setup.config.mtu_probing = mode;
  setup.syn = syn;
  return established(setup);
}

std::uint32_t cwnd_of(Peer& peer) {
  return peer.connection().info(peer.now).snd_cwnd * peer.connection().send_mss();
}

TcpOptions sack(std::initializer_list<SackBlock> blocks) {
  TcpOptions options;
  for (const SackBlock& block : blocks) options.sack[options.sack_count++] = block;
  return options;
}

// --- what routers say

// 8201-5.2, 5927-4.1, 1191-3a.
TEST(MtuProbeTest, a_smaller_path_sends_again_in_smaller_pieces_without_penalty) {
  auto peer = established();
  peer->writes(std::string(1460, 'x'));
  peer->expects({.ctl = PSH | ACK, .len = 1460u});
  peer->connection().path_mtu(1000, peer->iss + 5000, peer->now);  // not in flight
  peer->expects_nothing();
  peer->connection().path_mtu(1000, peer->iss + 1, peer->now);
  EXPECT_TRUE(peer->connection().take_events().has(Event::path_mtu));
  peer->expects({.seq = peer->iss + 1, .ctl = ACK, .len = 960u});
  peer->expects({.seq = peer->iss + 961, .ctl = PSH | ACK, .len = 500u});
  peer->expects_nothing();
  EXPECT_EQ(peer->connection().info(peer->now).snd_cwnd, 14'600u / 960);
  EXPECT_EQ(peer->connection().info(peer->now).ca_state, 0);
  peer->connection().path_mtu(100, peer->iss + 1, peer->now);
  EXPECT_EQ(peer->connection().send_mss(), MtuProbe::kFloor - kHeaders);
  EXPECT_EQ(peer->counters.tcp_timeouts, 0u);
}

// 1191-6.4: every segment of a flight may be answered by a message; it goes again once.
TEST(MtuProbeTest, a_message_for_every_segment_makes_one_retransmission_of_each) {
  auto peer = established();
  peer->writes(std::string(4 * 1460, 'x'));
  ASSERT_EQ(peer->drain().size(), 4u);
  std::uint32_t again = 0;
  for (std::uint32_t i = 0; i < 4; ++i) {
    peer->connection().path_mtu(1400, peer->iss + 1 + i * 1460, peer->now);
    for (const Segment& seg : peer->drain()) again += seg.text_length;
  }
  EXPECT_EQ(again, 4u * 1460);
  peer->sends({.ack = peer->iss + 1 + 4 * 1460, .ctl = ACK});
  peer->expects_nothing();
}

// 1191-6.4, 8201-5.2: what fitted is on its way.
TEST(MtuProbeTest, smaller_segments_before_the_one_that_was_too_large_do_not_go_again) {
  Peer::Setup setup;
  setup.options.no_delay = true;
  auto peer = established(setup);
  for (const std::string& text :
       {std::string("small"), std::string("small"), std::string(1460, 'x')}) {
    peer->writes(text);
    ASSERT_EQ(peer->drain().size(), 1u);
  }
  peer->connection().path_mtu(1000, peer->iss + 11, peer->now);
  peer->expects({.seq = peer->iss + 11, .ctl = ACK, .len = 960u});
  peer->expects({.seq = peer->iss + 971, .ctl = PSH | ACK, .len = 500u});
  peer->expects_nothing();
}

// 2018: what the peer holds is kept in mind.
TEST(MtuProbeTest, what_the_peer_has_told_of_does_not_go_again) {
  Peer::Setup setup;
  setup.syn = sack_only();
  auto peer = established(setup);
  const SeqNum una = peer->iss + 1;
  peer->writes(std::string(3 * 1460, 'x'));
  ASSERT_EQ(peer->drain().size(), 3u);
  peer->sends({.ack = una, .ctl = ACK, .options = sack({{una + 1460, una + 2920}})});
  peer->drain();
  peer->connection().path_mtu(1000, una, peer->now);
  peer->expects({.seq = una, .ctl = ACK, .len = 960u});
  peer->expects({.seq = una + 960, .ctl = ACK, .len = 500u});
  peer->expects({.seq = una + 2920, .ctl = ACK, .len = 960u});
  peer->expects({.seq = una + 3880, .ctl = PSH | ACK, .len = 500u});
  peer->expects_nothing();
}

// 5927-7.2, V14: full segments have arrived, so who says that they cannot has to be right twice.
TEST(MtuProbeTest, a_message_that_contradicts_acknowledged_text_waits_for_a_timeout) {
  auto peer = established();
  const auto sends_full = [&] {
    peer->writes(std::string(1460, 'x'));
    return peer->expects({.ctl = PSH | ACK, .len = 1460u}).seq;
  };
  sends_full();
  peer->acks();
  // Forged: the text is acknowledged.
  const SeqNum first = sends_full();
  peer->connection().path_mtu(600, first, peer->now);
  peer->expects_nothing();
  peer->acks();
  EXPECT_EQ(peer->connection().send_mss(), 1460);
  EXPECT_EQ(peer->shared().mtu_probes.used(), 0u);
  // Forged, and then something is lost: that is not what the message was about.
  const SeqNum second = sends_full();
  peer->connection().path_mtu(600, second, peer->now);
  peer->acks();
  sends_full();
  peer->step();
  EXPECT_EQ(peer->expects({.ctl = PSH | ACK}).text_length, 1460u);
  EXPECT_EQ(peer->counters.tcp_timeouts, 1u);
  peer->acks();
  // True: the text is missed. That is no congestion.
  const SeqNum third = sends_full();
  const std::uint32_t cwnd = cwnd_of(*peer);
  peer->connection().path_mtu(1000, third, peer->now);
  peer->connection().path_mtu(1200, third, peer->now);  // of a router before that one
  peer->expects_nothing();
  peer->step();
  peer->expects({.seq = third, .ctl = ACK, .len = 960u});
  peer->expects({.seq = third + 960, .ctl = PSH | ACK, .len = 500u});
  EXPECT_EQ(peer->counters.tcp_timeouts, 1u);
  EXPECT_GE(cwnd_of(*peer) + 960, cwnd);
  peer->acks();
  EXPECT_EQ(peer->shared().mtu_probes.used(), 0u);
}

// ip(7): with DONT, INTERFACE and OMIT there is no DF, and nobody to be believed.
TEST(MtuProbeTest, a_connection_without_df_believes_nobody) {
  for (const unsigned value : {0u, 4u, 5u}) {
    Peer::Setup setup;
    setup.options.mtu_discover = value & 7;
    auto peer = established(setup);
    peer->writes(std::string(1460, 'x'));
    peer->drain();
    peer->connection().path_mtu(1000, peer->iss + 1, peer->now);
    peer->expects_nothing();
    for (int i = 0; i < 4; ++i) {
      peer->step();
      EXPECT_EQ(peer->drain().size(), 1u);
    }
    EXPECT_EQ(peer->connection().send_mss(), 1460);
    EXPECT_EQ(peer->counters.tcp_black_holes, 0u);
  }
}

// MUST-67: the SYN says what may come, whatever may go.
TEST(MtuProbeTest, a_message_about_the_syn_leaves_its_mss) {
  Peer peer;
  peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
  EXPECT_EQ(peer.expects({.ctl = SYN}).options.mss, 1460);
  peer.connection().path_mtu(1000, peer.iss, peer.now);
  peer.expects_nothing();
  peer.step();
  EXPECT_EQ(peer.expects({.ctl = SYN}).options.mss, 1460);
  EXPECT_EQ(peer.connection().path_mtu(), 1000);
}

TEST(MtuProbeTest, where_no_more_can_be_remembered_the_path_is_lowered_all_the_same) {
  auto peer = established();
  std::vector<MtuProbe*> all;
  while (MtuProbe* probe = peer->shared().mtu_probes.create()) all.push_back(probe);
  peer->writes(std::string(1460, 'x'));
  peer->drain();
  peer->connection().path_mtu(1000, peer->iss + 1, peer->now);
  peer->expects_nothing();
  EXPECT_EQ(peer->connection().send_mss(), 960);
  peer->step();  // found missing in the ordinary way
  peer->expects({.seq = peer->iss + 1, .ctl = ACK, .len = 960u});
  peer->sends({.ack = peer->iss + 961, .ctl = ACK});
  peer->expects({.ctl = PSH | ACK, .len = 500u});
  for (MtuProbe* probe : all) peer->shared().mtu_probes.destroy(probe);
}

// --- black holes

// 4821-7, fault-black-hole: the second timeout sends what passes, less than 4 RTO after the first
// sending.
TEST(MtuProbeTest, a_black_hole_is_found_within_four_timeouts) {
  auto peer = established();
  peer->writes(std::string(1460, 'x'));
  peer->expects({.ctl = PSH | ACK, .len = 1460u});
  const Instant since = peer->now;
  const Duration rto = peer->step();
  peer->expects({.ctl = PSH | ACK, .len = 1460u});
  peer->step();
  peer->expects({.seq = peer->iss + 1, .ctl = ACK, .len = MtuProbe::kBase - 40u});
  EXPECT_EQ(peer->counters.tcp_black_holes, 1u);
  peer->now = peer->now + Duration::ms(50);
  EXPECT_LT((peer->now - since).to_ms(), 4 * rto.to_ms());
  peer->sends({.ack = peer->iss + 985, .ctl = ACK});
  peer->expects({.ctl = PSH | ACK, .len = 1460u - 984});
}

// A path that takes even less: 552 is the floor.
TEST(MtuProbeTest, a_deeper_hole_takes_another_timeout) {
  auto peer = established();
  peer->writes(std::string(1460, 'x'));
  peer->drain();
  for (const std::uint32_t length : {1460u, 984u, 512u, 512u}) {
    peer->step();
    EXPECT_EQ(peer->drain()[0].text_length, length);
  }
  EXPECT_EQ(peer->counters.tcp_black_holes, 2u);
}

TEST(MtuProbeTest, what_is_lost_need_not_be_a_full_segment) {
  auto peer = established();
  peer->writes(std::string(900, 'x'));
  peer->drain();
  for (const std::uint32_t length : {900u, 512u}) {
    peer->step();
    EXPECT_EQ(peer->drain()[0].text_length, length);
  }
  EXPECT_EQ(peer->counters.tcp_black_holes, 1u);
}

TEST(MtuProbeTest, small_segments_that_are_lost_mean_no_black_hole) {
  auto peer = established();
  peer->writes("small");
  peer->drain();
  for (int i = 0; i < 4; ++i) {
    peer->step();
    peer->drain();
  }
  EXPECT_EQ(peer->connection().send_mss(), 1460);
  EXPECT_EQ(peer->counters.tcp_black_holes, 0u);
}

TEST(MtuProbeTest, nothing_is_suspected_when_it_is_switched_off) {
  auto peer = with_probing(kProbingOff);
  peer->writes(std::string(1460, 'x'));
  peer->drain();
  for (int i = 0; i < 4; ++i) {
    peer->step();
    EXPECT_EQ(peer->drain()[0].text_length, 1460u);
  }
}

// --- probes. With 2 a connection begins with 1,024 and tries the whole at once.

// 4821-7: a probe that arrives raises the size.
TEST(MtuProbeTest, a_probe_that_arrives_is_the_new_size) {
  auto peer = with_probing(kProbingAlways);
  EXPECT_EQ(peer->connection().send_mss(), 984);
  peer->writes(std::string(20'000, 'x'));
  const Segment probe = peer->expects({.ctl = ACK, .len = 1460u});
  EXPECT_EQ(probe.gso_size, 0);
  peer->expects({.ctl = ACK, .len = 984u});
  peer->drain();
  peer->sends({.ack = probe.seq + 1460, .ctl = ACK});
  EXPECT_EQ(peer->connection().send_mss(), 1460);
  EXPECT_EQ(peer->connection().path_mtu(), 1500);
  EXPECT_EQ(peer->shared().mtu_probes.used(), 0u);
  EXPECT_EQ(peer->expects({.ctl = ACK}).text_length, 1460u);
  EXPECT_EQ(peer->counters.tcp_mtu_probes, 1u);
}

// 4821-7: a probe that is lost is no congestion, with SACK and without.
TEST(MtuProbeTest, a_lost_probe_goes_again_in_pieces_without_penalty) {
  for (const bool with_sack : {false, true}) {
    auto peer = with_probing(kProbingAlways, {.mss = 1460, .sack_permitted = with_sack});
    peer->writes(std::string(20'000, 'x'));
    const SeqNum probe = peer->expects({.ctl = ACK, .len = 1460u}).seq;
    const auto rest = peer->drain();
    ASSERT_GE(rest.size(), 5u);
    const std::uint32_t cwnd = cwnd_of(*peer);
    std::vector<Segment> sent;
    const auto duplicates = [&](std::uint32_t from, std::uint32_t to) {
      for (std::uint32_t i = from; i <= to; ++i) {
        Seg ack{.ack = probe, .ctl = ACK};
        if (with_sack) ack.options = sack({{probe + 1460, probe + 1460 + i * 984}});
        peer->sends(ack);
        for (Segment& seg : peer->drain()) sent.push_back(std::move(seg));
      }
    };
    duplicates(1, 3);
    const auto missed = [&](std::uint32_t offset, std::uint32_t length) {
      return std::any_of(sent.begin(), sent.end(), [&](const Segment& seg) {
        return seg.seq == probe + offset && seg.text_length == length;
      });
    };
    EXPECT_TRUE(missed(0, 984));
    EXPECT_TRUE(missed(984, 476));
    duplicates(4, 5);  // of what was in the network
    const Info info = peer->connection().info(peer->now);
    EXPECT_EQ(info.ca_state, 0);
    EXPECT_EQ(info.total_retrans, 2u);
    EXPECT_EQ(cwnd_of(*peer), cwnd);
    peer->sends({.ack = probe + 1460 + 5 * 984, .ctl = ACK});
    EXPECT_EQ(peer->connection().info(peer->now).total_retrans, 2u);
    EXPECT_EQ(peer->connection().send_mss(), 984);
  }
}

// RFC 4821 7.5: if more is missing than the probe, that is congestion.
TEST(MtuProbeTest, a_probe_lost_with_others_is_a_loss) {
  auto peer = with_probing(kProbingAlways, sack_only());
  peer->writes(std::string(20'000, 'x'));
  const SeqNum probe = peer->expects({.ctl = ACK, .len = 1460u}).seq;
  peer->drain();
  const SeqNum behind = probe + 1460 + 984;  // the segment behind the probe is lost too
  for (std::uint32_t i = 1; i <= 3; ++i) {
    peer->sends({.ack = probe, .ctl = ACK, .options = sack({{behind, behind + i * 984}})});
  }
  EXPECT_EQ(peer->connection().info(peer->now).ca_state, 3);
  EXPECT_EQ(peer->expects({.seq = probe, .ctl = ACK}).text_length, 984u);
}

TEST(MtuProbeTest, a_probe_waits_for_text_and_room) {
  auto peer = with_probing(kProbingAlways);
  peer->writes(std::string(1460 + 3 * 984 - 1, 'x'));  // one octet too few
  EXPECT_EQ(peer->expects({.ctl = ACK}).text_length, 984u);
  peer->drain();
  peer->acks();
  peer->sends({.wnd = 1460u + 3 * 984 - 1, .ctl = ACK});
  peer->writes(std::string(10'000, 'x'));
  EXPECT_EQ(peer->expects({.ctl = ACK}).text_length, 984u);
  peer->drain();
  EXPECT_EQ(peer->counters.tcp_mtu_probes, 0u);
  peer->sends({.wnd = 65535u, .ctl = ACK});
  peer->drain();
  EXPECT_EQ(peer->counters.tcp_mtu_probes, 1u);
}

// A router's word about the probe is exact; the next one is of that size.
TEST(MtuProbeTest, a_router_that_refuses_a_probe_says_what_to_try) {
  auto peer = with_probing(kProbingAlways);
  peer->writes(std::string(30'000, 'x'));
  const SeqNum probe = peer->expects({.ctl = ACK, .len = 1460u}).seq;
  peer->drain();
  peer->connection().path_mtu(1300, probe, peer->now);
  peer->expects({.seq = probe, .ctl = ACK, .len = 984u});
  peer->expects({.seq = probe + 984, .ctl = ACK, .len = 476u});
  EXPECT_EQ(peer->connection().send_mss(), 984);
  peer->sends({.ack = peer->connection().snd().max, .ctl = ACK});
  const Segment second = peer->expects({.ctl = ACK, .len = 1260u});
  peer->drain();
  peer->connection().take_events();
  peer->sends({.ack = second.seq + 1260, .ctl = ACK});
  EXPECT_EQ(peer->connection().path_mtu(), 1300);
  EXPECT_TRUE(peer->connection().take_events().has(Event::path_mtu));
}

TEST(MtuProbeTest, a_timeout_ends_a_probe) {
  auto peer = with_probing(kProbingAlways);
  peer->writes(std::string(20'000, 'x'));
  peer->expects({.ctl = ACK, .len = 1460u});
  peer->drain();
  peer->step();
  peer->expects({.seq = peer->iss + 1, .ctl = ACK, .len = 984u});
  EXPECT_EQ(peer->connection().info(peer->now).ca_state, 4);
  EXPECT_EQ(peer->counters.tcp_black_holes, 0u);
}

// 1191-6.3: the estimate of a living connection ages with that of the destination.
TEST(MtuProbeTest, a_larger_estimate_is_probed_for) {
  for (const std::uint32_t mode : {kProbingOff, kProbingAfterBlackHole}) {
    auto peer = with_probing(mode);
    peer->writes(std::string(1460, 'x'));
    peer->drain();
    peer->connection().path_mtu(1000, peer->iss + 1, peer->now);
    peer->drain();
    peer->acks();
    peer->connection().path_may_take(1000, peer->now);
    EXPECT_EQ(peer->connection().path_mtu(), 1000);
    peer->connection().path_may_take(1500, peer->now);
    peer->writes(std::string(20'000, 'x'));
    const Segment first = peer->expects({.ctl = ACK, .len = 1460u});
    EXPECT_EQ(peer->connection().path_mtu(), mode == kProbingOff ? 1500 : 1000);
    peer->drain();
    peer->sends({.ack = first.seq + 1460, .ctl = ACK});
    EXPECT_EQ(peer->connection().path_mtu(), 1500);
  }
}

// RFC 1191 6.3: as raised, so lowered: a message about the larger segments is believed at once.
TEST(MtuProbeTest, after_raising_nothing_is_proven) {
  auto peer = with_probing(kProbingOff);
  peer->writes(std::string(1460, 'x'));
  peer->drain();
  peer->connection().path_mtu(1000, peer->iss + 1, peer->now);
  peer->drain();
  peer->acks();
  peer->connection().path_may_take(1500, peer->now);
  peer->writes(std::string(1460, 'x'));
  const SeqNum seq = peer->expects({.ctl = PSH | ACK, .len = 1460u}).seq;
  peer->connection().path_mtu(1000, seq, peer->now);
  peer->expects({.seq = seq, .ctl = ACK, .len = 960u});
}

// 4821-7, fault-black-hole: whatever is longer than the path takes vanishes, in both directions.
TEST(MtuProbeTest, transfers_end_through_black_holes_of_every_size) {
  for (const std::uint32_t limit : {552u, 600u, 1024u, 1100u, 1300u, 1480u, 1499u}) {
    for (const bool with_sack : {true, false}) {
      SideParams side;
      side.config.sack = with_sack;
      side.config.receive_buffer = side.config.receive_buffer_max;  // so that nothing else is lost
      side.to_write = 3'000'000;
      LinkParams link;
      link.largest = limit;
      link.delay = Duration::ms(2);
      TcpPair pair(limit, link, side, side);
      pair.open();
      ASSERT_TRUE(pair.run(Duration::seconds(300))) << limit;
      EXPECT_GE(pair.counters(0).tcp_black_holes, 1u);
      EXPECT_GT(pair.connection(0).path_mtu() + MtuProbe::kNearby, limit) << with_sack;
      EXPECT_LE(pair.connection(0).path_mtu(), limit) << with_sack;
    }
  }
}

// The same, and segments are lost at random besides.
TEST(MtuProbeTest, transfers_end_through_lossy_black_holes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SideParams side;
    side.to_write = 300'000;
    side.gso = seed % 2 != 0 ? 60'000 : 0;
    LinkParams link;
    link.largest = 1300;
    link.loss = 0.02;
    link.delay = Duration::ms(2);
    TcpPair pair(seed, link, side, side);
    pair.open();
    ASSERT_TRUE(pair.run(Duration::seconds(600))) << seed;
  }
}

}  // namespace
}  // namespace pollux::testing_support
