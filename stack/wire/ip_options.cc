// ip_options.cc - finds source routes and lengths that lie; everything else a host may ignore.
#include "stack/wire/ip_options.h"

namespace pollux::wire {
namespace {

constexpr std::uint8_t kEndOfList = 0, kNoOperation = 1, kLooseSourceRoute = 131,
                       kStrictSourceRoute = 137;

}  // namespace

IpOptions check_ip_options(ConstBytes octets) {
  IpOptions found = IpOptions::harmless;
  while (!octets.empty()) {
    const auto kind = static_cast<std::uint8_t>(octets[0]);
    if (kind == kEndOfList) break;
    if (kind == kNoOperation) {
      octets = octets.subspan(1);
      continue;
    }
    if (octets.size() < 2) return IpOptions::malformed;
    const auto length = static_cast<std::uint8_t>(octets[1]);
    if (length < 2 || length > octets.size()) return IpOptions::malformed;
    if (kind == kLooseSourceRoute || kind == kStrictSourceRoute) found = IpOptions::source_route;
    octets = octets.subspan(length);
  }
  return found;
}

}  // namespace pollux::wire
