// sockopt.cc - setsockopt and getsockopt: which row of the table, and Linux's rules of lengths.
// Linux: sk_setsockopt(), do_tcp_setsockopt(), do_ip_setsockopt() and their getters.
#include "stack/socket/sockopt.h"

#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace pollux {
namespace {

std::span<const Option> options_of(const Socket& socket, int level) {
  switch (level) {
    case SOL_SOCKET:
      return socket_level_options();
    case IPPROTO_TCP:
      return socket.is_stream() ? tcp_level_options() : std::span<const Option>();
    case IPPROTO_UDP:
      return socket.socket_type().protocol == IPPROTO_UDP ? udp_level_options()
                                                          : std::span<const Option>();
    case IPPROTO_IP:
      return ip_level_options();
    case IPPROTO_IPV6:
      return socket.socket_type().family == AF_INET6 ? ipv6_level_options()
                                                     : std::span<const Option>();
    default:
      return {};
  }
}

const Option* find_option(const Socket& socket, int level, int name) {
  const std::span<const Option> rows = options_of(socket, level);
  const auto row =
      std::find_if(rows.begin(), rows.end(), [name](const Option& o) { return o.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

// An int, except that options of IPPROTO_IP may be given as one octet and are 0 if left out.
Result<int> read_number(const Option& option, Option::Value value) {
  if (value.size() >= sizeof(int)) return read_object<int>(value);
  if (option.level != IPPROTO_IP) return Errno::invalid;
  if (!value.empty()) return std::to_integer<int>(value.front());
  switch (option.name) {
    case IP_FREEBIND:
    case IP_TRANSPARENT:
    case IP_MULTICAST_TTL:
    case IP_MULTICAST_LOOP:
    case IP_MULTICAST_ALL:
      return Errno::invalid;
    default:
      return 0;
  }
}

// Linux: do_ip_getsockopt() knows no level but its own, and says so in another way.
Errno unknown_to_get(const Socket& socket, int level) {
  const bool is_own =
      level == SOL_SOCKET || level == IPPROTO_IP || level == socket.socket_type().protocol;
  const bool is_v4 = socket.socket_type().family == AF_INET;
  return is_v4 && !is_own ? Errno::not_supported : Errno::no_protocol_option;
}

}  // namespace

bool is_privileged() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  return ::syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective >> CAP_NET_ADMIN & 1) != 0;
}

Result<void> Socket::set_option(int level, int name, std::span<const std::byte> value,
                                Instant now) {
  const Option* option = find_option(*this, level, name);
  if (option && option->set_wide) {
    RETURN_IF_ERROR(option->set_wide(*this, value));
    option_was_set();
    return {};
  }
  const bool is_length_first = level == SOL_SOCKET || (level == IPPROTO_TCP && is_stream());
  if (is_length_first && value.size() < sizeof(int)) return Errno::invalid;
  if (!option || !option->set) return Errno::no_protocol_option;
  ASSIGN_OR_RETURN(const int number, read_number(*option, value));
  if (number < option->min || number > option->max) return Errno::invalid;
  RETURN_IF_ERROR(option->set(*this, number, now));
  option_was_set();
  return {};
}

Result<socklen_t> Socket::get_option(int level, int name, std::span<std::byte> value, Instant now) {
  const Option* option = find_option(*this, level, name);
  if (!option) return unknown_to_get(*this, level);
  if (option->get_wide) return option->get_wide(*this, value, now);
  if (!option->get) return Errno::no_protocol_option;
  ASSIGN_OR_RETURN(const int number, option->get(*this));
  const bool is_short = !value.empty() && value.size() < sizeof number;
  if (level == IPPROTO_IP && is_short && number >= 0 && number <= 255) {
    return copy_object(static_cast<std::uint8_t>(number), value);
  }
  return copy_object(number, value);
}

}  // namespace pollux
