// receive_buffer.cc - packets or copies in, octets out.
#include "stack/tcp/receive_buffer.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux::tcp {

void ReceiveBuffer::link(Text text) {
  TextNode* node = text.detach();
  node->next = nullptr;
  (tail_ ? tail_->next : head_) = node;
  tail_ = node;
  octets_ += node->size;
  true_size_ += node->true_size;
}

// The first small text may stay in its packet: a chunk of its own would be no smaller.
void ReceiveBuffer::append(Text text, const TextMemory& memory, bool copy) {
  if (text.empty()) return;
  if (!copy && (text.size() >= kSmall || !head_)) return link(std::move(text));
  ConstBytes rest = text.bytes();
  if (tail_ && tail_->tail_room != 0) {
    Text tail(tail_);
    const std::uint32_t n = tail.append(rest);
    tail.detach();
    octets_ += n;
    rest = rest.subspan(n);
  }
  if (rest.empty()) return;
  text.remove_prefix(static_cast<std::uint32_t>(text.size() - rest.size()));
  Text chunk = memory.allocate();
  TextNode* node = chunk.node();
  // Without memory, or when the text is larger than a chunk, its packet has to do.
  if (!node || node->tail_room < text.size()) return link(std::move(text));
  chunk.append(text.bytes());
  link(std::move(chunk));
}

std::uint32_t ReceiveBuffer::peek(std::uint32_t offset, Bytes out) const {
  std::uint32_t copied = 0;
  for (const TextNode* node = head_; node && copied < out.size(); node = node->next) {
    if (offset >= node->size) {
      offset -= node->size;
      continue;
    }
    const std::size_t n = std::min<std::size_t>(node->size - offset, out.size() - copied);
    std::memcpy(out.data() + copied, node->data + offset, n);
    copied += static_cast<std::uint32_t>(n);
    offset = 0;
  }
  return copied;
}

void ReceiveBuffer::drop_head() {
  Text gone(head_);
  true_size_ -= head_->true_size;
  head_ = head_->next;
  if (!head_) tail_ = nullptr;
}

void ReceiveBuffer::consume(std::uint32_t octets) {
  CHECK(octets <= octets_);
  octets_ -= octets;
  begin_ += octets;
  while (octets != 0) {
    if (octets < head_->size) {
      head_->data += octets;
      head_->size -= octets;
      return;
    }
    octets -= head_->size;
    drop_head();
  }
}

std::uint32_t ReceiveBuffer::take(Bytes out) {
  const std::uint32_t n = peek(0, out);
  consume(n);
  return n;
}

std::byte ReceiveBuffer::at(std::uint32_t offset) const {
  std::byte octet{};
  CHECK(peek(offset, Bytes(&octet, 1)) == 1);
  return octet;
}

void ReceiveBuffer::clear() {
  while (head_) drop_head();
  begin_ += octets_;
  octets_ = 0;
}

}  // namespace pollux::tcp
