// headers.h - the headers as they stand on the wire; layouts only, no decisions.
// RFC 791 3.1, RFC 768, RFC 9293 3.1, RFC 792, RFC 826, IEEE 802.3 and 802.1Q.
#pragma once

#include <cstdint>

#include "stack/base/bytes.h"

namespace pollux::wire {

struct EthernetHeader {
  std::uint8_t destination[6];
  std::uint8_t source[6];
  be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

// Behind the type 0x8100: the tag, then the type of what follows.
struct VlanTag {
  be16 tci;  // priority (3), drop eligible (1), VLAN (12)
  be16 type;
};
static_assert(sizeof(VlanTag) == 4);
inline constexpr std::uint16_t kVlanMask = 0x0fff;

// For Ethernet and IPv4.
struct ArpPacket {
  be16 hardware_type;
  be16 protocol_type;
  std::uint8_t hardware_length;
  std::uint8_t protocol_length;
  be16 operation;
  std::uint8_t sender_mac[6];
  be32 sender_ip;
  std::uint8_t target_mac[6];
  be32 target_ip;
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);

struct Ipv4Header {
  std::uint8_t version_ihl;  // version in the high half, header length in 32-bit words in the low
  std::uint8_t tos;
  be16 total_length;
  be16 id;
  be16 fragment;  // flags in the high 3 bits, offset in units of 8 octets below
  std::uint8_t ttl;
  std::uint8_t protocol;
  be16 checksum;
  be32 source;
  be32 destination;

  constexpr unsigned version() const { return version_ihl >> 4; }
  constexpr std::uint16_t header_length() const {
    return static_cast<std::uint16_t>((version_ihl & 0x0f) * 4);
  }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);
inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4OffsetMask = 0x1fff;
inline constexpr std::uint16_t kIpv4MaxLength = 65535;  // of a whole packet

inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolTcp = 6, kProtocolUdp = 17;

struct UdpHeader {
  be16 source_port;
  be16 destination_port;
  be16 length;  // of header and data
  be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

struct TcpHeader {
  be16 source_port;
  be16 destination_port;
  be32 seq;
  be32 ack;
  std::uint8_t data_offset;  // in 32-bit words, in the high half; the low half is reserved
  std::uint8_t control;      // CWR ECE URG ACK PSH RST SYN FIN, as tcp::ControlBit
  be16 window;
  be16 checksum;
  be16 urgent_pointer;

  constexpr std::uint16_t header_length() const {
    return static_cast<std::uint16_t>((data_offset >> 4) * 4);
  }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);
inline constexpr std::size_t kTcpMaxOptions = 40;  // octets: a header of 15 words

struct IcmpHeader {
  std::uint8_t type;
  std::uint8_t code;
  be16 checksum;
  be16 id;        // echo; else the upper half of the rest of the header
  be16 sequence;  // echo; next-hop MTU of type 3 code 4
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

}  // namespace pollux::wire
