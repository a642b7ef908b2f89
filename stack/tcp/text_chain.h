// text_chain.h - TextChain: owns all the texts of one arrival, linked by TextNode::next.
#pragma once

#include <cstdint>
#include <utility>

#include "stack/base/text.h"

namespace pollux::tcp {

// A Text frees its own node only; a segment of several buffers is freed whole.
class TextChain {
 public:
  TextChain() = default;
  TextChain(Text head) : head_(head.detach()) {}  // NOLINT: implicit; takes what follows head, too
  TextChain(TextChain&& other) noexcept : head_(other.detach()) {}
  TextChain& operator=(TextChain&& other) noexcept {
    if (this != &other) {
      clear();
      head_ = other.detach();
    }
    return *this;
  }
  ~TextChain() { clear(); }

  bool empty() const { return head_ == nullptr; }
  const TextNode* node() const { return head_; }
  TextNode* node() { return head_; }
  TextNode* detach() { return std::exchange(head_, nullptr); }
  Text pop_front() {
    TextNode* node = head_;
    if (node) head_ = std::exchange(node->next, nullptr);
    return Text(node);
  }
  void clear() {
    while (head_) pop_front();
  }
  std::byte at(std::uint32_t offset) const {  // there are more than `offset` octets
    const TextNode* node = head_;
    for (; offset >= node->size; node = node->next) offset -= node->size;
    return node->data[offset];
  }
  // Drops the first `n` octets; there are at least as many.
  void remove_prefix(std::uint32_t n) {
    while (n != 0) {
      CHECK(head_ != nullptr);
      if (n < head_->size) {
        head_->data += n;
        head_->size -= n;
        return;
      }
      n -= head_->size;
      pop_front();
    }
  }
  // Keeps the first `n` octets.
  void truncate(std::uint32_t n) {
    TextNode** link = &head_;
    while (*link && (*link)->size <= n) {
      n -= (*link)->size;
      link = &(*link)->next;
    }
    TextChain rest{Text(std::exchange(*link, nullptr))};
    if (n == 0 || rest.empty()) return;
    Text last = rest.pop_front();
    last.truncate(n);
    *link = last.detach();
  }

 private:
  TextNode* head_ = nullptr;
};

}  // namespace pollux::tcp
