// reassembly_test.cc - text out of order: any order, any overlap, byte-exact, bounded work.
#include "stack/tcp/reassembly.h"

#include <gtest/gtest.h>

#include <string>

#include "stack/base/rng.h"
#include "tests/support/heap_text.h"

namespace pollux::testing_support {
namespace {

using tcp::Reassembly;

std::string octets_at(std::uint64_t position, std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>((position + i) * 31 % 251);
  return s;
}
std::string take(Reassembly& queue, std::uint64_t& position) {
  std::string all;
  for (;;) {
    const Text text = queue.pop_at(position);
    if (text.empty()) return all;
    all.append(reinterpret_cast<const char*>(text.bytes().data()), text.size());
    position += text.size();
  }
}

TEST(Reassembly, gives_what_is_due_and_keeps_the_rest) {  // SHLD-31; 2525 2.5
  HeapText heap;
  Reassembly queue;
  queue.insert(heap.text(octets_at(20, 10)), 20);
  queue.insert(heap.text(octets_at(10, 10)), 10);
  std::uint64_t position = 5;
  EXPECT_EQ(take(queue, position), "");
  position = 10;
  EXPECT_EQ(take(queue, position), octets_at(10, 20));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.true_size(), 0u);
}

TEST(Reassembly, tells_of_duplicates) {  // RFC 2883 4: the first run
  HeapText heap;
  Reassembly queue;
  queue.insert(heap.text(octets_at(10, 10)), 10);
  auto known = queue.insert(heap.text(octets_at(12, 4)), 12);
  EXPECT_EQ(known.begin, 12u);
  EXPECT_EQ(known.end, 16u);
  known = queue.insert(heap.text(octets_at(5, 30)), 5);
  EXPECT_EQ(known.begin, 10u);
  EXPECT_EQ(known.end, 20u);
  known = queue.insert(heap.text(octets_at(50, 5)), 50);
  EXPECT_EQ(known.begin, known.end);
}

TEST(Reassembly, any_order_any_overlap_is_byte_exact) {
  HeapText heap;
  Rng rng(3);
  for (int run = 0; run < 500; ++run) {
    Reassembly queue;
    constexpr std::uint64_t kEnd = 2000;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t at = 1 + rng.below(kEnd - 1);
      const std::size_t n = 1 + rng.below(std::min<std::uint64_t>(kEnd - at, 200));
      queue.insert(heap.text(octets_at(at, n)), at);
    }
    for (std::uint64_t at = 0; at < kEnd; at += 100) {
      queue.insert(heap.text(octets_at(at, 100)), at);  // no hole is left
    }
    std::uint64_t position = 0;
    ASSERT_EQ(take(queue, position), octets_at(0, kEnd));
    ASSERT_EQ(queue.true_size(), 0u);
  }
}

TEST(Reassembly, forgets_what_has_become_old) {
  HeapText heap;
  Reassembly queue;
  queue.insert(heap.text(octets_at(10, 10)), 10);
  queue.insert(heap.text(octets_at(30, 10)), 30);
  std::uint64_t position = 35;
  EXPECT_EQ(take(queue, position), octets_at(35, 5));
}

TEST(Reassembly, drops_the_farthest_first) {  // RFC 2018 8
  HeapText heap;
  Reassembly queue;
  queue.insert(heap.text(octets_at(10, 10)), 10);
  queue.insert(heap.text(octets_at(30, 10)), 30);
  queue.drop_last();
  EXPECT_EQ(queue.last(), 10u);
  EXPECT_EQ(heap.live(), 1);
}

// V7; CVE-2018-5390: single octets in the worst order; 40,000 in a list would be 800 million steps.
TEST(Reassembly, many_holes_cost_logarithmic_work) {
  HeapText heap;
  Reassembly queue;
  for (std::uint64_t i = 40'000; i > 0; --i) queue.insert(heap.text("x"), 2 * i);
  for (std::uint64_t i = 40'000; i > 0; --i) queue.insert(heap.text("y"), 2 * i - 1);
  std::uint64_t position = 1;
  EXPECT_EQ(take(queue, position).size(), 80'000u);
}

}  // namespace
}  // namespace pollux::testing_support
