// rules.h - what Linux does not define: kept out of the random programs, or compared by a rule.
#pragma once

// Kept out, because a timer or a size decides it:
//   blocking             every descriptor has O_NONBLOCK; waits last 0 or 1 ms
//   Nagle                every TCP socket has TCP_NODELAY: else it waits for a delayed ACK
//   MSG_MORE, TCP_CORK   what they hold back leaves after 200 ms, of TCP
//   MSG_MORE to another  than a UDP socket's peer: Linux sends what names no address there too from
//                        then on, which is its own mistake (udp_sendmsg() shares one flow)
//   full accept queues   a backlog holds all connects of a program: a SYN too many is sent again
//                        after a second
//   buffer sizes         SO_SNDBUF, SO_RCVBUF, SIOCOUTQ and messages larger than kMostOctets
//   lingering            SO_LINGER is set with 0 seconds
//   a listener's options what is set while connections wait: Linux has given them the old ones
//   SO_REUSEPORT         which of several sockets gets a packet is a matter of hashing
//   armed timers         a timerfd is disarmed, or expired before it is watched
// Brought to rest (Runner::settle), because it comes a moment later:
//   delayed ACKs         TCP_QUICKACK on every socket; the kernel forgets that at times (at a FIN),
//                        so its loopback has the route that acknowledges at once
//   packets in a queue   a datagram goes round behind them
// Compared by a rule:
//   descriptors          by the distance from the lowest that a program can get
//   ports                by the order in which a program first saw them; a program in which one
//                        that was chosen for it is by chance one that it knows runs once more
//   full buffers         `fill` and `drain` do not say how much. Beside them nobody asks FIONREAD,
//                        sends one octet more, or shuts anything down: a reader that is shut sends
//                        no window updates, so that a timer of its peer's must ask for them
//   two ends of one call shutdown and connect(AF_UNSPEC) are events of the local socket and of its
//                        peer: which is first is a matter of the loopback
//   the kernel's files   an eventfd, timerfd or pipe in a set beside sockets: no order between the
//                        two is promised, and two numbers of one such file are not told apart in a
//                        set (epoll/README.md), so those are kept out
//   either of these two  is in programs with free_order only: there every wait takes all events
//                        and they are compared sorted
// Counted apart, because it is chance: what does not happen again in new processes. An old
// connection in TIME-WAIT may hold a port that a program names.
namespace pollux::twin {

inline constexpr int kMostOctets = 300;  // of a message
inline constexpr int kBacklog = 64;      // more than a program's calls
inline constexpr int kAllEvents = 64;    // maxevents that takes all
inline constexpr int kClosedPort = 9;    // below those that are chosen for anyone
inline constexpr int kMostNumbers = 40;  // below 64, where a table of descriptors grows

}  // namespace pollux::twin
