// tcp.h - Tcp: one world's TCP: octets and segments, demultiplexing, timers, output_pending.
// RFC 9293 3.10. The only part of stack/tcp that knows Packet and the wire.
#pragma once

#include <cstdint>
#include <optional>

#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/base/ring.h"
#include "stack/base/slab_pool.h"
#include "stack/base/timer_wheel.h"
#include "stack/tcp/closed.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/demux.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/ports.h"
#include "stack/tcp/shared.h"
#include "stack/tcp/time_wait.h"
#include "stack/wire/drop.h"

namespace pollux::tcp {

// Every pool of one world, sized at start (D7).
struct TcpLimits {
  std::uint32_t connections = 65536;
  std::uint32_t listeners = 1024;
  std::uint32_t time_waits = 32768;
  std::uint32_t half_open = 16384;   // handshakes of all listeners; more get cookies
  std::uint32_t replies = 256;       // RSTs and ACKs of no connection, between two flushes
  std::uint32_t max_backlog = 4096;  // net.core.somaxconn
};

// What the IP layer says of an arriving packet.
struct Carrier {
  IpAddress source;
  IpAddress destination;
  std::uint8_t tos = 0;
  bool is_broadcast = false;  // in a broadcast or multicast packet or frame
};

struct Arrival {
  Arrival() {}  // its own, so that nothing is cleared twice
  FourTuple tuple;
  Segment segment;
};

// What the device does for a packet that leaves; loopback: checksum_by_device, and mark it valid.
struct TxContext {
  bool checksum_by_device = false;
  bool segmentation_by_device = false;
};
// `offload` has all but link_length and ipv4_checksum; empty packet: no memory, counted.
struct Encoded {
  Packet packet;  // starts at the TCP header, with head room for IP and link
  TxOffload offload;
};

// A connect(2). tuple.local.port 0: choose one. `port`: what bind gave, or null.
struct ActiveOpen {
  FourTuple tuple;
  PortUse* port = nullptr;
  PortSharing sharing;
  UserOptions options;
  std::uint16_t mtu = 1500;  // of the path, octets of an IP packet
};

// The transport part of the packet that an ICMP error quotes, seen from here. RFC 5927 4.1.
struct QuotedSegment {
  FourTuple tuple;
  SeqNum seq;
};

// With several queues: whether answers to this tuple come to this world's queue.
struct Steering {
  bool (*is_ours)(const void* context, const FourTuple& tuple) = nullptr;
  const void* context = nullptr;
};

// Owned by the Stack. Every Connection, Listener and TimeWait of the Stack lives here; a Connection
// is destroyed in one place (Tcp::settle) when neither the protocol nor a user holds it any longer.
//
// After anything happened to a Connection (a segment, a timeout, an ICMP error, a user call, its
// last next_segment), first take its events and wake its user, then call settle: it may be gone
// afterwards.
class Tcp {
 public:
  struct Parts {
    PacketPool& pool;
    Ports& ports;  // the process's
    Rng& rng;
    Counters& counters;
    unsigned index = 0;  // of the Stack
  };
  Tcp(const TcpConfig& config, const TcpLimits& limits, const Parts& parts, const Secret& secret,
      Instant now);
  ~Tcp();

  // --- arriving. `packet` starts at the TCP header.
  Accepted<Arrival> decode(const Carrier& carrier, Packet packet);
  Connection* find_connection(const FourTuple& tuple) const { return demux_.find(tuple); }
  TimeWait* find_time_wait(const FourTuple& tuple) const { return demux_.find_time_wait(tuple); }
  Listener* find_listener(const FourTuple& tuple) const { return demux_.find_listener(tuple); }

  // Before Connection::segment_arrives. False: dropped and counted: a half-open child whose
  // listener cannot take it yet.
  bool may_receive(const Connection& connection, const Segment& seg, Instant now) {
    return !connection.links.listener || may_complete(connection, seg, now);
  }
  // The listener that takes the segment as the SYN of a new connection; null: all is done.
  Listener* segment_arrives_time_wait(TimeWait& time_wait, const Segment& seg, Instant now);
  // A SYN makes a half-open child, or is answered with a cookie. `mtu`: of the path back to the
  // peer. Returns what the segment was also an event of, if not null: the connection of an ACK that
  // brought a cookie back, or of a SYN with text (RFC 7413).
  Connection* segment_arrives_listen(Listener& listener, const FourTuple& tuple, Segment seg,
                                     std::uint16_t mtu, Instant now);
  // With several queues: whether the listener here is to have this segment of no connection.
  bool brings_cookie(const FourTuple& tuple, const Segment& seg, Instant now) const;
  void segment_arrives_closed(const FourTuple& tuple, const Segment& seg);
  // MUST-54. `transport`: at least 8 octets behind the quoted IP header, whose source and
  // destination are given.
  static std::optional<QuotedSegment> quoted_segment(const IpAddress& source,
                                                     const IpAddress& destination,
                                                     ConstBytes transport);

