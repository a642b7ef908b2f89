// events.h - what an event of a connection means to those who wait for it.
#pragma once

#include <cstdint>

namespace pollux::tcp {

// Raised by events and user calls, taken by the caller, who wakes whom it concerns.
enum class Event : std::uint8_t {
  readable = 1,      // text, urgent text, FIN or an error can be read: IN PRI RDNORM RDBAND
  writable = 2,      // space was short, that was noted, and there is some again: OUT WRNORM WRBAND
  state_change = 4,  // connected, reset, FIN either way, our FIN acknowledged: no key, wakes all
  error = 8,         // an error became pending: ERR
  path_mtu = 16,     // a router has said that the path takes less: others want to know
};

class EventSet {
 public:
  constexpr EventSet() = default;
  constexpr EventSet(Event e) : bits_(static_cast<std::uint8_t>(e)) {}  // NOLINT: implicit
  constexpr bool has(Event e) const { return (bits_ & static_cast<std::uint8_t>(e)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void add(EventSet other) { bits_ = static_cast<std::uint8_t>(bits_ | other.bits_); }
  friend constexpr EventSet operator|(EventSet a, EventSet b) {
    a.add(b);
    return a;
  }
  friend constexpr bool operator==(EventSet, EventSet) = default;

 private:
  std::uint8_t bits_ = 0;
};
constexpr EventSet operator|(Event a, Event b) { return EventSet(a) | EventSet(b); }

}  // namespace pollux::tcp
