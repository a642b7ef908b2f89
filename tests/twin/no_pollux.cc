// no_pollux.cc - stands in for calls_pollux.cc where the library is not linked.
#include "tests/twin/calls.h"

namespace pollux::twin {
const Calls* pollux_calls() { return nullptr; }
}  // namespace pollux::twin
