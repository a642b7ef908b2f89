// counters.h - what happened, as numbers: one list declares a field, its name and its meaning.
#pragma once

#include <cstdint>

namespace pollux {

// Written inside one Stack's entry; read from anywhere (a torn read costs a reader, not the stack).
#define POLLUX_COUNTERS(X)                                                       \
  X(rx_packets, "packets received from all devices")                             \
  X(rx_bytes, "octets received from all devices")                                \
  X(tx_packets, "packets given to all devices")                                  \
  X(tx_bytes, "octets given to all devices")                                     \
  X(tx_refused, "packets a device refused for the time being")                   \
  X(tx_dropped, "packets lost: no link, or the device took nothing for 100 ms")  \
  X(link_downs, "times a device was found without its link")                     \
  X(devices_lost, "devices that were taken away")                                \
  X(steered, "packets that came to the wrong queue, handed to another stack")    \
  X(rss_misses, "connects whose answer came to another stack's queue")           \
  X(loopback_packets, "packets turned around inside the stack")                  \
  X(polls, "times the devices were asked for packets")                           \
  X(softirq_polls, "those of them that the softirq thread made")                 \
  X(tcp_segments_in, "segments that reached TCP")                                \
  X(tcp_segments_out, "segments TCP sent")                                       \
  X(tcp_retransmitted, "segments sent again")                                    \
  X(tcp_resets_out, "RSTs sent")                                                 \
  X(tcp_active_opens, "connections asked for")                                   \
  X(tcp_passive_opens, "connections accepted from the wire")                     \
  X(tcp_listen_overflows, "handshakes dropped because an accept queue was full") \
  X(tcp_listen_drops, "SYNs and handshakes dropped by listeners for any reason") \
  X(tcp_syn_dropped, "SYNs dropped because too many handshakes were open")       \
  X(tcp_syncookies_sent, "SYNs answered with a cookie and forgotten")            \
  X(tcp_syncookies_received, "ACKs that brought a cookie back")                  \
  X(tcp_syncookies_failed, "ACKs that brought none while cookies were out")      \
  X(tcp_fast_open_active, "SYNs of ours whose text was acknowledged (RFC 7413)") \
  X(tcp_fast_open_active_failed, "SYNs of ours whose text had to be sent again") \
  X(tcp_fast_open_passive, "connections opened by a SYN's text or cookie")       \
  X(tcp_fast_open_passive_failed, "SYNs that brought a wrong cookie")            \
  X(tcp_fast_open_cookies_requested, "SYNs that asked for a cookie")             \
  X(tcp_fast_open_overflows, "SYNs that found too many such requests open")      \
  X(tcp_timeouts, "retransmission timeouts")                                     \
  X(tcp_marked_in, "segments that a router had marked (RFC 3168)")               \
  X(tcp_ecn_reductions, "windows halved because the peer echoed a mark")         \
  X(tcp_mtu_probes, "segments that tried how much the path takes (RFC 4821)")    \
  X(tcp_black_holes, "times long segments were lost and nobody said why")        \
  X(tcp_challenge_acks, "challenge ACKs sent (RFC 5961)")                        \
  X(tcp_no_memory, "segments or connections refused for want of memory")         \
  X(udp_datagrams_in, "datagrams delivered to sockets")                          \
  X(udp_datagrams_out, "datagrams sent")                                         \
  X(udp_queue_full, "datagrams dropped because a socket's queue was full")       \
  X(icmp_in, "ICMP messages received")                                           \
  X(icmp_out, "ICMP messages sent")                                              \
  X(arp_conflicts, "another host claimed one of our addresses")

struct Counters {
#define POLLUX_COUNTER_FIELD(name, meaning) std::uint64_t name = 0;
  POLLUX_COUNTERS(POLLUX_COUNTER_FIELD)
#undef POLLUX_COUNTER_FIELD
};

}  // namespace pollux
