// closed.cc - the RST of a segment that belongs to no connection.
#include "stack/tcp/closed.h"

namespace pollux::tcp {

// RFC 9293 3.10.7.1: as if the connection had never been, so nothing of us shows in it.
std::optional<Segment> reset_for(const Segment& seg) {
  if (seg.ctl.has(RST)) return std::nullopt;
  Segment reset;
  if (seg.ctl.has(ACK)) {
    reset.seq = seg.ack;
    reset.ctl = RST;
  } else {
    reset.seq = SeqNum(0);
    reset.ack = seg.seq + seg.len();
    reset.ctl = RST | ACK;
  }
  return reset;
}

}  // namespace pollux::tcp
