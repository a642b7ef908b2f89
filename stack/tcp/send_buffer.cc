// send_buffer.cc - chunks in, chunks out, octets by reference in between.
#include "stack/tcp/send_buffer.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux::tcp {

std::uint32_t SendBuffer::append(ConstBytes from, const TextMemory& memory, std::uint32_t limit) {
  std::uint32_t taken = 0;
  while (taken < from.size()) {
    if (!tail_ || tail_->tail_room == 0) {
      if (true_size_ >= limit) break;
      Text chunk = memory.allocate();
      TextNode* node = chunk.detach();
      if (!node) break;
      DCHECK(node->tail_room != 0 && node->size == 0);
      node->next = nullptr;
      node->position = end();
      (tail_ ? tail_->next : head_) = node;
      tail_ = node;
      true_size_ += node->true_size;
    }
    Text chunk(tail_);
    const std::uint32_t n = chunk.append(from.subspan(taken));
    chunk.detach();
    taken += n;
    octets_ += n;
  }
  return taken;
}

void SendBuffer::acknowledge(std::uint64_t position) {
  CHECK(position >= begin_ && position <= end());
  octets_ -= static_cast<std::uint32_t>(position - begin_);
  begin_ = position;
  while (head_ && head_->position + head_->size <= position) {
    Text gone(head_);
    if (forward_ == head_) forward_ = nullptr;
    if (again_ == head_) again_ = nullptr;
    true_size_ -= head_->true_size;
    head_ = head_->next;
  }
  if (!head_) tail_ = nullptr;
}

TextNode* SendBuffer::find(std::uint64_t position) {
  TextNode*& hint =
      again_ && (!forward_ || position < forward_->position) && position >= again_->position
          ? again_
          : forward_;
  TextNode* node = hint && position >= hint->position ? hint : head_;
  const bool from_head = node == head_;
  while (node->position + node->size <= position) node = node->next;
  // What lies before the place of new text is a retransmission: it gets a mark of its own.
  if (from_head && forward_ && node->position < forward_->position) {
    again_ = node;
  } else {
    hint = node;
  }
  return node;
}

unsigned SendBuffer::pieces(std::uint64_t position, std::uint32_t length,
                            std::span<TextPiece> out) {
  if (length == 0) return 0;
  CHECK(position >= begin_ && position + length <= end());
  unsigned n = 0;
  TextNode* node = find(position);
  while (length != 0 && n < out.size()) {
    const auto offset = static_cast<std::uint32_t>(position - node->position);
    const std::uint32_t size = std::min(length, node->size - offset);
    out[n++] = {node, offset, size};
    position += size;
    length -= size;
    node = node->next;
  }
  return n;
}

void SendBuffer::clear() {
  while (head_) {
    Text gone(head_);
    head_ = head_->next;
  }
  tail_ = forward_ = again_ = nullptr;
  begin_ = end();
  octets_ = 0;
  true_size_ = 0;
}

}  // namespace pollux::tcp
