// send_buffer.h - SendBuffer: what the program wrote and the peer has not acknowledged.
#pragma once

#include <cstdint>
#include <span>

#include "stack/base/bytes.h"
#include "stack/base/text.h"

namespace pollux::tcp {

// A run of octets inside a text of the send buffer; valid until it is acknowledged.
struct TextPiece {
  TextNode* node = nullptr;
  std::uint32_t offset = 0;  // from node->data
  std::uint32_t size = 0;
};

// A member of Connection. A queue of chunks; positions count from the stream's first octet.
//
//   begin()                                  end()
//     |  chunk  |  chunk  |  ...  |  chunk  |
//       acked up to here is released, whole chunks at a time
//
class SendBuffer {
 public:
  SendBuffer() = default;
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;
  ~SendBuffer() { clear(); }

  // Copies octets in while true_size() < limit; returns how many went in. The last chunk's room is
  // used regardless of the limit.
  std::uint32_t append(ConstBytes from, const TextMemory& memory, std::uint32_t limit);
  void acknowledge(std::uint64_t position);  // releases what lies below
  // The octets at position .. position + length, by reference; returns how many pieces, at most
  // out.size(). Sequential calls are O(1).
  unsigned pieces(std::uint64_t position, std::uint32_t length, std::span<TextPiece> out);
  void clear();

  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_ + octets_; }
  std::uint32_t octets() const { return octets_; }
  std::uint32_t true_size() const { return true_size_; }
  bool empty() const { return octets_ == 0; }

 private:
  TextNode* find(std::uint64_t position);

  TextNode* head_ = nullptr;
  TextNode* tail_ = nullptr;
  TextNode* forward_ = nullptr;  // where new text was last read
  TextNode* again_ = nullptr;    // where a retransmission was last read
  std::uint64_t begin_ = 0;      // SND.UNA
  std::uint32_t octets_ = 0;
  std::uint32_t true_size_ = 0;
};

}  // namespace pollux::tcp
