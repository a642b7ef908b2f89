// sockopt_socket.cc - the rows of SOL_SOCKET. socket(7); Linux: sk_setsockopt(), sk_getsockopt().
//
// Left out, so ENOPROTOOPT: SO_TIMESTAMP*, SO_ZEROCOPY, SO_RXQ_OVFL, SO_COOKIE, SO_MAX_PACING_RATE,
// filters, SO_TXTIME. SO_MARK and SO_BINDTODEVICE answer what Linux answers when it refuses them.
#include <netinet/in.h>

#include <algorithm>
#include <bit>

#include "stack/base/instant.h"
#include "stack/socket/sockopt.h"
#include "stack/tcp/connection.h"

namespace pollux {
namespace {

constexpr int kBufferMax = 212992;  // net.core.wmem_max, rmem_max
constexpr std::uint32_t kSendBufferMin = 4608;
constexpr std::uint32_t kReceiveBufferMin = 2304;
constexpr int kPriorityMax = 6;  // without CAP_NET_ADMIN

// --- who is it
Result<int> get_type(Socket& s) { return s.socket_type().type; }
Result<int> get_protocol(Socket& s) { return s.socket_type().protocol; }
Result<int> get_domain(Socket& s) { return s.socket_type().family; }
Result<int> get_accept_conn(Socket& s) { return s.is_listening() ? 1 : 0; }
Result<int> get_error(Socket& s) { return static_cast<int>(s.take_error()); }
Result<int> get_one(Socket&) { return 1; }
Result<int> get_minus_one(Socket&) { return -1; }

Result<void> set_debug(Socket&, int value, Instant) {
  if (value != 0) return Errno::access;
  return {};
}
// A filter that is not there; and what Linux too does nothing for.
Result<void> set_no_entry(Socket&, int, Instant) { return Errno::no_entry; }
Result<void> set_nothing(Socket&, int, Instant) { return {}; }
Result<void> set_not_permitted(Socket&, int, Instant) { return Errno::not_permitted; }
Result<void> set_not_supported(Socket&, int, Instant) { return Errno::not_supported; }

template <SocketFlag kFlag>
Result<void> set_sharing(Socket& s, int value, Instant) {
  s.options().set(kFlag, value != 0);
  s.sharing_changed();
  return {};
}

// --- buffers: Linux doubles what it is given, for its own overhead, and says so.
Result<int> get_send_buffer(Socket& s) { return static_cast<int>(s.send_buffer()); }
Result<int> get_receive_buffer(Socket& s) { return static_cast<int>(s.receive_buffer()); }

// Negative numbers count as huge ones.
std::uint32_t doubled(int value, std::uint32_t limit) {
  return 2 * std::min(static_cast<std::uint32_t>(value), limit);
}
Result<void> set_send_buffer(Socket& s, int value, Instant now) {
  s.set_send_buffer(std::max(doubled(value, kBufferMax), kSendBufferMin), now);
  return {};
}
Result<void> set_receive_buffer(Socket& s, int value, Instant now) {
  s.set_receive_buffer(std::max(doubled(value, kBufferMax), kReceiveBufferMin), now);
  return {};
}
Result<void> force_send_buffer(Socket& s, int value, Instant now) {
  if (!is_privileged()) return Errno::not_permitted;
  s.set_send_buffer(std::max(doubled(std::max(value, 0), INT_MAX / 2), kSendBufferMin), now);
  return {};
}
Result<void> force_receive_buffer(Socket& s, int value, Instant now) {
  if (!is_privileged()) return Errno::not_permitted;
  s.set_receive_buffer(std::max(doubled(std::max(value, 0), INT_MAX / 2), kReceiveBufferMin), now);
  return {};
}

// --- marks and flags that TCP keeps in its own options
Result<int> get_receive_low_water(Socket& s) { return static_cast<int>(s.receive_low_water()); }
// 16.40: 0 is 1, negative the most.
Result<void> set_receive_low_water(Socket& s, int value, Instant now) {
  s.set_receive_low_water(static_cast<std::uint32_t>(value < 0 ? INT_MAX : std::max(value, 1)),
                          now);
  return {};
}

Result<int> get_keepalive(Socket& s) { return s.options().has(SocketFlag::keepalive) ? 1 : 0; }
Result<void> set_keepalive(Socket& s, int value, Instant now) {
  s.options().set(SocketFlag::keepalive, value != 0);
  if (tcp::UserOptions* tcp = s.user_options()) tcp->keepalive = value != 0;
  s.options_changed(now);
  return {};
}
Result<void> set_oob_inline(Socket& s, int value, Instant now) {
  s.options().set(SocketFlag::oob_inline, value != 0);
  if (tcp::UserOptions* tcp = s.user_options()) tcp->oob_inline = value != 0;
  s.options_changed(now);
  return {};
}

Result<int> get_priority(Socket& s) { return s.options().priority; }
Result<void> set_priority(Socket& s, int value, Instant) {
  if ((value < 0 || value > kPriorityMax) && !is_privileged()) return Errno::not_permitted;
  s.options().priority = value;
  return {};
}

// --- busy polling (epoll-behaviours 13.1 to 13.5)
Result<int> get_busy_poll(Socket& s) { return static_cast<int>(s.options().busy_poll_usecs); }
Result<void> set_busy_poll(Socket& s, int value, Instant) {
  s.options().busy_poll_usecs = static_cast<std::uint32_t>(value);
  return {};
}
Result<void> set_prefer_busy_poll(Socket& s, int value, Instant) {
  if (value != 0 && !is_privileged()) return Errno::not_permitted;
  s.options().set(SocketFlag::prefer_busy_poll, value != 0);
  return {};
}
Result<void> set_busy_poll_budget(Socket& s, int value, Instant) {
  if (value > s.options().busy_poll_budget && !is_privileged()) return Errno::not_permitted;
  if (value < 0 || value > 0xffff) return Errno::invalid;
  s.options().busy_poll_budget = static_cast<std::uint16_t>(value);
  return {};
}
// Ids count from 1.
Result<int> get_napi_id(Socket& s) { return s.has_napi_id() ? std::countr_zero(s.napis()) + 1 : 0; }

// --- structures
Result<socklen_t> get_linger(Socket& s, Option::Room room, Instant) {
  const ::linger value{s.options().has(SocketFlag::linger) ? 1 : 0, s.options().linger_s};
  return copy_object(value, room);
}
Result<void> set_linger(Socket& s, Option::Value value) {
  ASSIGN_OR_RETURN(const ::linger wanted, read_object<::linger>(value));
  s.options().set(SocketFlag::linger, wanted.l_onoff != 0);
  if (wanted.l_onoff == 0) return {};
  // As a count of unsigned seconds that a wait can last.
  s.options().linger_s = wanted.l_linger < 0 ? INT_MAX : wanted.l_linger;
  return {};
}

constexpr std::int64_t kSecondNs = 1'000'000'000;
using Timeout = Duration SocketOptions::*;

// The timeout of a zero timeval is none; a negative one, which is over at once, the shortest.
template <Timeout kWhich>
Result<void> set_timeout(Socket& s, Option::Value value) {
  ASSIGN_OR_RETURN(const ::timeval wanted, read_object<::timeval>(value));
  if (wanted.tv_usec < 0 || wanted.tv_usec >= 1'000'000) return static_cast<Errno>(EDOM);
  Duration& timeout = s.options().*kWhich;
  if (wanted.tv_sec < 0) {
    timeout = Duration::ns(1);
  } else if (wanted.tv_sec >= INT64_MAX / kSecondNs - 1) {
    timeout = Duration();
  } else {
    timeout = Duration::seconds(wanted.tv_sec) + Duration::us(wanted.tv_usec);
  }
  return {};
}
template <Timeout kWhich>
Result<socklen_t> get_timeout(Socket& s, Option::Room room, Instant) {
  const std::int64_t us = (s.options().*kWhich).to_us();
  return copy_object(::timeval{us / 1'000'000, us % 1'000'000}, room);
}

Result<void> set_bind_to_device(Socket&, Option::Value value) {
  const bool is_empty = value.empty() || value.front() == std::byte{0};
  if (!is_empty) return Errno::no_device;
  return {};
}
Result<socklen_t> get_bind_to_device(Socket&, Option::Room, Instant) { return socklen_t{0}; }

template <Timeout kWhich>
constexpr Option timeout_option(int name) {
  return wide_option(SOL_SOCKET, name, get_timeout<kWhich>, set_timeout<kWhich>);
}

constexpr int kOldReceiveTimeout = 20, kOldSendTimeout = 21;  // SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD
constexpr int kNewReceiveTimeout = 66,
              kNewSendTimeout = 67;  // their _NEW forms: the same on 64 bits

constexpr Option kSocketOptions[] = {
    {SOL_SOCKET, SO_DEBUG, get_zero, set_debug},
    {SOL_SOCKET, SO_REUSEADDR, get_flag<SocketFlag::reuse_address>,
     set_sharing<SocketFlag::reuse_address>},
    {SOL_SOCKET, SO_REUSEPORT, get_flag<SocketFlag::reuse_port>,
     set_sharing<SocketFlag::reuse_port>},
    {SOL_SOCKET, SO_TYPE, get_type},
    {SOL_SOCKET, SO_PROTOCOL, get_protocol},
    {SOL_SOCKET, SO_DOMAIN, get_domain},
    {SOL_SOCKET, SO_ERROR, get_error},
    {SOL_SOCKET, SO_ACCEPTCONN, get_accept_conn},
    {SOL_SOCKET, SO_DONTROUTE, get_flag<SocketFlag::dont_route>, set_flag<SocketFlag::dont_route>},
    {SOL_SOCKET, SO_BROADCAST, get_flag<SocketFlag::broadcast>, set_flag<SocketFlag::broadcast>},
    {SOL_SOCKET, SO_SNDBUF, get_send_buffer, set_send_buffer},
    {SOL_SOCKET, SO_RCVBUF, get_receive_buffer, set_receive_buffer},
    {SOL_SOCKET, SO_SNDBUFFORCE, nullptr, force_send_buffer},
    {SOL_SOCKET, SO_RCVBUFFORCE, nullptr, force_receive_buffer},
    {SOL_SOCKET, SO_RCVLOWAT, get_receive_low_water, set_receive_low_water},
    {SOL_SOCKET, SO_SNDLOWAT, get_one},
    {SOL_SOCKET, SO_KEEPALIVE, get_keepalive, set_keepalive},
    {SOL_SOCKET, SO_OOBINLINE, get_flag<SocketFlag::oob_inline>, set_oob_inline},
    {SOL_SOCKET, SO_NO_CHECK, get_flag<SocketFlag::no_check>, set_flag<SocketFlag::no_check>},
    {SOL_SOCKET, SO_PRIORITY, get_priority, set_priority},
    {SOL_SOCKET, SO_MARK, get_zero, set_not_permitted},
    {SOL_SOCKET, SO_INCOMING_CPU, get_minus_one},
    {SOL_SOCKET, SO_INCOMING_NAPI_ID, get_napi_id},
    {SOL_SOCKET, SO_BUSY_POLL, get_busy_poll, set_busy_poll, 0},
    {SOL_SOCKET, SO_PREFER_BUSY_POLL, get_flag<SocketFlag::prefer_busy_poll>, set_prefer_busy_poll},
    {SOL_SOCKET, SO_BUSY_POLL_BUDGET, nullptr, set_busy_poll_budget},
    {SOL_SOCKET, SO_BSDCOMPAT, get_zero, set_nothing},
    {SOL_SOCKET, SO_DETACH_FILTER, nullptr, set_no_entry},
    {SOL_SOCKET, SO_PEEK_OFF, get_minus_one, set_not_supported},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE, get_flag<SocketFlag::select_error_queue>,
     set_flag<SocketFlag::select_error_queue>},
    wide_option(SOL_SOCKET, SO_LINGER, get_linger, set_linger),
    timeout_option<&SocketOptions::receive_timeout>(kOldReceiveTimeout),
    timeout_option<&SocketOptions::receive_timeout>(kNewReceiveTimeout),
    timeout_option<&SocketOptions::send_timeout>(kOldSendTimeout),
    timeout_option<&SocketOptions::send_timeout>(kNewSendTimeout),
    wide_option(SOL_SOCKET, SO_BINDTODEVICE, get_bind_to_device, set_bind_to_device),
};

}  // namespace

std::span<const Option> socket_level_options() { return kSocketOptions; }

}  // namespace pollux
