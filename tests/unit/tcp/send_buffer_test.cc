// send_buffer_test.cc - what is written comes out by reference, in any order, until acknowledged.
#include "stack/tcp/send_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "stack/base/rng.h"
#include "tests/support/heap_text.h"

namespace pollux::testing_support {
namespace {

using tcp::SendBuffer;
using tcp::TextPiece;
constexpr std::uint32_t kNoLimit = 1u << 30;

std::string pattern(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>(i * 7 % 253);
  return s;
}
std::string read(SendBuffer& buffer, std::uint64_t position, std::uint32_t length) {
  TextPiece piece[64];
  std::string out;
  const unsigned n = buffer.pieces(position, length, piece);
  for (unsigned i = 0; i < n; ++i) {
    out.append(reinterpret_cast<char*>(piece[i].node->data) + piece[i].offset, piece[i].size);
  }
  return out;
}
ConstBytes bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

TEST(SendBuffer, fills_chunks_and_joins_small_writes) {
  HeapText heap;
  SendBuffer buffer;
  for (int i = 0; i < 32; ++i) buffer.append(bytes(std::string(64, 'a')), heap.memory(), kNoLimit);
  EXPECT_EQ(heap.live(), 1);
  EXPECT_EQ(buffer.octets(), 2048u);
  EXPECT_EQ(buffer.true_size(), HeapText::kChunk + HeapText::kOverhead);
}

TEST(SendBuffer, stops_at_the_limit_and_when_memory_ends) {
  HeapText heap;
  SendBuffer buffer;
  EXPECT_EQ(buffer.append(bytes(pattern(10'000)), heap.memory(), 4000), 4096u);
  EXPECT_EQ(buffer.append(bytes(pattern(10)), heap.memory(), 4000), 0u);
  heap.limit = 3;
  EXPECT_EQ(buffer.append(bytes(pattern(10'000)), heap.memory(), kNoLimit), 2048u);
}

TEST(SendBuffer, releases_whole_chunks) {
  HeapText heap;
  SendBuffer buffer;
  buffer.append(bytes(pattern(5000)), heap.memory(), kNoLimit);
  buffer.acknowledge(2047);
  EXPECT_EQ(heap.live(), 3);
  buffer.acknowledge(2048);
  EXPECT_EQ(heap.live(), 2);
  buffer.acknowledge(5000);
  EXPECT_EQ(heap.live(), 0);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.begin(), 5000u);
}

TEST(SendBuffer, any_run_can_be_read_again) {
  HeapText heap;
  SendBuffer buffer;
  Rng rng(11);
  const std::string all = pattern(200'000);
  std::size_t written = 0;
  std::uint64_t acked = 0;
  while (acked < all.size()) {
    const std::size_t n = std::min<std::size_t>(rng.below(5000), all.size() - written);
    written += buffer.append(bytes(all.substr(written, n)), heap.memory(), 60'000);
    for (int i = 0; i < 4 && buffer.end() > acked; ++i) {
      const std::uint64_t at = acked + rng.below(buffer.end() - acked);
      const auto length = static_cast<std::uint32_t>(1 + rng.below(buffer.end() - at));
      ASSERT_EQ(read(buffer, at, length), all.substr(at, length));
    }
    acked += rng.below(buffer.end() - acked + 1);
    buffer.acknowledge(acked);
  }
}

TEST(SendBuffer, clear_keeps_the_place) {
  HeapText heap;
  SendBuffer buffer;
  buffer.append(bytes(pattern(100)), heap.memory(), kNoLimit);
  buffer.clear();
  EXPECT_EQ(buffer.begin(), 100u);
  EXPECT_EQ(heap.live(), 0);
}

}  // namespace
}  // namespace pollux::testing_support
