// packet_pool_test.cc - PacketPool: the reserve, references that outlive what they refer to,
// errors.
#include "drivers/packet_pool.h"

#include <gtest/gtest.h>

#include <list>
#include <vector>

#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::Octets;
using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::test_pool;

class PacketPoolTest : public testing_support::PoolEndsFull {
 protected:
  Text text_of(const Octets& octets) {
    Text text = test_pool().allocate_text();
    EXPECT_EQ(text.append(octets), octets.size());
    return text;
  }
  Rng rng_{11};
};

TEST_F(PacketPoolTest, sizes_out_of_range_are_refused) {
  EXPECT_EQ(PacketPool::create("small", 254, 2048).error(), Errno::invalid);
  EXPECT_EQ(PacketPool::create("large", (1U << 22) + 1, 2048).error(), Errno::invalid);
  EXPECT_EQ(PacketPool::create("no room", 255, 0).error(), Errno::invalid);
  EXPECT_EQ(PacketPool::create("wide", 255, UINT16_MAX).error(), Errno::invalid);
  EXPECT_EQ(PacketPool::create("test", 255, 2048).error(), Errno::exists);
  EXPECT_EQ(PacketPool::create("too much", 1U << 20, 8192).error(), Errno::no_memory);
}

TEST_F(PacketPoolTest, a_moved_pool_keeps_its_reserve_and_room) {
  Result<PacketPool> made = PacketPool::create("moved", 1600, 1000);
  ASSERT_TRUE(made.ok());
  PacketPool pool = std::move(*made);
  EXPECT_EQ(pool.data_room(), 1000);
  EXPECT_EQ(pool.capacity(), 1600u);
  EXPECT_TRUE(pool.is_full());
  std::vector<Packet> taken;
  while (Packet packet = pool.allocate()) taken.push_back(std::move(packet));
  EXPECT_EQ(taken.size(), 1500u);
  taken.clear();
  EXPECT_TRUE(pool.is_full());
}

TEST_F(PacketPoolTest, only_the_reserve_is_left_for_those_that_do_not_grow) {
  const std::uint32_t reserve = test_pool().capacity() / 16;
  std::vector<Packet> taken;
  while (Packet packet = test_pool().allocate()) taken.push_back(std::move(packet));
  EXPECT_EQ(test_pool().available(), reserve);
  EXPECT_TRUE(test_pool().is_low());
  EXPECT_TRUE(test_pool().allocate_text().empty());
  EXPECT_EQ(test_pool().allocate_text().node(), nullptr);
  for (std::uint32_t i = 0; i < reserve; ++i) {
    taken.push_back(test_pool().allocate_from_reserve());
    ASSERT_TRUE(taken.back());
  }
  EXPECT_FALSE(test_pool().allocate_from_reserve());
  taken.clear();
  EXPECT_FALSE(test_pool().is_low());
  EXPECT_TRUE(test_pool().allocate());
}

// V16: as many as may have nothing yet will find a packet each, if the pool is that large.
TEST_F(PacketPoolTest, v16_memory_is_scarce_before_the_last_of_many_users_has_none) {
  const std::uint32_t low = test_pool().capacity() / 4, reserve = test_pool().capacity() / 16;
  std::vector<Packet> taken;
  while (test_pool().available() >= low - 1) taken.push_back(test_pool().allocate());
  ASSERT_EQ(test_pool().available(), low - 2);
  EXPECT_TRUE(test_pool().shortage().is_low);
  EXPECT_FALSE(test_pool().shortage().is_scarce);
  EXPECT_FALSE(test_pool().shortage(1).is_scarce);
  EXPECT_TRUE(test_pool().shortage(low - reserve - 1).is_scarce);
  EXPECT_FALSE(test_pool().shortage(low - reserve).is_scarce);  // too many for such a pool
  taken.clear();
  EXPECT_FALSE(test_pool().shortage(low - reserve - 1).is_scarce);
}

TEST_F(PacketPoolTest, a_used_again_packet_knows_nothing) {
  for (int i = 0; i < 3; ++i) {
    Packet packet = test_pool().allocate();
    EXPECT_EQ(packet.meta().l4_checksum, Checksum::unknown);
    EXPECT_EQ(packet.meta().ip_checksum, Checksum::unknown);
    EXPECT_FALSE(packet.meta().has_vlan);
    packet.meta() = {Checksum::bad, Checksum::good, 5, true};
  }
}

TEST_F(PacketPoolTest, text_memory_gives_the_pools_text) {
  const TextMemory memory = test_pool().text_memory();
  const Text text = memory.allocate();
  ASSERT_NE(text.node(), nullptr);
  EXPECT_EQ(text.node()->tail_room, test_pool().data_room());
  EXPECT_EQ(text.size(), 0u);
}

