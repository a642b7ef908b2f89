// socket_options.h - SocketOptions: what setsockopt stores in every socket; TCP's own are
// UserOptions.
#pragma once

#include <cstdint>

#include "stack/base/instant.h"

namespace pollux {

namespace tcp {
struct UserOptions;
}

// Options that are only on or off.
enum class SocketFlag : std::uint32_t {
  reuse_address = 1u << 0,
  reuse_port = 1u << 1,
  keepalive = 1u << 2,
  broadcast = 1u << 3,
  linger = 1u << 4,
  oob_inline = 1u << 5,
  no_check = 1u << 6,
  prefer_busy_poll = 1u << 7,
  select_error_queue = 1u << 8,
  receive_error = 1u << 9,  // IP_RECVERR
  packet_info = 1u << 10,   // IP_PKTINFO
  receive_tos = 1u << 11,
  receive_ttl = 1u << 12,
  free_bind = 1u << 13,
  bind_address_no_port = 1u << 14,
  multicast_loop = 1u << 15,
  multicast_all = 1u << 16,
  v6_only = 1u << 17,
  receive_error_6 = 1u << 18,  // IPV6_RECVERR
  packet_info_6 = 1u << 19,    // IPV6_RECVPKTINFO
  receive_tos_6 = 1u << 20,    // IPV6_RECVTCLASS
  receive_ttl_6 = 1u << 21,    // IPV6_RECVHOPLIMIT
  dont_route = 1u << 22,
  udp_cork = 1u << 23,
  fast_open_connect = 1u << 24,    // TCP_FASTOPEN_CONNECT
  fast_open_no_cookie = 1u << 25,  // TCP_FASTOPEN_NO_COOKIE
};

// Inherited by accepted sockets, all of it (Linux: sk_clone_lock()).
struct SocketOptions {
  Duration receive_timeout;  // zero: for ever
  Duration send_timeout;
  std::uint32_t flags = static_cast<std::uint32_t>(SocketFlag::multicast_loop) |
                        static_cast<std::uint32_t>(SocketFlag::multicast_all);
  std::int32_t linger_s = 0;
  std::int32_t priority = 0;
  std::uint32_t busy_poll_usecs = 0;
  std::uint16_t busy_poll_budget = 0;  // 0: kBusyPollBudget
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;  // 0: the default, 64
  std::uint8_t multicast_ttl = 1;
  std::uint8_t mtu_discover = 1;  // IP_PMTUDISC_WANT

  bool has(SocketFlag flag) const { return (flags & static_cast<std::uint32_t>(flag)) != 0; }
  void set(SocketFlag flag, bool on) {
    const auto bit = static_cast<std::uint32_t>(flag);
    flags = on ? flags | bit : flags & ~bit;
  }
};

}  // namespace pollux
