// packets.h - a script's packets as octets on the wire, and what the stack sent as a script has it.
#pragma once

#include <string>

#include "stack/base/bytes.h"
#include "stack/base/ip_address.h"
#include "tests/packetdrill/script.h"

namespace pollux::packetdrill {

using Octets = std::vector<std::byte>;

// What turns the script's numbers into the wire's: those of our SYN and of our first timestamp, and
// the cookie that the stack has given.
struct Bases {
  std::uint32_t seq = 0;
  std::uint32_t timestamp = 0;
  std::vector<std::uint8_t> cookie;
};

// The octet at `offset` of a stream, in both directions.
constexpr std::byte stream_octet(std::uint32_t offset) {
  return static_cast<std::byte>(offset * 7 + (offset >> 8));
}

// From the peer to the stack. `peer_syn`: the peer's own sequence number, which its text counts
// from.
Octets build_packet(const PacketEvent& event, const FourTuple& ends, const Bases& bases,
                    std::uint32_t peer_syn);

// What the stack has sent, taken apart; sequence numbers and timestamps are the wire's.
struct SeenPacket {
  FourTuple ends;
  std::uint8_t tos = 0, ttl = 0;
  std::variant<TcpPacket, UdpPacket, IcmpPacket> content;
  Octets text;
};
// Throws Failure when the packet is none: a checksum, a length, an option's shape.
SeenPacket take_apart(ConstBytes packet);

// As a script would have it.
std::string describe(const TcpPacket& packet);
std::string describe(const SeenPacket& packet);

}  // namespace pollux::packetdrill
