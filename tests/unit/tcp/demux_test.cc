// demux_test.cc - many tuples in the tables: each is found, none after it left, chains stay short.
#include "stack/tcp/demux.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

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
