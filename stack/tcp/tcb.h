// tcb.h - the transmission control block's variables, as RFC 9293 3.3.1 names them: data, no
// methods.
#pragma once

#include <cstdint>

#include "stack/tcp/seq_num.h"

namespace pollux::tcp {

//            una             nxt            max           una + wnd
//   ----------|---------------|--------------|----------------|----------
//    acked    |  sent again   | to be sent   |  never sent,   |  may not
//             |  or waiting   | again: after |  may be sent   |  be sent
//             |  for its ACK  | a timeout    |                |
//
// Outside a retransmission nxt == max. una <= nxt <= max always.
struct SendSequence {
  SeqNum una;                 // oldest octet not acknowledged
  SeqNum nxt;                 // next octet to send
  SeqNum max;                 // highest nxt ever
  std::uint32_t wnd = 0;      // peer's window, scaled: 32 bits, unsigned (MUST-1, REC-1)
  std::uint32_t max_wnd = 0;  // the largest ever seen: RFC 9293 3.8.6.2.1, RFC 5961 5.2
  SeqNum wl1;                 // SEG.SEQ of the last window update; WL2 is never beyond una
  SeqNum up;                  // the octet after the urgent one; urgent if una < up
};

//          acked             nxt                        nxt + wnd
//   ---------|----------------|-----------------------------|----------
//    ACK was |  received, ACK |  may arrive; what is out of |  not
//    sent    |  owed          |  order waits in Reassembly  |  acceptable
//
// nxt + wnd never decreases (RFC 9293 3.8.6, SHLD-14).
struct ReceiveSequence {
  SeqNum nxt;             // next octet expected
  std::uint32_t wnd = 0;  // what is left of the window we have offered
  SeqNum acked;           // RCV.NXT of the last ACK sent: Last.ACK.sent of RFC 7323 4.3
  SeqNum up;              // the urgent octet itself; meaningful unless urgent is none
};

// Octets of text.
struct TextRange {
  SeqNum seq;
  std::uint32_t length;
};

// What has become of the urgent octet (RFC 6093; Linux: TCP_URG_*).
enum class Urgent : std::uint8_t {
  none,
  expected,  // announced, not here yet
  valid,     // here and not read
  read,      // taken with MSG_OOB; still a hole in the ordinary stream
};

// RFC 5681's phases.
enum class Phase : std::uint8_t {
  open,      // no loss known
  recovery,  // fast recovery, until RecoveryPoint is acknowledged
  loss,      // after a timeout, until everything then outstanding is acknowledged
};

}  // namespace pollux::tcp
