// text.h - Text: the only owner of a run of octets, whatever memory they live in.
#pragma once

#include <boost/intrusive/set_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "stack/base/bytes.h"
#include "stack/base/check.h"

namespace pollux {

// What describes the octets. It lives in the same memory as they do (the private area of an mbuf,
// the head of a heap block), so that queues of text need no memory of their own.
//
//   data - head room        data           data + size        data + size + tail_room
//        |   (not ours)       |  the octets   |   may be appended   |
//
struct TextNode : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
  std::byte* data = nullptr;
  std::uint32_t size = 0;
  std::uint32_t tail_room = 0;  // octets that append() may still use; 0 for what is shared
  std::uint64_t position = 0;   // where in the stream it stands; the containers' key
  TextNode* next = nullptr;     // the following text of the same chain or queue
  std::uint32_t true_size = 0;  // what it costs in memory, for accounting
  bool is_shared = false;       // someone else (a packet in a transmit ring) reads data too
  void (*release)(TextNode*) = nullptr;
};

// Owns one node, or nothing. Moves; frees what it owns in its destructor.
class Text {
 public:
  Text() = default;
  explicit Text(TextNode* node) : node_(node) {}
  Text(Text&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Text& operator=(Text&& other) noexcept {
    if (this != &other) {
      reset();
      node_ = std::exchange(other.node_, nullptr);
    }
    return *this;
  }
  ~Text() { reset(); }

  bool empty() const { return !node_ || node_->size == 0; }
  std::uint32_t size() const { return node_ ? node_->size : 0; }
  ConstBytes bytes() const { return node_ ? ConstBytes(node_->data, node_->size) : ConstBytes(); }
  // The texts that follow in the same arrival (a packet of several buffers). Walk with next.
  const TextNode* node() const { return node_; }
  TextNode* node() { return node_; }
  TextNode* detach() { return std::exchange(node_, nullptr); }

  void remove_prefix(std::uint32_t n) {
    CHECK(n <= size());
    if (n == 0) return;
    node_->data += n;
    node_->size -= n;
  }
  void truncate(std::uint32_t n) {
    CHECK(n <= size());
    if (!node_ || n == node_->size) return;
    node_->size = n;
    node_->tail_room = 0;
  }
  // Copies as much of `from` as the tail room takes; returns how much.
  std::uint32_t append(ConstBytes from) {
    const std::uint32_t n =
        from.size() < node_->tail_room ? static_cast<std::uint32_t>(from.size()) : node_->tail_room;
    if (n != 0) std::memcpy(node_->data + node_->size, from.data(), n);
    node_->size += n;
    node_->tail_room -= n;
    return n;
  }
  void reset() {
    if (node_) node_->release(std::exchange(node_, nullptr));
  }

 private:
  TextNode* node_ = nullptr;
};

// Where writable text comes from: mbufs in a Stack, plain memory in a test of the protocol core.
class TextMemory {
 public:
  using Allocate = Text (*)(void* context);
  TextMemory(Allocate function, void* context) : allocate_(function), context_(context) {}
  Text allocate() const { return allocate_(context_); }  // empty when the memory is exhausted

 private:
  Allocate allocate_;
  void* context_;
};

}  // namespace pollux
