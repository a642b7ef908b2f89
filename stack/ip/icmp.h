// icmp.h - ICMP for IPv4: echo, errors received and sent. RFC 792, RFC 1122 3.2.2, RFC 5927.
#pragma once

#include <cstdint>
#include <optional>

#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/ip/ip_info.h"
#include "stack/ip/routes.h"
#include "stack/wire/drop.h"

namespace pollux::icmp {

inline constexpr std::uint8_t kEchoReply = 0, kUnreachable = 3, kEchoRequest = 8,
                              kTimeExceeded = 11, kParameterProblem = 12;
inline constexpr std::uint8_t kNetUnreachable = 0, kHostUnreachable = 1, kProtocolUnreachable = 2,
                              kPortUnreachable = 3, kFragmentationNeeded = 4,
                              kSourceRouteFailed = 5;
inline constexpr std::uint8_t kReassemblyTimeExceeded = 1;

enum class Kind : std::uint8_t { echo_request, echo_reply, error };

// An error, about a packet that we sent according to its quote. `tuple` is the quoted packet's,
// seen from here: local is its source. Ports are 0 unless the protocol has them; for a quoted echo
// request local.port is its id.
struct Error {
  FourTuple tuple;
  std::uint8_t protocol = 0;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint8_t quoted_ttl = 0;
  std::uint16_t mtu = 0;            // fragmentation needed: as the router said, 0 from an old one
  std::uint16_t quoted_length = 0;  // the quoted packet's total length
  std::uint32_t seq = 0;            // quoted TCP: SEG.SEQ, for the check of RFC 5927 4.1
  IpAddress reporter;               // who sent the error
  Errno error = Errno::host_unreachable;  // what a socket gets (Linux: icmp_err_convert)
  bool is_hard = false;                   // protocol or port unreachable, as the protocols define
  bool is_too_big = false;                // fragmentation needed

  // What the router has room for; of one that does not say it, a guess (RFC 1191 7).
  std::uint16_t next_hop_mtu() const;
};

struct Arrived {
  Kind kind = Kind::error;
  std::uint16_t id = 0;        // echo
  std::uint16_t sequence = 0;  // echo
  Error error;
};

// `packet` starts at the ICMP header (it is not pulled: ping sockets read it whole). Checks length
// and checksum; of errors that the quote is of a packet that could be ours. Types that a host
// ignores (RFC 6918, redirects, source quench: MUST-55) and echoes to a broadcast address are
// drops.
Accepted<Arrived> decode(const IpInfo& info, Packet& packet, const Routes& routes);

// The error that a packet of ours would have brought back, when we know ourselves that it cannot
// arrive (the neighbour did not answer). `sent` starts at its IP header. Empty: nobody to tell.
std::optional<Error> error_about(const Packet& sent, Errno error);

// Turns the echo request into its reply, in place; send it from info.destination to info.source.
void make_echo_reply(Packet& request);
// Fills the checksum of the message a ping socket sends; its id becomes `id`. The packet starts at
// the ICMP header and is at least that long.
void finish_echo_request(Packet& request, std::uint16_t id);

struct ErrorToSend {
  std::uint8_t type = kUnreachable;
  std::uint8_t code = kPortUnreachable;
  std::uint16_t mtu = 0;
  std::uint16_t pulled = 0;  // octets behind the IP header that were pulled from the packet, too
};
// RFC 1122 3.2.2: never about an error, a broadcast, a fragment but the first, a source that is no
// single host. `original` starts behind the headers (info.header_length + what.pulled octets).
bool may_send_error(const IpInfo& info, const Packet& original, const ErrorToSend& what);
// The message, from its ICMP header on, quoting as much as 576 octets take (RFC 1812 4.3.2.3). Send
// it from info.destination to info.source with protocol 1. no_memory, or rate_limited never: see
// icmp_rate_limit.h.
Accepted<Packet> make_error(PacketPool& pool, const IpInfo& info, const Packet& original,
                            const ErrorToSend& what);

}  // namespace pollux::icmp
