// neighbours_test.cc - asking, learning, ageing, refusing; every rule on a virtual clock.
#include "stack/link/neighbours.h"

#include <deque>

#include "tests/support/test_packets.h"

namespace pollux {
namespace {

using Operation = ArpMessage::Operation;
using Resolution = Neighbours::Resolution;
using State = Neighbours::State;

constexpr MacAddress kOurs{2, 0, 0, 0, 0, 1}, kMac{2, 0, 0, 0, 0, 2}, kEvil{2, 0, 0, 0, 6, 6},
    kEverybody{255, 255, 255, 255, 255, 255};
const IpAddress kUs = IpAddress::v4(198, 18, 0, 1), kPeer = IpAddress::v4(198, 18, 0, 2),
                kThird = IpAddress::v4(198, 18, 0, 3);

IpAddress host(unsigned n) { return IpAddress::v4(198, 18, n >> 8, n & 0xff); }

class NeighboursTest : public test::PacketTest {
 protected:
  NeighboursTest() { start({}); }
  void start(const Neighbours::Limits& limits) {
    table.emplace(kOurs, limits, rng, now);
    table->add_address({kUs, 16}, Claim::silent, now);
  }
  Resolution resolve(const IpAddress& hop, Packet packet = test::packet_of(test::pattern(4))) {
    const Neighbours::Resolved resolved = table->resolve(hop, packet, now);
    mac = resolved.mac;
    return resolved.resolution;
  }
  Accepted<Neighbours::ArpOutcome> input(Operation operation, const MacAddress& from_mac,
                                         const IpAddress& from, const IpAddress& target = kUs) {
    ArpMessage message;
    message.operation = operation;
    message.sender_mac = from_mac;
    message.sender = from;
    message.target = target;
    return table->input(message, now);
  }
  // Lets time pass, timeout by timeout; collects what is asked.
  void pass(Duration time) {
    const Instant end = now + time;
    while (table->next_timeout() <= end) {
      // The wheel may say up to a tick too early, so time must move on by itself, too.
      now = std::max(now + Duration::us(10), table->next_timeout());
      table->advance(now);
      collect();
    }
    now = std::max(now, end);
    table->advance(now);
    collect();
  }
  void collect() {
    ArpMessage message;
    while (table->next_request(message)) asked.emplace_back(now, message);
  }
  void make_reachable(const IpAddress& peer, const MacAddress& its = kMac) {
    resolve(peer);
    ASSERT_TRUE(input(Operation::reply, its, peer));
    Packet packet;
    while (table->next_ready(packet, mac)) packet.reset();
    collect();
    asked.clear();
    ASSERT_EQ(table->state_of(peer), State::REACHABLE);
  }

  Rng rng{1};
  Instant now = Instant::from_ns(0) + Duration::seconds(1000);
  std::optional<Neighbours> table;
  MacAddress mac{};
  std::vector<std::pair<Instant, ArpMessage>> asked;
};

TEST_F(NeighboursTest, unknown_one_is_asked_for_by_broadcast) {
  EXPECT_EQ(resolve(kPeer), Resolution::queued);
  collect();
  ASSERT_EQ(asked.size(), 1u);
  const ArpMessage& request = asked[0].second;
  EXPECT_EQ(request.operation, Operation::request);
  EXPECT_EQ(request.sender_mac, kOurs);
  EXPECT_EQ(request.sender, kUs);
  EXPECT_EQ(request.target, kPeer);
  EXPECT_EQ(request.frame_destination, kEverybody);
}

TEST_F(NeighboursTest, answer_sends_what_waits_in_order) {  // 1122-2.3.2.2
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(resolve(kPeer, test::packet_of(test::pattern(10, i))), Resolution::queued);
  }
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  Packet packet;
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_TRUE(table->next_ready(packet, mac));
    EXPECT_EQ(mac, kMac);
    EXPECT_EQ(test::octets_in(packet), test::pattern(10, i));
  }
  EXPECT_FALSE(table->next_ready(packet, mac));
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(mac, kMac);
}

