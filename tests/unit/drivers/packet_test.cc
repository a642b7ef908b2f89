// packet_test.cc - Packet: chains cut at random places behave as one row of octets.
#include "drivers/packet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::Octets;
using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::split_packet;
using testing_support::test_pool;

class PacketTest : public testing_support::PoolEndsFull {
 protected:
  Rng rng_{7};
};

Octets concatenation(const Text& text) {
  Octets all;
  for (const TextNode* node = text.node(); node; node = node->next) {
    all.insert(all.end(), node->data, node->data + node->size);
  }
  return all;
}

void free_chain(Text text) {
  while (TextNode* node = text.detach()) {
    text = Text(node->next);
    node->release(node);
  }
}

TEST_F(PacketTest, push_and_pull_move_the_front) {
  const Octets octets = random_octets(rng_, 100);
  Packet packet = packet_of(test_pool(), octets);
  std::memset(packet.push(14), 0xab, 14);
  EXPECT_EQ(packet.size(), 114u);
  EXPECT_EQ(packet.data()[0], std::byte{0xab});
  packet.pull(14);
  EXPECT_EQ(octets_of(packet), octets);
  EXPECT_EQ(packet.peek<be32>(97), nullptr);
  EXPECT_NE(packet.peek<be32>(96), nullptr);
}

TEST_F(PacketTest, put_stops_at_the_end_of_the_buffer) {
  Packet packet = test_pool().allocate();
  EXPECT_NE(packet.put(2000), nullptr);
  EXPECT_EQ(packet.put(49), nullptr);
  EXPECT_NE(packet.put(48), nullptr);
  EXPECT_EQ(packet.size(), 2048u);
}

TEST_F(PacketTest, trim_of_random_chains_keeps_the_front) {
  for (int round = 0; round < 300; ++round) {
    const Octets octets = random_octets(rng_, rng_.below(1500));
    Packet packet = split_packet(test_pool(), rng_, octets, 1 + rng_.below(6));
    const auto size = static_cast<std::uint32_t>(rng_.below(octets.size() + 1));
    packet.trim(size);
    EXPECT_EQ(packet.size(), size);
    EXPECT_EQ(octets_of(packet), Octets(octets.begin(), octets.begin() + size));
    rte_mbuf_sanity_check(packet.mbuf(), 1);
  }
}

TEST_F(PacketTest, linearize_of_random_chains_makes_the_front_contiguous) {
  for (int round = 0; round < 300; ++round) {
    const Octets octets = random_octets(rng_, 1 + rng_.below(1500));
    Packet packet = split_packet(test_pool(), rng_, octets, 1 + rng_.below(6));
    const auto n = static_cast<std::uint32_t>(rng_.below(octets.size() + 1));
    ASSERT_TRUE(packet.linearize(n));
    EXPECT_GE(packet.head_size(), n);
    EXPECT_EQ(octets_of(packet), octets);
    rte_mbuf_sanity_check(packet.mbuf(), 1);
  }
}

TEST_F(PacketTest, linearize_refuses_what_is_not_there_and_what_has_no_room) {
  Packet packet = packet_of(test_pool(), random_octets(rng_, 2040));
  EXPECT_FALSE(packet.linearize(2041));
  PacketPool::chain(packet, packet_of(test_pool(), random_octets(rng_, 100)));
  EXPECT_FALSE(packet.linearize(2049));
  EXPECT_TRUE(packet.linearize(2048));
}

TEST_F(PacketTest, copy_out_from_any_offset) {
  for (int round = 0; round < 300; ++round) {
    const Octets octets = random_octets(rng_, 1 + rng_.below(1500));
    const Packet packet = split_packet(test_pool(), rng_, octets, 1 + rng_.below(6));
    const auto offset = static_cast<std::uint32_t>(rng_.below(octets.size() + 1));
    Octets out(rng_.below(octets.size() + 20));
    const std::uint32_t n = packet.copy_out(offset, out);
    ASSERT_EQ(n, std::min<std::size_t>(out.size(), octets.size() - offset));
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + n, octets.begin() + offset));
  }
}

TEST_F(PacketTest, into_text_keeps_every_octet_and_no_empty_segment) {
  for (int round = 0; round < 300; ++round) {
    const Octets octets = random_octets(rng_, rng_.below(1500));
    Packet packet = split_packet(test_pool(), rng_, octets, 1 + rng_.below(6));
    Text text = std::move(packet).into_text();
    EXPECT_FALSE(packet);
    EXPECT_EQ(concatenation(text), octets);
    for (const TextNode* node = text.node(); node; node = node->next) {
      EXPECT_GT(node->size, 0u);
      EXPECT_FALSE(node->is_shared);
      EXPECT_GE(node->true_size, 2048u + kPacketHeadRoom + kPacketPrivateSize);
    }
    free_chain(std::move(text));
  }
}

TEST_F(PacketTest, text_of_one_segment_can_be_freed_before_and_after_the_others) {
  const Octets octets = random_octets(rng_, 300);
  Packet packet = packet_of(test_pool(), octets);
  PacketPool::chain(packet, packet_of(test_pool(), octets));
  Text first = std::move(packet).into_text();
  Text second(first.node()->next);
  first.reset();
  EXPECT_EQ(second.size(), 300u);
  EXPECT_EQ(std::memcmp(second.bytes().data(), octets.data(), 300), 0);
}

TEST_F(PacketTest, text_can_be_appended_to_up_to_the_end_of_the_buffer) {
  Packet packet = packet_of(test_pool(), random_octets(rng_, 2000));
  Text text = std::move(packet).into_text();
  EXPECT_EQ(text.append(random_octets(rng_, 100)), 48u);
  EXPECT_EQ(text.size(), 2048u);
}

TEST_F(PacketTest, request_sets_the_flags_of_the_family_it_finds) {
  Octets frame(64);
  frame[14] = std::byte{0x45};
  Packet packet = packet_of(test_pool(), frame);
  TxOffload offload{.ipv4_checksum = true, .tcp_checksum = true};
  offload.link_length = 14;
  offload.ip_length = 20;
  offload.tcp_length = 20;
  packet.request(offload);
  EXPECT_EQ(packet.mbuf()->ol_flags,
            RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM);
  EXPECT_EQ(packet.mbuf()->l2_len, 14);
  EXPECT_EQ(packet.mbuf()->l3_len, 20);
  packet.data()[14] = std::byte{0x60};
  offload.tso_mss = 1440;
  packet.request(offload);
  EXPECT_EQ(packet.mbuf()->ol_flags,
            RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG);
  EXPECT_EQ(packet.mbuf()->tso_segsz, 1440);
  EXPECT_EQ(packet.mbuf()->l4_len, 20);
}

}  // namespace
}  // namespace pollux
