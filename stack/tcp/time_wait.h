// time_wait.h - TimeWait: what is left of a connection for 2 MSL after both sides said all.
// RFC 9293 3.10.7.4 and 3.10.8; RFC 6191 2; RFC 1337 3.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/slab_pool.h"
#include "stack/tcp/segment.h"

namespace pollux::tcp {

struct PortUse;

// What a Connection leaves behind.
struct TimeWaitState {
  SeqNum snd_nxt;             // behind our FIN
  SeqNum rcv_nxt;             // behind the peer's FIN
  std::uint16_t rcv_wnd = 0;  // as the header carries it
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;  // 0: the default
  bool has_timestamps = false;
  std::uint32_t ts_recent = 0;  // TS.Recent
  std::uint32_t ts_offset = 0;  // our TSval is milliseconds + ts_offset
};

// Lives in TimeWaits' pool from the hand-over until it expires, is recycled or reused. It stands in
// the demultiplexer all that time.
struct TimeWait : boost::intrusive::list_base_hook<> {
  TimeWait* hash_next = nullptr;  // in the demultiplexer
  PortUse* port = nullptr;
  Instant expires;
  Instant next_ack_at;  // no ACK before it, unless for a FIN
  FourTuple tuple;
  TimeWaitState state;
};
static_assert(sizeof(TimeWait) <= 128);

// What to do with a segment that came for a TimeWait.
enum class TimeWaitVerdict : std::uint8_t {
  ignore,       // RST (RFC 1337), or an ACK too soon after the last one
  acknowledge,  // anything else unacceptable
  restart,      // the peer's FIN again: acknowledge, and 2 MSL from now
  reopen,       // a SYN that cannot be an old one (RFC 6191, MAY-2, SHLD-4)
};
TimeWaitVerdict segment_arrives(const TimeWait& time_wait, const Segment& seg, Instant now);

// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
Segment acknowledgement(const TimeWait& time_wait, Instant now);

// An initial sequence number for the next connection of the tuple: no segment of the old one can
// pass for one of the new one.
SeqNum sequence_number_after(const TimeWait& time_wait);

// All of one world, oldest first. Every one waits equally long, so a list is the timer wheel.
class TimeWaits {
 public:
  explicit TimeWaits(std::uint32_t capacity) : pool_(capacity) {}
  ~TimeWaits();

  // Null when the pool is exhausted; recycle oldest() then.
  TimeWait* create(const FourTuple& tuple, const TimeWaitState& state, Instant expires);
  void restart(TimeWait& time_wait, Instant expires);
  void destroy(TimeWait& time_wait);
  TimeWait* oldest() { return list_.empty() ? nullptr : &list_.front(); }
  Instant next_timeout() const { return list_.empty() ? Instant::never() : list_.front().expires; }
  std::uint32_t size() const { return pool_.used(); }

 private:
  SlabPool<TimeWait> pool_;
  boost::intrusive::list<TimeWait, boost::intrusive::constant_time_size<false>> list_;
};

}  // namespace pollux::tcp
