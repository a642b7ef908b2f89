// receive_buffer.h - ReceiveBuffer: text in order that the program has not read.
#pragma once

#include <cstdint>

#include "stack/base/bytes.h"
#include "stack/base/text.h"

namespace pollux::tcp {

// A member of Connection. A queue of texts, most of them still in the packets they arrived in.
class ReceiveBuffer {
 public:
  // Text below this is copied into chunks that others share, so that it does not pin packets.
  static constexpr std::uint32_t kSmall = 256;

  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;
  ~ReceiveBuffer() { clear(); }

  // `copy`: into chunks whatever its size (memory is low, or the buffer's true size is exceeded).
  void append(Text text, const TextMemory& memory, bool copy);
  // Copies octets that start `offset` behind the first unread one; does not take them.
  std::uint32_t peek(std::uint32_t offset, Bytes out) const;
  void consume(std::uint32_t octets);  // takes them; octets <= this->octets()
  // Copies and takes as much as `out` holds.
  std::uint32_t take(Bytes out);
  std::byte at(std::uint32_t offset) const;  // offset < octets()
  void clear();

  std::uint64_t begin() const { return begin_; }  // position of the first unread octet
  std::uint64_t end() const { return begin_ + octets_; }
  std::uint32_t octets() const { return octets_; }
  std::uint32_t true_size() const { return true_size_; }

 private:
  void link(Text text);
  void drop_head();

  TextNode* head_ = nullptr;
  TextNode* tail_ = nullptr;
  std::uint64_t begin_ = 0;
  std::uint32_t octets_ = 0;
  std::uint32_t true_size_ = 0;
};

}  // namespace pollux::tcp
