// state.h - the states of RFC 9293 3.3.2, as bits, so that a set of states reads as in the RFC.
#pragma once

#include <cstdint>

namespace pollux::tcp {

enum class State : std::uint16_t {
  CLOSED = 1 << 0,
  LISTEN = 1 << 1,
  SYN_SENT = 1 << 2,
  SYN_RECEIVED = 1 << 3,
  ESTABLISHED = 1 << 4,
  FIN_WAIT_1 = 1 << 5,
  FIN_WAIT_2 = 1 << 6,
  CLOSE_WAIT = 1 << 7,
  CLOSING = 1 << 8,
  LAST_ACK = 1 << 9,
  TIME_WAIT = 1 << 10,
};

class StateSet {
 public:
  constexpr StateSet(State s) : bits_(static_cast<std::uint16_t>(s)) {}  // NOLINT: implicit
  constexpr bool has(State s) const { return (bits_ & static_cast<std::uint16_t>(s)) != 0; }
  friend constexpr StateSet operator|(StateSet a, StateSet b) {
    return StateSet(static_cast<std::uint16_t>(a.bits_ | b.bits_));
  }

 private:
  constexpr explicit StateSet(std::uint16_t bits) : bits_(bits) {}
  std::uint16_t bits_;
};
constexpr StateSet operator|(State a, State b) { return StateSet(a) | StateSet(b); }

inline constexpr StateSet kSynchronizing = State::SYN_SENT | State::SYN_RECEIVED;

const char* to_string(State state);  // "ESTABLISHED"

}  // namespace pollux::tcp
