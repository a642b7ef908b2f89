// closed.h - the CLOSED state: what is answered when there is no connection and no listener.
// RFC 9293 3.10.7.1 and 3.5.2; RFC 5961 is about connections that exist.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/ip_address.h"
#include "stack/tcp/segment.h"

namespace pollux::tcp {

// A segment of no connection (RST of CLOSED and LISTEN, ACK of TIME-WAIT), waiting for egress.
struct Reply {
  FourTuple tuple;
  Segment segment;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;  // 0: the default
};

// The RST that answers `seg`; none if it is a RST itself.
std::optional<Segment> reset_for(const Segment& seg);

}  // namespace pollux::tcp
