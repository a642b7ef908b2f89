// connection.h - Connection: RFC 9293's state machine without input or output.
// RFC 9293 3.10. Six calls in, two events in, three questions out. Read segment_arrives.cc next.
#pragma once

// SKETCH of the calls that tcp.cc, stack/socket and stack/core use; complete it.

namespace pollux::tcp {

// Raised by events and user calls, taken by the caller, who wakes whom it concerns.
//   readable      text, FIN or an error can be read: key IN PRI RDNORM RDBAND
//   writable      space was short, had been noted, and is there again: key OUT WRNORM WRBAND
//   state_change  connected, reset, FIN either way, our FIN acknowledged: no key, wakes all
//   error         an error became pending: key ERR
// enum Event : std::uint8_t

class Connection {
 public:
  // --- user calls, RFC 9293 3.10.1 to 3.10.6. None blocks, none transmits.
  // Connection(Shared&);
  // void open_active(const FourTuple&, SeqNum iss, Instant now);
  // void open_passive(const FourTuple&, SeqNum iss, const Segment& syn, Instant now);
  // Result<std::size_t> send(ConstBytes, SendFlags, Instant now);     // octets taken; EAGAIN, EPIPE, ...
  // Result<std::size_t> receive(Bytes, ReceiveFlags, Instant now);    // 0: end of stream; EAGAIN, ...
  // void shutdown_send(Instant now);      // FIN after what is queued
  // void shutdown_receive(Instant now);
  // void close(Instant now);              // the program lets go: orphan; unread data -> RST (SHLD-3)
  // void abort(Instant now);              // RST
  // State status() const;
  // --- events
  // void segment_arrives(Segment, Instant now);
  // void timeout(Instant now);
  // void icmp_error(Errno error, bool hard, SeqNum quoted_seq, Instant now);   // RFC 5927
  // void path_mtu(std::uint16_t mtu, SeqNum quoted_seq, Instant now);
  // --- what the caller must do next
  // std::optional<Segment> next_segment(Instant now);   // pull until empty
  // Instant next_timeout() const;                       // earliest of all timers, never() if none
  // EventSet take_events();
  // unsigned text(SeqNum seq, std::uint32_t length, std::span<TextPiece> out);  // by reference
};

}  // namespace pollux::tcp
