// compare.cc - field by field; what a script leaves out is not compared, but for options and text.
#include "tests/packetdrill/compare.h"

#include <algorithm>

namespace pollux::packetdrill {
namespace {

bool matches(const TcpOption& expected, const TcpOption& seen) {
  TcpOption filled = expected;
  if (expected.kind == TcpOption::Kind::fast_open && !expected.value && seen.value != 0u) {
    filled.value = seen.value;
  }
  if (expected.kind == TcpOption::Kind::timestamps) {
    if (!filled.value) filled.value = seen.value;
    if (!filled.echo) filled.echo = seen.echo;
  }
  return filled == seen;
}

bool has_same_options(const TcpPacket& expected, const TcpPacket& seen) {
  return expected.has_any_options || std::equal(expected.options.begin(), expected.options.end(),
                                                seen.options.begin(), seen.options.end(), matches);
}

}  // namespace

TcpPacket to_script(TcpPacket seen, const Bases& bases) {
  seen.seq -= bases.seq;
  for (TcpOption& option : seen.options) {
    if (option.kind == TcpOption::Kind::timestamps) *option.value -= bases.timestamp;
    if (option.kind != TcpOption::Kind::fast_open || option.octets.empty()) continue;
    option.value = option.octets == bases.cookie ? 1 : 2;  // 2: another
    option.octets.clear();
  }
  return seen;
}

std::string difference(const TcpPacket& expected, const TcpPacket& seen) {
  if (expected.control != seen.control) return "control bits";
  if (expected.seq != seen.seq) return "sequence number";
  if (expected.length != seen.length) return "length";
  if (expected.ack != seen.ack) return "acknowledgment number";
  if (expected.window && expected.window != seen.window) return "window";
  const bool has_urgent = (expected.control & kUrg) != 0;
  if (has_urgent && expected.urgent != seen.urgent) return "urgent pointer";
  return has_same_options(expected, seen) ? "" : "options";
}

bool is_stream(const TcpPacket& seen, const Octets& text) {
  std::uint32_t offset = seen.seq - 1 + ((seen.control & kSyn) != 0);
  return std::all_of(text.begin(), text.end(),
                     [&](std::byte octet) { return octet == stream_octet(offset++); });
}

}  // namespace pollux::packetdrill
