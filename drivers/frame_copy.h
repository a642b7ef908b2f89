// frame_copy.h - FrameCopy: one packet as contiguous octets, as it stands on the wire.
#pragma once

#include <array>

#include "drivers/packet.h"

namespace pollux {

// Room for the longest packet that a chain of 16-bit IP can make, with its link header and a tag.
class FrameCopy {
 public:
  // The octets of `packet`, a VLAN tag that the device took off (or will insert) put back; valid
  // until the next call. A longer packet is cut.
  ConstBytes of(const Packet& packet);

 private:
  std::array<std::byte, 65'536 + 64> octets_;
};

}  // namespace pollux
