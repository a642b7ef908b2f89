// ip_options.h - IPv4 options, walked safely. RFC 791 3.1, RFC 1122 3.2.1.8.
#pragma once

#include <cstdint>

#include "stack/base/bytes.h"

namespace pollux::wire {

enum class IpOptions : std::uint8_t {
  harmless,      // none, or such as a host may ignore (MUST-50)
  source_route,  // LSRR or SSRR
  malformed,     // an option's length runs out of the header or is shorter than it may be
};
// `octets`: between the fixed header and the payload, at most 40.
IpOptions check_ip_options(ConstBytes octets);

}  // namespace pollux::wire
