// poll_events.h - PollEvents: the EPOLL* bits as a type.
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>

namespace pollux {

class PollEvents {
 public:
  constexpr PollEvents() = default;
  constexpr explicit PollEvents(std::uint32_t bits) : bits_(bits) {}
  constexpr std::uint32_t bits() const { return bits_; }
  constexpr explicit operator bool() const { return bits_ != 0; }
  constexpr bool has(PollEvents any) const { return (bits_ & any.bits_) != 0; }
  friend constexpr PollEvents operator|(PollEvents a, PollEvents b) {
    return PollEvents(a.bits_ | b.bits_);
  }
  friend constexpr PollEvents operator&(PollEvents a, PollEvents b) {
    return PollEvents(a.bits_ & b.bits_);
  }
  friend constexpr PollEvents operator~(PollEvents a) { return PollEvents(~a.bits_); }
  constexpr PollEvents& operator|=(PollEvents b) {
    bits_ |= b.bits_;
    return *this;
  }
  friend constexpr bool operator==(PollEvents, PollEvents) = default;

 private:
  std::uint32_t bits_ = 0;
};

inline constexpr PollEvents kIn{EPOLLIN}, kPri{EPOLLPRI}, kOut{EPOLLOUT}, kErr{EPOLLERR},
    kHup{EPOLLHUP}, kNval{0x20}, kRdNorm{EPOLLRDNORM}, kRdBand{EPOLLRDBAND}, kWrNorm{EPOLLWRNORM},
    kWrBand{EPOLLWRBAND}, kRdHup{EPOLLRDHUP};
inline constexpr PollEvents kExclusive{EPOLLEXCLUSIVE}, kWakeup{EPOLLWAKEUP},
    kOneShot{EPOLLONESHOT}, kEdge{EPOLLET}, kUringWake{1u << 27};

// The keys of wake-ups (epoll-behaviours 17). A wake-up without a key concerns everybody.
inline constexpr PollEvents kReadableKey = kIn | kPri | kRdNorm | kRdBand;
inline constexpr PollEvents kWritableKey = kOut | kWrNorm | kWrBand;

static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
              EPOLLERR == POLLERR);
static_assert(EPOLLHUP == POLLHUP && EPOLLRDNORM == POLLRDNORM && EPOLLRDBAND == POLLRDBAND);
static_assert(EPOLLWRNORM == POLLWRNORM && EPOLLWRBAND == POLLWRBAND && EPOLLRDHUP == POLLRDHUP);

}  // namespace pollux
