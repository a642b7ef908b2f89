// receive_buffer_test.cc - texts in, octets out; small ones share chunks.
#include "stack/tcp/receive_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/heap_text.h"

namespace pollux::testing_support {
namespace {

using tcp::ReceiveBuffer;

std::string take(ReceiveBuffer& buffer, std::size_t most) {
  std::string out(most, '\0');
  out.resize(buffer.take(std::as_writable_bytes(std::span(out))));
  return out;
}

TEST(ReceiveBuffer, reads_across_texts) {
  HeapText heap;
  ReceiveBuffer buffer;
  buffer.append(heap.text(std::string(300, 'a')), heap.memory(), false);
  buffer.append(heap.text(std::string(300, 'b')), heap.memory(), false);
  EXPECT_EQ(take(buffer, 299), std::string(299, 'a'));
  EXPECT_EQ(take(buffer, 2), "ab");
  EXPECT_EQ(buffer.octets(), 299u);
  EXPECT_EQ(buffer.begin(), 301u);
  EXPECT_EQ(heap.live(), 1);
  EXPECT_EQ(take(buffer, 1000), std::string(299, 'b'));
  EXPECT_EQ(heap.live(), 0);
  EXPECT_EQ(buffer.true_size(), 0u);
}

TEST(ReceiveBuffer, peek_takes_nothing) {
  HeapText heap;
  ReceiveBuffer buffer;
  buffer.append(heap.text("hello "), heap.memory(), false);
  buffer.append(heap.text("world"), heap.memory(), false);
  std::string out(7, '\0');
  EXPECT_EQ(buffer.peek(4, std::as_writable_bytes(std::span(out))), 7u);
  EXPECT_EQ(out, "o world");
  EXPECT_EQ(buffer.octets(), 11u);
  EXPECT_EQ(buffer.at(6), std::byte{'w'});
}

TEST(ReceiveBuffer, small_texts_share_a_chunk) {  // design.md 4
  HeapText heap;
  ReceiveBuffer buffer;
  for (int i = 0; i < 20; ++i) buffer.append(heap.text("0123456789"), heap.memory(), false);
  EXPECT_EQ(heap.live(), 2);  // the first packet and one chunk
  EXPECT_EQ(take(buffer, 1000).size(), 200u);
}

TEST(ReceiveBuffer, large_texts_stay_where_they_are_unless_asked) {
  HeapText heap;
  ReceiveBuffer buffer;
  buffer.append(heap.text(std::string(1000, 'a')), heap.memory(), false);
  buffer.append(heap.text(std::string(1000, 'b')), heap.memory(), false);
  EXPECT_EQ(heap.live(), 2);
  buffer.clear();
  buffer.append(heap.text(std::string(900, 'a')), heap.memory(), true);
  buffer.append(heap.text(std::string(900, 'b')), heap.memory(), true);
  EXPECT_EQ(heap.live(), 1);
  EXPECT_EQ(take(buffer, 2000), std::string(900, 'a') + std::string(900, 'b'));
}

TEST(ReceiveBuffer, without_memory_the_packet_has_to_do) {
  HeapText heap;
  ReceiveBuffer buffer;
  Text text = heap.text("abc");
  heap.limit = 1;
  buffer.append(std::move(text), heap.memory(), true);
  EXPECT_EQ(take(buffer, 10), "abc");
}

TEST(ReceiveBuffer, consume_without_copying) {
  HeapText heap;
  ReceiveBuffer buffer;
  buffer.append(heap.text("hello"), heap.memory(), false);
  buffer.consume(3);
  EXPECT_EQ(take(buffer, 10), "lo");
}

}  // namespace
}  // namespace pollux::testing_support
