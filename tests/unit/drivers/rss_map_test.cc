// rss_map_test.cc - the published verification vectors of the Toeplitz hash, and the table.
#include "drivers/rss_map.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

constexpr std::uint8_t kKey[] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
  RssTuple tuple;
  std::uint32_t with_ports, by_addresses;
};

const Vector kVectors[] = {
    {{{66, 9, 149, 187}, {161, 142, 100, 80}, 2794, 1766, true}, 0x51ccc178, 0x323e8fc2},
    {{{199, 92, 111, 2}, {65, 69, 140, 83}, 14230, 4739, true}, 0xc626b0ea, 0xd718262a},
    {{{24, 19, 198, 95}, {12, 22, 207, 184}, 12898, 38024, true}, 0x5c2b394a, 0xd2d0a5de},
    {{{38, 27, 205, 30}, {209, 142, 163, 6}, 48228, 2217, true}, 0xafc7327f, 0x82989176},
    {{{153, 39, 163, 191}, {202, 188, 127, 2}, 44251, 1303, true}, 0x10e828a2, 0x5d1809c5},
};

TEST(RssMap, hashes_the_published_vectors) {
  const RssMap map = RssMap::of(kKey, {0, 1});
  for (const Vector& vector : kVectors) {
    RssTuple tuple = vector.tuple;
    EXPECT_EQ(map.hash_of(tuple), vector.with_ports);
    tuple.has_ports = false;
    EXPECT_EQ(map.hash_of(tuple), vector.by_addresses);
  }
}

TEST(RssMap, the_hash_points_into_the_table_from_its_low_end) {
  std::vector<std::uint16_t> table(128, 0);
  table[0x51ccc178 % 128] = 5;
  const RssMap map = RssMap::of(kKey, table);
  EXPECT_EQ(map.queue_of(kVectors[0].tuple), 5u);
  EXPECT_EQ(map.queue_of(kVectors[1].tuple), 0u);
}

TEST(RssMap, another_key_foretells_something_else) {
  std::vector<std::uint8_t> key(kKey, kKey + sizeof kKey);
  key[0] ^= 1;
  EXPECT_NE(RssMap::of(key, {0, 1}).hash_of(kVectors[0].tuple), kVectors[0].with_ports);
}

TEST(RssMap, without_a_key_or_a_table_nothing_is_known) {
  EXPECT_FALSE(RssMap().is_known());
  EXPECT_FALSE(RssMap::of(kKey, {}).is_known());
  EXPECT_FALSE(RssMap::of(std::span(kKey).first(15), {0, 1}).is_known());
  EXPECT_TRUE(RssMap::of(std::span(kKey).first(16), {0, 1}).is_known());
}

TEST(RssMap, one_queue_gets_everything) {
  ASSERT_TRUE(RssMap::one_queue().is_known());
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(RssMap::one_queue().queue_of(vector.tuple), 0u);
  }
}

}  // namespace
}  // namespace pollux
