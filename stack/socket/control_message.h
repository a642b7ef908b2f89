// control_message.h - cmsg(3) octets, written for recvmsg and read from sendmsg.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/ip_address.h"
#include "stack/socket/socket.h"

namespace pollux {

// Fills ReceiveMessage::control; finish() cuts it to what was written.
class ControlWriter {
 public:
  explicit ControlWriter(ReceiveMessage& message) : message_(message), room_(message.control) {}
  // Does not fit: MSG_CTRUNC, and nothing more is written. Linux: put_cmsg().
  template <typename T>
  void put(int level, int type, const T& value) {
    put_octets(level, type, ConstBytes(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }
  void finish() { message_.control = room_.first(used_); }

 private:
  void put_octets(int level, int type, ConstBytes value);

  ReceiveMessage& message_;
  std::span<std::byte> room_;
  std::size_t used_ = 0;
};

// What a sender's control messages ask for. Linux: ip_cmsg_send().
struct ControlRequest {
  std::optional<IpAddress> source;  // IP_PKTINFO, IPV6_PKTINFO
  std::optional<std::uint8_t> tos;
  std::optional<std::uint8_t> ttl;
};
// EINVAL: malformed, or not known. Levels that are not the socket's are passed over.
Result<ControlRequest> parse_control(ConstBytes control);

}  // namespace pollux
