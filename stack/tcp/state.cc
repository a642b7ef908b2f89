// state.cc - the names of the states.
#include "stack/tcp/state.h"

#include "stack/base/check.h"

namespace pollux::tcp {

const char* to_string(State state) {
  switch (state) {
    case State::CLOSED:
      return "CLOSED";
    case State::LISTEN:
      return "LISTEN";
    case State::SYN_SENT:
      return "SYN-SENT";
    case State::SYN_RECEIVED:
      return "SYN-RECEIVED";
    case State::ESTABLISHED:
      return "ESTABLISHED";
    case State::FIN_WAIT_1:
      return "FIN-WAIT-1";
    case State::FIN_WAIT_2:
      return "FIN-WAIT-2";
    case State::CLOSE_WAIT:
      return "CLOSE-WAIT";
    case State::CLOSING:
      return "CLOSING";
    case State::LAST_ACK:
      return "LAST-ACK";
    case State::TIME_WAIT:
      return "TIME-WAIT";
  }
  UNREACHABLE();
}

}  // namespace pollux::tcp