TEST_F(NeighboursTest, asks_three_times_a_second_apart_then_gives_up) {  // 1122-2.3.2.1
  EXPECT_EQ(resolve(kPeer), Resolution::queued);
  for (int i = 0; i < 20; ++i) resolve(kPeer);  // more packets ask no more often
  collect();
  pass(Duration::seconds(10));
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_GE(asked[1].first - asked[0].first, Duration::seconds(1));
  EXPECT_GE(asked[2].first - asked[1].first, Duration::seconds(1));
  EXPECT_EQ(table->state_of(kPeer), State::FAILED);
  Packet packet;
  IpAddress hop;
  unsigned failed = 0;
  for (; table->next_failed(packet, hop); ++failed) EXPECT_EQ(hop, kPeer);
  EXPECT_EQ(failed, 8u);
  EXPECT_EQ(table->queued(), 0u);
}

TEST_F(NeighboursTest, failed_one_is_asked_again_but_not_sooner_than_a_second) {
  resolve(kPeer);
  pass(Duration::seconds(3));
  ASSERT_EQ(table->state_of(kPeer), State::FAILED);
  const Instant last = asked.back().first;
  EXPECT_EQ(resolve(kPeer), Resolution::queued);
  pass(Duration::seconds(2));
  ASSERT_GE(asked.size(), 4u);
  EXPECT_GE(asked[3].first - last, Duration::seconds(1));
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  EXPECT_EQ(table->state_of(kPeer), State::REACHABLE);
}

TEST_F(NeighboursTest, oldest_packet_gives_way) {
  start({.queued_per_entry = 2});
  for (unsigned i = 0; i < 4; ++i) resolve(kPeer, test::packet_of(test::pattern(4, i)));
  EXPECT_EQ(table->queue_drops(), 2u);
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  Packet packet;
  for (unsigned i = 2; i < 4; ++i) {
    ASSERT_TRUE(table->next_ready(packet, mac));
    EXPECT_EQ(test::octets_in(packet), test::pattern(4, i));
  }
}

TEST_F(NeighboursTest, queue_of_all_is_bounded) {
  start({.entries = 64, .queued_per_entry = 4, .queued_total = 10});
  unsigned queued = 0;
  for (unsigned i = 0; i < 30; ++i) queued += resolve(host(10 + i % 5)) == Resolution::queued;
  EXPECT_GE(queued, 10u);  // of one neighbour's the oldest give way, the packets of all are bounded
  EXPECT_EQ(table->queued(), 10u);
  Packet packet = test::packet_of(test::pattern(9));
  EXPECT_EQ(table->resolve(host(50), packet, now).resolution, Resolution::failed);
  EXPECT_TRUE(packet) << "what is refused stays the caller's";
}

// 1122-2.3.2.1: a time-out, then a unicast poll.
TEST_F(NeighboursTest, reachable_ages_to_stale_and_is_probed_when_used) {
  make_reachable(kPeer);
  pass(Duration::seconds(46));  // at most one and a half of 30 s
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(table->state_of(kPeer), State::DELAY);
  pass(Duration::seconds(5) + Duration::ms(1));
  EXPECT_EQ(table->state_of(kPeer), State::PROBE);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].second.frame_destination, kMac) << "a unicast poll";
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  EXPECT_EQ(table->state_of(kPeer), State::REACHABLE);
}

TEST_F(NeighboursTest, unanswered_probes_end_in_failed) {
  make_reachable(kPeer);
  pass(Duration::seconds(46));
  resolve(kPeer);
  pass(Duration::seconds(9));
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_EQ(table->state_of(kPeer), State::FAILED);
  EXPECT_EQ(resolve(kPeer), Resolution::queued);
  pass(Duration::ms(1100));
  EXPECT_EQ(asked.back().second.frame_destination, kEverybody);
}

TEST_F(NeighboursTest, forward_progress_keeps_it_fresh) {
  make_reachable(kPeer);
  for (int i = 0; i < 100; ++i) {
    pass(Duration::seconds(5));
    table->confirm(kPeer, now);
    EXPECT_EQ(resolve(kPeer), Resolution::known);
    EXPECT_EQ(table->state_of(kPeer), State::REACHABLE);
  }
  EXPECT_TRUE(asked.empty());
  table->confirm(kThird, now);
  EXPECT_FALSE(table->state_of(kThird));
}

TEST_F(NeighboursTest, doubt_probes_at_once_by_unicast) {  // MUST-20
  make_reachable(kPeer);
  pass(Duration::seconds(2));
  table->doubt(kPeer, now);
  collect();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].second.frame_destination, kMac);
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  table->doubt(kPeer, now);
  collect();
  EXPECT_EQ(asked.size(), 1u) << "once";
}

