// tcp.h - Tcp: one world's TCP: octets and segments, demultiplexing, timers, output_pending.
// The only part of stack/tcp that knows Packet and the wire.
#pragma once

// SKETCH of the calls that stack/core and stack/socket use; complete it.

namespace pollux::tcp {

// struct Arrival { FourTuple tuple; Segment segment; };
//
// class Tcp {
//  public:
//   Tcp(const TcpConfig&, const TcpLimits& {connections, listeners, time_waits}, PacketPool&, Rng&, const Secret&, Counters&, Instant now);
//   --- arriving; `packet` starts at the TCP header (ip pulled)
//   Accepted<Arrival> decode(const IpInfo&, Packet);
//   Connection* find_connection(const FourTuple&);      // incl. half-open ones of listeners
//   TimeWait* find_time_wait(const FourTuple&);
//   Listener* find_listener(const Endpoint& local);      // exact address first, then wildcard
//   void segment_arrives_closed(const FourTuple&, const Segment&);   // RFC 9293 3.10.7.1: queues a RST
//   --- user
//   Result<Connection*> open_active(const FourTuple&, const UserOptions&, Instant now);
//   Result<Listener*> open_passive(const Endpoint& local, ..., unsigned backlog);
//   Result<std::uint16_t> ephemeral_port(local address, remote endpoint, ...)   // RFC 6056
//   Result<void> bind / unbind of local ports with SO_REUSEADDR / SO_REUSEPORT rules as Linux
//   void release(Connection&);   // the user has let go
//   --- leaving
//   Connection* next_pending();  // a connection linked to output_pending
//   Packet encode(const FourTuple&, const Segment&, Connection* for text, const TxContext& {caps, mtu});
//   bool pop_reply(Reply& out);  // RSTs and ACKs of no connection (closed, time-wait)
//   --- time
//   Instant next_timeout() const; void advance_timers(Instant now, visitor)
// };

}  // namespace pollux::tcp
