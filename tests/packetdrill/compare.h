// compare.h - a packet that the stack sent against the one that a script expects.
#pragma once

#include <string>

#include "tests/packetdrill/packets.h"

namespace pollux::packetdrill {

// The wire's numbers in the script's.
TcpPacket to_script(TcpPacket seen, const Bases& bases);
// What differs, in words; "" if nothing does. `seen`: with the script's numbers.
std::string difference(const TcpPacket& expected, const TcpPacket& seen);
// Whether the text is the stream's at that place.
bool is_stream(const TcpPacket& seen, const Octets& text);

}  // namespace pollux::packetdrill
