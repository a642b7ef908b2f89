// heap_text.h - text in plain memory, counted: the protocol core's tests need no packets.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string_view>

#include "stack/base/text.h"
#include "stack/tcp/text_chain.h"

namespace pollux::testing_support {

// Hands out chunks; its destructor asserts that all came back.
class HeapText {
 public:
  static constexpr std::uint32_t kChunk = 2048;
  static constexpr std::uint32_t kOverhead = 256;

  HeapText() = default;
  HeapText(const HeapText&) = delete;
  HeapText& operator=(const HeapText&) = delete;
  ~HeapText() { EXPECT_EQ(live_, 0); }

  TextMemory memory() {
    return TextMemory([](void* self) { return static_cast<HeapText*>(self)->allocate(); }, this);
  }
  // An empty chunk; no text once `limit` chunks are out.
  Text allocate() {
    if (live_ >= limit) return {};
    void* block = std::malloc(sizeof(Block) + kChunk);
    Block* chunk = new (block) Block();
    chunk->owner = this;
    chunk->data = reinterpret_cast<std::byte*>(chunk + 1);
    chunk->tail_room = kChunk;
    chunk->true_size = kChunk + kOverhead;
    chunk->release = [](TextNode* node) {
      auto* self = static_cast<Block*>(node);
      --self->owner->live_;
      self->~Block();
      std::free(self);
    };
    ++live_;
    return Text(chunk);
  }
  // A received text: no tail room, as a packet's.
  Text text(ConstBytes octets) {
    Text text = allocate();
    CHECK(text.append(octets) == octets.size());
    text.node()->tail_room = 0;
    return text;
  }
  Text text(std::string_view octets) { return text(std::as_bytes(std::span(octets))); }
  // In several texts of at most `piece` octets, as a packet of several buffers.
  tcp::TextChain chain(ConstBytes octets, std::size_t piece = kChunk) {
    Text head;
    TextNode** link = nullptr;
    for (std::size_t at = 0; at < octets.size(); at += piece) {
      Text next = text(octets.subspan(at, std::min(piece, octets.size() - at)));
      if (!link) {
        head = std::move(next);
        link = &head.node()->next;
      } else {
        *link = next.detach();
        link = &(*link)->next;
      }
    }
    return tcp::TextChain(std::move(head));
  }
  int live() const { return live_; }

  int limit = 1 << 20;

 private:
  struct Block : TextNode {
    HeapText* owner = nullptr;
  };
  int live_ = 0;
};

}  // namespace pollux::testing_support
