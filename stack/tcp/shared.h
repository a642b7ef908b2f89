// shared.h - what all connections of one world share: configuration, memory, who wants to send.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "stack/base/counters.h"
#include "stack/base/instant.h"
#include "stack/base/rng.h"
#include "stack/base/slab_pool.h"
#include "stack/base/text.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/mtu_probe.h"
#include "stack/tcp/reassembly.h"
#include "stack/tcp/sack.h"

namespace pollux::tcp {

// Defaults of the world; the key of each in the configuration is [tcp] with the same name.
struct TcpConfig {
  Duration min_rto = Duration::ms(200);  // RFC 6298 2.4 says 1 s; as Linux (deviation)
  Duration max_rto = Duration::seconds(120);
  Duration initial_rto = Duration::seconds(1);  // RFC 6298 2.1
  Duration time_wait = Duration::seconds(60);   // 2 MSL
  Duration fin_wait_2 = Duration::seconds(60);  // orphans only, as tcp_fin_timeout
  Duration delayed_ack_min = Duration::ms(40);
  Duration delayed_ack_max = Duration::ms(200);  // RFC 9293 3.8.6.3: below 500 ms (MUST-40)
  std::uint32_t syn_retries = 7;                 // R2 for SYN: at least 3 minutes (MUST-23)
  std::uint32_t synack_retries = 5;
  std::uint32_t syncookies = 1;  // 0: never; 1: when there is no room; 2: always
  std::uint32_t retries1 = 3;    // R1 (SHLD-10)
  std::uint32_t retries2 = 15;   // R2: 924 s with the defaults (SHLD-11)
  std::uint32_t orphan_retries = 8;
  std::uint32_t keepalive_time_s = 7200;  // MUST-28
  std::uint32_t keepalive_interval_s = 75;
  std::uint32_t keepalive_probes = 9;
  std::uint32_t send_buffer = 87380;        // octets; SO_SNDBUF's default and
  std::uint32_t send_buffer_max = 4 << 20;  // what auto-tuning may reach
  std::uint32_t receive_buffer = 131072;    // octets; SO_RCVBUF's default
  std::uint32_t receive_buffer_max = 6 << 20;
  std::uint32_t ecn = 2;                     // Linux: tcp_ecn: 0 off, 1 asks and answers, 2 answers
  std::uint32_t fastopen = kFastOpenClient;  // FastOpenBit's
  std::uint32_t mtu_probing = 1;  // Linux: tcp_mtu_probing: 0 off, 1 after a black hole, 2 always
  bool timestamps = true;
  bool window_scaling = true;
  bool sack = true;
};

// What a program may set, by setsockopt; inherited by accepted connections. 0 of a time or count:
// the configuration's default.
struct UserOptions {
  std::uint32_t send_buffer =
      0;  // octets (already doubled, as Linux stores SO_SNDBUF); 0: automatic
  std::uint32_t receive_buffer = 0;
  std::uint32_t receive_low_water = 1;
  std::uint16_t keepalive_idle_s = 0;  // MUST-27; at most 32,767, as Linux
  std::uint16_t keepalive_interval_s = 0;
  std::int16_t linger2_s = 0;     // FIN-WAIT-2 of orphans; negative: none at all
  std::uint16_t max_segment = 0;  // TCP_MAXSEG
  std::uint32_t user_timeout_ms = 0;
  std::uint32_t notsent_low_water = 0xffffffff;
  std::uint32_t window_clamp = 0;
  std::uint8_t keepalive_count = 0;
  std::uint8_t syn_count = 0;
  std::uint8_t tos = 0;  // MUST-48, SHLD-21
  std::uint8_t ttl = 0;  // MUST-49
  bool no_delay = false;
  bool cork = false;
  bool quick_ack = true;
  std::uint8_t mtu_discover : 3 = 1;  // IP_MTU_DISCOVER: IP_PMTUDISC_WANT
  bool keepalive : 1 = false;         // MUST-25
  bool oob_inline : 1 = false;
  bool receive_error : 1 = false;  // IP_RECVERR (SHLD-20)
  // shutdown came before connect or listen: a FIN follows SYN-RECEIVED (Linux:
  // tcp_rcv_state_process()), though none follows SYN-SENT.
  bool is_send_shut : 1 = false;

  // DF is set and ICMP's "too big" believed: DONT, INTERFACE and OMIT do neither.
  bool discovers_path_mtu() const { return mtu_discover >= 1 && mtu_discover <= 3; }
};

struct SendFlags {
  bool oob = false;   // MSG_OOB: the last octet is urgent
  bool more = false;  // MSG_MORE: hold back a partial segment
};
struct ReceiveFlags {
  bool peek = false;
  bool oob = false;
  bool trunc = false;  // MSG_TRUNC: take without copying
};

// How often a writer that found no memory looks again.
inline constexpr Duration kMemoryInterval = Duration::ms(10);

// A time in 32 bits: differences are right up to 49 days.
inline std::uint32_t milliseconds(Instant t) {
  return static_cast<std::uint32_t>(t.to_ns() / 1'000'000);
}

class Connection;

// Who has something to send. A connection links itself; Tcp takes it out and pulls its segments.
struct PendingTag;
using PendingHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<PendingTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
using PendingList = boost::intrusive::list<Connection, boost::intrusive::base_hook<PendingHook>,
                                           boost::intrusive::constant_time_size<false>>;

// Owned by Tcp (tcp.h); by the fixture in tests. Outlives every connection that refers to it.
struct Shared {
  // `connections`: how many may be in disorder at once, usually as many as there are connections;
  // the memory is reserved now and touched as it is used.
  Shared(const TcpConfig& c, TextMemory text, Counters& k, Rng& r, std::uint32_t connections);
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared();  // in shared.cc, where Connection is complete

  const TcpConfig& config;
  TextMemory text_memory;
  Counters& counters;
  Rng& rng;
  SlabPool<Scoreboard> scoreboards;   // of senders that were told of holes
  SlabPool<Reassembly> reassemblies;  // of receivers that have holes
  SlabPool<FastOpen> fast_opens;      // of handshakes that carry text or a cookie
  FastOpenCache fast_open_cache;
  SlabPool<MtuProbe> mtu_probes;  // of senders whose path takes less than was thought
  // PacketPool::Shortage, as Tcp::note_memory() has last seen it. Low: received text is copied,
  // windows stop growing (design.md 4). Scarce: a connection takes no more than what it needs to go
  // on, so that unread and unsent text cannot stop the others. Exhausted: no text is taken at all.
  bool memory_is_low = false;
  bool memory_is_scarce = false;
  bool memory_is_exhausted = false;
  std::uint8_t settled = 0;  // Tcp::settle() looks at the memory once in a while
  bool is_crowded = false;   // about the child whose timer runs: many handshakes wait beside it
  PendingList output_pending;
  std::uint32_t pended = 0;  // how often a connection has linked itself there
};

}  // namespace pollux::tcp
