// ip_info.h - what the IP layer tells the layers above of a packet, and what they tell it.
#pragma once

#include <cstdint>

#include "stack/base/ip_address.h"

namespace pollux {

using InterfaceId = std::uint8_t;  // index in the Stack; 0 is the loopback interface
inline constexpr InterfaceId kLoopbackInterface = 0;
inline constexpr InterfaceId kNoInterface = 0xff;
inline constexpr std::uint8_t kDefaultTtl = 64;

// Of a packet that was accepted; the packet starts behind the IP header then.
struct IpInfo {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;  // DSCP and ECN
  std::uint8_t ttl = 0;
  InterfaceId interface = kNoInterface;
  bool is_broadcast = false;       // to a broadcast or multicast address, or in such a frame
  std::uint8_t header_length = 0;  // octets that were pulled; they still stand in front of data()
};

// Of a packet to send.
struct IpSend {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;
  std::uint8_t ttl = kDefaultTtl;
  bool dont_fragment = true;
};

}  // namespace pollux
