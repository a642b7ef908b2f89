// datagram_queue.h - DatagramQueue: received datagrams in arrival order, each with where it came
// from.
#pragma once

#include <cstdint>

#include "drivers/packet.h"
#include "stack/base/ip_address.h"
#include "stack/base/text.h"
#include "stack/ip/ip_info.h"

namespace pollux {

// Stands in the head room of the datagram's own first buffer, so that a queue needs no memory:
//
//   buffer | ... free ... | DatagramNote | data | tail room      TextNode::next -> more buffers
//
struct DatagramNote {
  TextNode* next = nullptr;  // the following datagram's first text
  std::uint32_t length = 0;  // octets of data
  Endpoint from;
  IpAddress to;
  InterfaceId interface = kNoInterface;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;
};

// Owns its datagrams. Member of a UdpSocket.
class DatagramQueue {
 public:
  struct Front {
    DatagramNote note;
    const TextNode* text;  // the note's octets come first in it
  };
  DatagramQueue() = default;
  DatagramQueue(const DatagramQueue&) = delete;
  DatagramQueue& operator=(const DatagramQueue&) = delete;
  ~DatagramQueue() { clear(); }

  // False: no head room for the note; the packet is dropped.
  bool push(Packet packet, DatagramNote note);
  bool empty() const { return head_ == nullptr; }
  Front front() const;
  void pop();
  void clear();
  std::uint32_t true_size() const { return true_size_; }

 private:
  TextNode* head_ = nullptr;
  TextNode* tail_ = nullptr;
  std::uint32_t true_size_ = 0;  // what the datagrams cost in memory
};

}  // namespace pollux