// 1122-2.3.2.1: on the link layer's evidence.
TEST_F(NeighboursTest, flush_doubts_everything) {
  make_reachable(kPeer);
  table->flush();
  EXPECT_EQ(table->state_of(kPeer), State::STALE);
}

// --- answering

TEST_F(NeighboursTest, request_for_us_is_answered_and_learned) {  // 826-rx
  const auto outcome = input(Operation::request, kMac, kPeer);
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->reply);
  EXPECT_EQ(outcome->reply->operation, Operation::reply);
  EXPECT_EQ(outcome->reply->sender_mac, kOurs);
  EXPECT_EQ(outcome->reply->sender, kUs);
  EXPECT_EQ(outcome->reply->target_mac, kMac);
  EXPECT_EQ(outcome->reply->target, kPeer);
  EXPECT_EQ(outcome->reply->frame_destination, kMac);
  EXPECT_EQ(table->state_of(kPeer), State::STALE);
}

TEST_F(NeighboursTest, request_for_another_is_neither) {
  const auto outcome = input(Operation::request, kMac, kPeer, kThird);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->reply);
  EXPECT_EQ(table->size(), 0u);
}

// arp-sec: 0.0.0.0 is nobody.
TEST_F(NeighboursTest, probe_for_our_address_is_answered_and_not_learned) {
  const auto outcome = input(Operation::request, kMac, IpAddress::any_v4());
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->reply);
  EXPECT_EQ(table->size(), 0u);
}

TEST_F(NeighboursTest, address_still_probed_is_not_answered_for) {
  const IpAddress second = IpAddress::v4(198, 18, 0, 77);
  table->add_address({second, 16}, Claim::probe, now);
  EXPECT_FALSE(input(Operation::request, kMac, kPeer, second)->reply);
  pass(Duration::seconds(12));
  EXPECT_TRUE(table->owns(second));
  EXPECT_TRUE(input(Operation::request, kMac, kPeer, second)->reply);
}

TEST_F(NeighboursTest, stranger_off_link_is_answered_and_not_learned) {
  EXPECT_TRUE(input(Operation::request, kMac, IpAddress::v4(203, 0, 113, 1))->reply);
  EXPECT_EQ(table->size(), 0u);
}

// --- what nobody may make us believe (arp-sec, V22)

// arp-sec, V22.
TEST_F(NeighboursTest, unsolicited_reply_makes_no_entry) {
  ASSERT_TRUE(input(Operation::reply, kEvil, kPeer));
  ASSERT_TRUE(input(Operation::reply, kEvil, kPeer, kPeer));
  EXPECT_EQ(table->size(), 0u);
}

// arp-sec, V22.
TEST_F(NeighboursTest, gratuitous_arp_does_not_overwrite_reachable) {
  make_reachable(kPeer);
  ASSERT_TRUE(input(Operation::request, kEvil, kPeer, kPeer));
  ASSERT_TRUE(input(Operation::reply, kEvil, kPeer, kPeer));
  ASSERT_TRUE(input(Operation::reply, kEvil, kPeer, kUs));
  EXPECT_EQ(table->refused_updates(), 3u);
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(mac, kMac);
}

TEST_F(NeighboursTest, request_to_us_may_change_a_reachable_one) {
  make_reachable(kPeer);
  ASSERT_TRUE(input(Operation::request, kEvil, kPeer));
  EXPECT_EQ(table->state_of(kPeer), State::STALE);
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(mac, kEvil);
}

TEST_F(NeighboursTest, gratuitous_arp_changes_a_stale_one) {
  ASSERT_TRUE(input(Operation::request, kMac, kPeer));
  ASSERT_TRUE(input(Operation::request, kEvil, kPeer, kPeer));
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(mac, kEvil);
  EXPECT_EQ(table->refused_updates(), 0u);
}

// arp-sec, V22.
TEST_F(NeighboursTest, second_answer_comes_too_late) {
  resolve(kPeer);
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  ASSERT_TRUE(input(Operation::reply, kEvil, kPeer));
  EXPECT_EQ(resolve(kPeer), Resolution::known);
  EXPECT_EQ(mac, kMac);
}