TEST_F(PacketPoolTest, a_reference_shows_the_octets_and_copies_none) {
  const Octets octets = random_octets(rng_, 1000);
  Text text = text_of(octets);
  const Packet packet = test_pool().refer(*text.node(), 100, 300);
  ASSERT_TRUE(packet);
  EXPECT_EQ(octets_of(packet), Octets(octets.begin() + 100, octets.begin() + 400));
  EXPECT_EQ(packet.data(), text.bytes().data() + 100);
  EXPECT_TRUE(text.node()->is_shared);
}

TEST_F(PacketPoolTest, a_reference_outlives_its_text) {
  const Octets octets = random_octets(rng_, 500);
  Text text = text_of(octets);
  Packet packet = test_pool().refer(*text.node(), 0, 500);
  text.reset();
  EXPECT_EQ(octets_of(packet), octets);
  std::vector<Packet> others;
  for (int i = 0; i < 500; ++i) others.push_back(packet_of(test_pool(), Octets(2048)));
  EXPECT_EQ(octets_of(packet), octets) << "the octets' buffer was given out again";
}

TEST_F(PacketPoolTest, a_reference_has_meta_and_text_node_of_its_own) {
  Packet arrived = packet_of(test_pool(), random_octets(rng_, 100));
  arrived.meta() = {Checksum::good, Checksum::good, 9, true};
  arrived.mbuf()->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_TX_TCP_CKSUM;
  Text text = std::move(arrived).into_text();
  text.node()->position = 4711;
  Packet packet = test_pool().refer(*text.node(), 0, 100);
  EXPECT_EQ(packet.meta().l4_checksum, Checksum::unknown);
  EXPECT_EQ(packet.mbuf()->ol_flags, RTE_MBUF_F_INDIRECT);
  packet.meta().l4_checksum = Checksum::bad;
  Text second = std::move(packet).into_text();
  second.node()->position = 1;
  EXPECT_EQ(text.node()->position, 4711u);
  EXPECT_TRUE(second.node()->is_shared);
  EXPECT_EQ(second.node()->tail_room, 0u);
}

TEST_F(PacketPoolTest, nothing_can_be_put_behind_a_reference) {
  Text text = text_of(random_octets(rng_, 1000));
  Packet packet = test_pool().refer(*text.node(), 0, 500);
  EXPECT_EQ(packet.put(1), nullptr);
  packet.reset();
  // The element's own length is back once it is given out again.
  std::vector<Packet> all;
  while (Packet fresh = test_pool().allocate()) {
    ASSERT_EQ(rte_pktmbuf_tailroom(fresh.mbuf()), test_pool().data_room());
    all.push_back(std::move(fresh));
  }
}

TEST_F(PacketPoolTest, a_reference_to_a_reference_keeps_the_first_owner) {
  const Octets octets = random_octets(rng_, 400);
  Text text = text_of(octets);
  Text middle = test_pool().refer(*text.node(), 100, 200).into_text();
  Packet last = test_pool().refer(*middle.node(), 50, 100);
  text.reset();
  middle.reset();
  EXPECT_EQ(octets_of(last), Octets(octets.begin() + 150, octets.begin() + 250));
}

TEST_F(PacketPoolTest, header_and_reference_make_one_packet) {
  const Octets octets = random_octets(rng_, 1448);
  Text text = text_of(octets);
  Packet packet = test_pool().allocate();
  std::memset(packet.push(54), 1, 54);
  PacketPool::chain(packet, test_pool().refer(*text.node(), 0, 1448));
  EXPECT_EQ(packet.size(), 1502u);
  EXPECT_EQ(packet.segments(), 2);
  Octets payload(1448);
  EXPECT_EQ(packet.copy_out(54, payload), 1448u);
  EXPECT_EQ(payload, octets);
}

// Texts, references and chains of them come and go in random order; the pool ends full.
TEST_F(PacketPoolTest, random_life_and_death_leaks_nothing) {
  std::list<Text> texts;
  std::list<Packet> packets;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t what = rng_.below(4);
    if (what == 0 && texts.size() < 200) {
      texts.push_back(text_of(random_octets(rng_, 1 + rng_.below(1500))));
    } else if (what == 1 && !texts.empty() && packets.size() < 300) {
      TextNode& node = *texts.front().node();
      packets.push_back(test_pool().refer(node, 0, node.size));
      texts.splice(texts.end(), texts, texts.begin());
    } else if (what == 2 && !texts.empty() && rng_.below(2) == 0) {
      texts.pop_front();
    } else if (what == 3 && packets.size() > 1) {
      Packet head = std::move(packets.front());
      packets.pop_front();
      if (rng_.below(3) != 0) continue;
      PacketPool::chain(head, std::move(packets.front()));
      packets.pop_front();
    }
  }
}

}  // namespace
}  // namespace pollux
