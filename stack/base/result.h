// result.h - a value or the reason why there is none: Result<T> carries a Linux errno.
#pragma once

#include <cerrno>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>

#include "stack/base/check.h"

namespace pollux {

// errno(3) values, by the words of their messages. Any other value may be carried by a cast.
enum class Errno : int {
  access = EACCES,
  address_family_not_supported = EAFNOSUPPORT,
  address_in_use = EADDRINUSE,
  address_not_available = EADDRNOTAVAIL,
  again = EAGAIN,
  already = EALREADY,
  bad_descriptor = EBADF,
  busy = EBUSY,
  connection_aborted = ECONNABORTED,
  connection_refused = ECONNREFUSED,
  connection_reset = ECONNRESET,
  destination_required = EDESTADDRREQ,
  exists = EEXIST,
  fault = EFAULT,
  host_unreachable = EHOSTUNREACH,
  in_progress = EINPROGRESS,
  interrupted = EINTR,
  invalid = EINVAL,
  io = EIO,
  is_connected = EISCONN,
  loop = ELOOP,
  message_size = EMSGSIZE,
  network_down = ENETDOWN,
  network_unreachable = ENETUNREACH,
  no_buffer_space = ENOBUFS,
  no_device = ENODEV,
  no_entry = ENOENT,
  no_memory = ENOMEM,
  no_protocol_option = ENOPROTOOPT,
  no_space = ENOSPC,
  no_such_device_or_address = ENXIO,
  not_connected = ENOTCONN,
  not_permitted = EPERM,
  not_socket = ENOTSOCK,
  not_supported = EOPNOTSUPP,
  not_tty = ENOTTY,
  pipe = EPIPE,
  process_files = EMFILE,
  protocol = EPROTO,
  protocol_not_supported = EPROTONOSUPPORT,
  protocol_type = EPROTOTYPE,
  socket_type_not_supported = ESOCKTNOSUPPORT,
  system_files = ENFILE,
  illegal_seek = ESPIPE,
  timed_out = ETIMEDOUT,
};

// A T or an E. [[nodiscard]]: an error that nobody looks at is a bug.
template <typename T, typename E>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Expected(E error) : state_(std::in_place_index<1>, error) {}             // NOLINT: implicit
  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }
  T& operator*() { return value(); }
  const T& operator*() const { return *std::get_if<0>(&state_); }
  T* operator->() { return &value(); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  E error() const {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  // A value to fill where it stands, for what every packet passes: what was just written field by
  // field and is then copied with wide loads waits for its stores, 4 ns a time.
  T& emplace() { return state_.template emplace<0>(); }

 private:
  T& value() {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, E> state_;
};

// What fits a register travels in two, as the value and the failure, each as wide as its register:
// a std::variant is put together in memory and read back wider than it was written, which costs 4
// ns at every return.
template <typename T, typename E>
requires(std::is_trivially_copyable_v<T>&& std::is_default_constructible_v<T> &&
         sizeof(T) <= sizeof(std::uint64_t) &&
         std::is_enum_v<E>) class [[nodiscard]] Expected<T, E> {
 public:
  Expected(T value) : value_(value) {}  // NOLINT: implicit
  Expected(E error) : failure_(1 + std::uint64_t{static_cast<unsigned>(error)}) {}  // NOLINT
  explicit operator bool() const { return failure_ == 0; }
  bool ok() const { return failure_ == 0; }
  T& operator*() {
    CHECK(ok());
    return value_;
  }
  const T& operator*() const { return value_; }
  T* operator->() {
    CHECK(ok());
    return &value_;
  }
  const T* operator->() const { return &value_; }
  E error() const {
    CHECK(!ok());
    return static_cast<E>(failure_ - 1);
  }

 private:
  T value_{};
  std::uint64_t failure_ = 0;  // 0: none; else 1 + the error
};

template <typename E>
class [[nodiscard]] Expected<void, E> {
 public:
  Expected() = default;
  Expected(E error) : error_(error), ok_(false) {}  // NOLINT: implicit
  explicit operator bool() const { return ok_; }
  bool ok() const { return ok_; }
  E error() const {
    CHECK(!ok_);
    return error_;
  }

 private:
  E error_{};
  bool ok_ = true;
};

template <typename T>
using Result = Expected<T, Errno>;

}  // namespace pollux

// Leaves the function with the error of `expression`, a Result, if it has one.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (auto result_ = (expression); !result_.ok()) return result_.error(); \
  } while (false)
#define POLLUX_CONCAT_(a, b) a##b
#define POLLUX_CONCAT(a, b) POLLUX_CONCAT_(a, b)
#define POLLUX_ASSIGN_(temporary, declaration, expression) \
  auto temporary = (expression);                           \
  if (!temporary.ok()) return temporary.error();           \
  declaration = std::move(*temporary)
// `declaration` = the value of `expression`, a Result; leaves the function with its error.
#define ASSIGN_OR_RETURN(declaration, expression) \
  POLLUX_ASSIGN_(POLLUX_CONCAT(result_at_, __LINE__), declaration, expression)
