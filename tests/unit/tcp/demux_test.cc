// demux_test.cc - many tuples in the tables: each is found, none after it left, chains stay short.
#include "stack/tcp/demux.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "drivers/rss_map.h"
#include "stack/tcp/time_wait.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

constexpr std::uint32_t kMany = 100'000;

FourTuple tuple_of(std::uint32_t n) {
  return {.local = {.address = IpAddress::v4(198, 18, 0, 2), .port = 80},
          .remote = {.address = IpAddress::v4(0xc6120000u + n / 1000),
                     .port = static_cast<std::uint16_t>(1024 + n % 1000)}};
}

TEST(Demux, every_one_of_many_is_found_until_it_leaves) {
  Demux demux(16, kMany, testing_support::test_secret(1).demux);
  TimeWaits all(kMany);
  for (std::uint32_t n = 0; n < kMany; ++n) demux.insert(*all.create(tuple_of(n), {}, Instant()));
  for (std::uint32_t n = 0; n < kMany; ++n) {
    TimeWait* found = demux.find_time_wait(tuple_of(n));
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->tuple, tuple_of(n));
    if (n % 2 != 0) continue;
    demux.erase(*found);
    all.destroy(*found);
  }
  for (std::uint32_t n = 0; n < kMany; ++n) {
    EXPECT_EQ(demux.find_time_wait(tuple_of(n)) != nullptr, n % 2 != 0);
  }
  EXPECT_EQ(demux.find_time_wait(tuple_of(kMany)), nullptr);
}

// As many buckets as entries: the longest chain of a fair hash is about 8.
TEST(Demux, neighbouring_tuples_do_not_gather_in_one_bucket) {
  const Demux demux(16, 16, testing_support::test_secret(1).demux);
  for (const unsigned shift : {15u, 0u}) {  // upper bits choose the bucket; lower ones are fair too
    std::vector<unsigned> buckets(1u << 17);
    for (std::uint32_t n = 0; n < (1u << 17); ++n) {
      ++buckets[demux.hash(tuple_of(n)) >> shift & ((1u << 17) - 1)];
    }
    EXPECT_LE(*std::max_element(buckets.begin(), buckets.end()), 12u);
  }
}

// Under the key that network cards have by default, the lower half of the Toeplitz hash is the same
// for all of these: the hash is linear, so a base of the inputs that it maps to nothing is found by
// elimination. Bits 0 to 15 are the peer's port, 16 to 32 its address in 198.18.0.0/15.
class ToeplitzCollisions {
 public:
  ToeplitzCollisions() {
    std::array<std::uint64_t, 16> pivots{}, combinations{};
    for (unsigned bit = 0; bit < 33; ++bit) {
      std::uint64_t image = hash_of(std::uint64_t{1} << bit) ^ hash_of(0);
      std::uint64_t combination = std::uint64_t{1} << bit;
      for (unsigned i = 0; i < 16; ++i) {
        if ((image >> i & 1) == 0) continue;
        if (pivots[i] == 0) {
          pivots[i] = image, combinations[i] = combination;
          combination = 0;
          break;
        }
        image ^= pivots[i], combination ^= combinations[i];
      }
      if (combination != 0) kernel_.push_back(combination);
    }
  }
  std::size_t size() const { return std::size_t{1} << kernel_.size(); }
  std::uint64_t nth(std::size_t n) const {
    std::uint64_t input = 0;
    for (std::size_t i = 0; i < kernel_.size(); ++i) input ^= (n >> i & 1) != 0 ? kernel_[i] : 0;
    return input;
  }
  std::uint16_t hash_of(std::uint64_t input) const {
    const auto host = static_cast<std::uint32_t>(input >> 16);
    RssTuple tuple{
        .source = {198, static_cast<std::uint8_t>(18 + (host >> 16)),
                   static_cast<std::uint8_t>(host >> 8), static_cast<std::uint8_t>(host)},
        .destination = {198, 18, 0, 2},
        .source_port = static_cast<std::uint16_t>(input),
        .destination_port = 80,
        .has_ports = true};
    return static_cast<std::uint16_t>(map_.hash_of(tuple));
  }
  static FourTuple tuple_of(std::uint64_t input) {
    return {
        .local = {.address = IpAddress::v4(198, 18, 0, 2), .port = 80},
        .remote = {.address = IpAddress::v4(0xc6120000u + static_cast<std::uint32_t>(input >> 16)),
                   .port = static_cast<std::uint16_t>(input)}};
  }

 private:
  // Of the hash's published verification suite.
  static constexpr std::uint8_t kKey[40] = {
      0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
      0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
      0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
  RssMap map_ = RssMap::of(kKey, {0});
  std::vector<std::uint64_t> kernel_;
};

// V19 (CVE-2023-1206): more than 10^5 tuples that all collide under Toeplitz are spread as evenly
// as any, so that a look-up walks no longer chains than it would (mean 2, of a fair hash: below
// 13).
TEST(Demux, tuples_that_collide_under_toeplitz_are_spread_evenly) {
  const ToeplitzCollisions all;
  ASSERT_GE(all.size(), std::size_t{100'000});
  const Demux demux(16, 16, testing_support::test_secret(1).demux);
  std::vector<unsigned> buckets(1u << 16);
  double walked = 0;
  for (std::size_t n = 0; n < 1u << 17; ++n) {
    const std::uint64_t input = all.nth(n);
    ASSERT_EQ(all.hash_of(input), all.hash_of(0));
    walked += ++buckets[demux.hash(ToeplitzCollisions::tuple_of(input)) >> 16];
  }
  EXPECT_LE(*std::max_element(buckets.begin(), buckets.end()), 13u);
  EXPECT_LT(walked / (1u << 17), 2 * 2.0);  // a fair hash: 2.0
}

TEST(Demux, the_keys_decide_who_meets_whom) {
  const Demux one(16, 16, testing_support::test_secret(1).demux);
  const Demux other(16, 16, testing_support::test_secret(2).demux);
  unsigned same = 0;
  for (std::uint32_t n = 0; n < 10'000; ++n)
    same += one.hash(tuple_of(n)) == other.hash(tuple_of(n));
  EXPECT_LE(same, 1u);
}

TEST(Demux, every_part_of_the_tuple_counts) {
  const Demux demux(16, 16, testing_support::test_secret(1).demux);
  const FourTuple base = tuple_of(1);
  std::vector<FourTuple> changed(6, base);
  changed[0].local.port = 81;
  changed[1].remote.port ^= 1;
  changed[2].local.address = IpAddress::v4(198, 18, 0, 3);
  changed[3].remote.address = IpAddress::v4(199, 18, 0, 0);
  changed[4].remote.address = IpAddress();
  std::swap(changed[5].local, changed[5].remote);
  for (const FourTuple& other : changed) EXPECT_NE(demux.hash(base), demux.hash(other));
}

}  // namespace
}  // namespace pollux::tcp