  // --- user calls
  // EADDRNOTAVAIL: the tuple is in use, or no ephemeral port is free. ENOBUFS: too many
  // connections.
  Result<Connection*> open_active(const ActiveOpen& open, Instant now);
  // `port` from Ports::bind, still the caller's (MUST-41). EADDRINUSE; ENOBUFS.
  Result<Listener*> open_passive(const Endpoint& local, PortUse& port, const UserOptions& options,
                                 std::uint32_t backlog);
  void set_backlog(Listener& listener, std::uint32_t backlog);
  // EAGAIN. The caller is the connection's user from then on.
  Result<Connection*> accept(Listener& listener);
  // Half-open children vanish, connections that nobody accepted are reset. `listener` is gone.
  void close(Listener& listener, Instant now);
  // The user has let go (after close, or abort); settles. The connection may be gone.
  void release(Connection& connection, Instant now);
  // Before the end: every connection owes its peer a RST; the next flush sends them.
  void abort_all(Instant now);
  // visit(Connection&) may settle the one it is given, no other.
  template <typename Visit>
  void for_each_connection(Visit&& visit) {
    demux_.for_each(visit);
  }
  template <typename Visit>
  void for_each_listener(Visit&& visit) {
    demux_.for_each_listener(visit);
  }
  // A connection that its program has closed still has something to deliver. O(buckets).
  bool is_delivering();

  // --- bookkeeping: arms the timer, hands TIME-WAIT to its block, leaves the demultiplexer at
  // CLOSED, frees. Returns the listener that has one more connection to accept, or null.
  Listener* settle(Connection& connection, Instant now);

  // --- leaving. next_pending takes a connection out of output_pending: pull next_segment until it
  // is empty, encode each, then settle.
  Connection* next_pending();
  // The device takes no more: the connection has segments left and comes again, as the last one.
  void link_pending(Connection& connection);
  std::uint32_t pending() const {  // counts them
    return static_cast<std::uint32_t>(shared_.output_pending.size());
  }
  std::uint32_t pended() const { return shared_.pended; }
  bool has_output() const { return !shared_.output_pending.empty() || !replies_.empty(); }
  Encoded encode(Connection& connection, const Segment& seg, const TxContext& context);
  std::optional<Reply> next_reply();
  Encoded encode(const Reply& reply, const TxContext& context);

  // --- time
  Instant next_timeout() const;
  // Calls visit(Connection&) after the timeout of each that was due; visit takes the events and
  // settles. At most 1,024 at a time; the rest stay due.
  template <typename Visit>
  void advance_timers(Instant now, Visit&& visit) {
    expire_time_waits(now);
    wheel_.advance(now, kMaxExpired, [&](Timer& timer) {
      if (Connection* connection = timer_fired(timer, now)) visit(*connection);
    });
  }

  // --- the rest of the world
  void set_steering(const Steering& steering) { steering_ = steering; }
  void note_memory();  // once per burst: whether received text is to be copied out of its packets
  Ports& ports() { return ports_; }
  WorldSet world() const { return world_; }
  const TcpConfig& config() const { return config_; }
  std::uint32_t max_backlog() const { return limits_.max_backlog; }
  FastOpenKeys fast_open_keys(const FastOpenOptions& options) const;
  std::uint32_t connections() const { return connections_.used(); }
  std::uint32_t time_waits() const { return time_waits_.size(); }

 private:
  static constexpr unsigned kMaxExpired = 1024;  // of either kind, in one advance_timers

  Encoded encode_segment(const FourTuple& tuple, const Segment& seg, Connection* connection,
                         const TxContext& context);
  bool may_complete(const Connection& connection, const Segment& seg, Instant now);
  Result<PortUse*> take_port(const ActiveOpen& open, FourTuple& tuple, Instant now);
  bool is_tuple_free(const FourTuple& tuple, Instant now) const;
  Connection* create_connection(PortUse* port, const UserOptions& options);
  bool is_overflowing(const Listener& listener);
  bool may_add_child(const Listener& listener, bool is_reopening);
  Connection* create_child(const Listener& listener, const FourTuple& tuple);
  void add_child(Listener& listener, Connection& child, Instant now);
  // listener_syn_cookies.cc
  bool wants_cookie(const Listener& listener, const FourTuple& tuple) const;
  void answer_with_cookie(Listener& listener, const FourTuple& tuple, Segment syn,
                          std::uint16_t mtu, Instant now);
  std::optional<Segment> syn_of_cookie(const FourTuple& tuple, const Segment& ack,
                                       Instant now) const;
  Connection* ack_arrives_listen(Listener& listener, const FourTuple& tuple, Segment seg,
                                 std::uint16_t mtu, Instant now);
  // listener_fast_open.cc
  bool open_fast(Listener& listener, Connection& child, Segment syn, Instant now);
  bool take_cookie(const Listener& listener, Connection& child, const TcpOptions& told);
  void leave_fast_open(Connection& connection, Instant now);
  void enter_demux(Connection& connection);
  void leave_demux(Connection& connection);
  Listener* leave_half_open(Connection& connection);
  void drop_child(Listener& listener, TcpLinks& child, Instant now);
  void enter_time_wait(Connection& connection, Instant now);
  void remove_time_wait(TimeWait& time_wait);
  void queue_reply(Reply reply);
  void arm(Connection& connection);
  Connection* timer_fired(Timer& timer, Instant now);
  void expire_time_waits(Instant now);

  PacketPool& pool_;
  Ports& ports_;
  const WorldSet world_;
  TcpLimits limits_;
  Secret secret_;
  TcpConfig config_;
  Shared shared_;
  SlabPool<Connection> connections_;
  SlabPool<Listener> listeners_;
  TimeWaits time_waits_;
  Demux demux_;
  Ring<Reply> replies_;
  TimerWheel wheel_;
  Steering steering_;
  std::uint32_t half_open_ = 0;  // children in all listeners' lists of these
};

}  // namespace pollux::tcp