// arp-sec, V22.
TEST_F(NeighboursTest, impossible_senders_are_drops) {
  const MacAddress group{3, 0, 0, 0, 0, 2};
  for (const MacAddress& bad : {group, kEverybody, MacAddress{}, kOurs}) {
    resolve(kPeer);
    EXPECT_EQ(input(Operation::reply, bad, kPeer).error(), Drop::bad_arp);
    EXPECT_EQ(table->state_of(kPeer), State::INCOMPLETE);
  }
  for (const IpAddress& bad : {IpAddress::v4(127, 0, 0, 1), IpAddress::v4(224, 0, 0, 1),
                               IpAddress::v4(255, 255, 255, 255)}) {
    EXPECT_EQ(input(Operation::request, kMac, bad).error(), Drop::bad_arp);
  }
  EXPECT_FALSE(table->state_of(IpAddress::v4(198, 18, 255, 255)));
  ASSERT_TRUE(input(Operation::request, kMac, IpAddress::v4(198, 18, 255, 255)));
  EXPECT_FALSE(table->state_of(IpAddress::v4(198, 18, 255, 255))) << "the directed broadcast";
}

TEST_F(NeighboursTest, our_address_in_use_elsewhere_is_a_conflict) {  // 5227-2.1
  const auto first = input(Operation::request, kEvil, kUs, kPeer);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->conflict);
  EXPECT_FALSE(first->reply);
  collect();
  ASSERT_EQ(asked.size(), 1u);  // the defence: an announcement
  EXPECT_EQ(asked[0].second.sender, kUs);
  EXPECT_EQ(asked[0].second.target, kUs);
  EXPECT_TRUE(input(Operation::reply, kEvil, kUs, kUs)->conflict);
  collect();
  EXPECT_EQ(asked.size(), 1u) << "once in 10 s";
  EXPECT_FALSE(table->state_of(kUs));
}

// --- bounds (arp-exhaust)

// arp-exhaust, V22: every address of a /16 at 1,000 a second: half of the table at most asks, and
// who is known and used stays known.
TEST_F(NeighboursTest, scan_of_a_network_keeps_what_is_known) {
  start({.entries = 64});
  make_reachable(kPeer);
  for (unsigned i = 3; i < 65535; ++i) {
    resolve(host(i));
    if (i % 100 != 0) continue;
    EXPECT_LE(table->size(), 64u);
    EXPECT_LE(table->queued(), 32u * 8);
    pass(Duration::ms(100));
    if (table->state_of(kPeer) == State::PROBE) {
      ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
    }
    EXPECT_EQ(resolve(kPeer), Resolution::known) << "used now and then";
    Packet packet;
    IpAddress hop;
    while (table->next_failed(packet, hop)) packet.reset();
  }
  EXPECT_LE(table->size(), 64u);
}

// arp-exhaust, V22.
TEST_F(NeighboursTest, flood_of_requests_pushes_out_strangers_first) {
  start({.entries = 64});
  for (unsigned i = 0; i < 16; ++i) make_reachable(host(2 + i));
  for (unsigned i = 0; i < 10000; ++i) {
    ASSERT_TRUE(input(Operation::request, kEvil, host(1000 + i % 40000)));
  }
  EXPECT_EQ(table->size(), 64u);
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_EQ(resolve(host(2 + i)), Resolution::known) << i;
    EXPECT_EQ(mac, kMac);
  }
}

// The table against a plain list: what is found after many insertions and evictions.
TEST_F(NeighboursTest, open_addressing_finds_what_it_holds) {
  start({.entries = 128});
  for (unsigned round = 0; round < 20000; ++round) {
    const IpAddress peer = host(256 + static_cast<unsigned>(rng.below(400)));
    ASSERT_TRUE(input(Operation::request, kMac, peer));
    ASSERT_TRUE(table->state_of(peer)) << round;
    ASSERT_LE(table->size(), 128u);
  }
  unsigned found = 0;
  for (unsigned i = 0; i < 400; ++i) found += table->state_of(host(256 + i)).has_value();
  EXPECT_EQ(found, table->size());
}

TEST_F(NeighboursTest, next_timeout_is_never_early_nor_forgotten) {
  EXPECT_TRUE(table->next_timeout().is_never());
  resolve(kPeer);
  EXPECT_FALSE(table->next_timeout().is_never());
  EXPECT_LE(table->next_timeout(), now + Duration::seconds(1));
  ASSERT_TRUE(input(Operation::reply, kMac, kPeer));
  EXPECT_TRUE(table->next_timeout().is_never());
}

}  // namespace
}  // namespace pollux
