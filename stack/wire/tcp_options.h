// tcp_options.h - the one place that walks TCP options. RFC 9293 3.2, RFC 7323, RFC 2018,
// RFC 7413 4.1.1.
#pragma once

#include <span>

#include "stack/base/bytes.h"
#include "stack/tcp/segment.h"
#include "stack/wire/headers.h"

namespace pollux::wire {

// MUST-4, MUST-5. `octets`: what stands between the fixed header and the text, at most 40. An
// illegal length ends the walk; what was found before it counts (MUST-7; Linux:
// tcp_parse_options()). MSS, window scale, SACK-permitted and Fast Open count in a SYN only
// (MUST-65, 7413-4.1), SACK in others only. A shift beyond 14 is 14 (RFC 7323 2.3). `out` as
// constructed.
void parse_tcp_options(ConstBytes octets, bool is_syn, tcp::TcpOptions& out);

// Octets build_tcp_options() will write, a multiple of 4, at most 40.
std::size_t tcp_options_size(const tcp::TcpOptions& options);
// Writes in Linux's order: MSS, SACK-permitted and timestamps, window scale, SACK, Fast Open;
// padded with NOP before, never behind an End (MUST-68, MUST-69). As many SACK blocks as fit.
// Returns the size. `out`: at least that.
std::size_t build_tcp_options(const tcp::TcpOptions& options, Bytes out);

}  // namespace pollux::wire
