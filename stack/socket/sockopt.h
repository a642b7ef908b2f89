// sockopt.h - Option: one row of the table of socket options; a part of the table for each level.
#pragma once

#include <climits>
#include <cstring>
#include <span>

#include "stack/socket/socket.h"

namespace pollux {

// An option is a number (get, set) or has a structure of its own (get_wide, set_wide). A null
// function: ENOPROTOOPT, as for a name that is in no row. A number below min or above max: EINVAL.
struct Option {
  using Value = std::span<const std::byte>;
  using Room = std::span<std::byte>;

  int level;
  int name;
  Result<int> (*get)(Socket&) = nullptr;
  Result<void> (*set)(Socket&, int, Instant) = nullptr;
  int min = INT_MIN;
  int max = INT_MAX;
  Result<socklen_t> (*get_wide)(Socket&, Room, Instant) = nullptr;
  Result<void> (*set_wide)(Socket&, Value) = nullptr;
};

constexpr Option wide_option(int level, int name, decltype(Option::get_wide) get,
                             decltype(Option::set_wide) set = nullptr) {
  return {.level = level, .name = name, .get_wide = get, .set_wide = set};
}

std::span<const Option> socket_level_options();  // SOL_SOCKET
std::span<const Option> tcp_level_options();     // IPPROTO_TCP
std::span<const Option> udp_level_options();     // IPPROTO_UDP
std::span<const Option> ip_level_options();      // IPPROTO_IP
std::span<const Option> ipv6_level_options();    // IPPROTO_IPV6

// What Linux asks CAP_NET_ADMIN for.
bool is_privileged();  // Linux: capable(CAP_NET_ADMIN)

// --- the functions that most rows use
inline Result<int> get_zero(Socket&) { return 0; }
template <SocketFlag kFlag>
Result<int> get_flag(Socket& socket) {
  return socket.options().has(kFlag) ? 1 : 0;
}
template <SocketFlag kFlag>
Result<void> set_flag(Socket& socket, int value, Instant) {
  socket.options().set(kFlag, value != 0);
  return {};
}

// Copies as much of `object` as there is room for; returns how much.
template <typename T>
socklen_t copy_object(const T& object, Option::Room room) {
  const std::size_t n = room.size() < sizeof object ? room.size() : sizeof object;
  if (n != 0) std::memcpy(room.data(), &object, n);
  return static_cast<socklen_t>(n);
}
template <typename T>
Result<T> read_object(Option::Value value) {
  T object;
  if (value.size() < sizeof object) return Errno::invalid;
  std::memcpy(&object, value.data(), sizeof object);
  return object;
}

}  // namespace pollux
