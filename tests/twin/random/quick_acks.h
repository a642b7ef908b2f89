// quick_acks.h - on the kernel's side nothing may wait for a delayed ACK.
#pragma once

namespace pollux::twin {

// In the network namespace of this process: a route of the loopback says that every segment is
// acknowledged at once (ip-route(8), quickack). False: it said why on standard error.
bool acknowledge_at_once();

}  // namespace pollux::twin
