// stack.h - Stack: one queue, one world; entered, never shared (D1).
#pragma once

#include "stack/base/clock.h"
#include "stack/base/entry.h"
#include "stack/socket/socket.h"

namespace pollux {

// SKETCH of what stack/api uses.
class Stack {
 public:
  Entry& entry();
  World& world();
  Clock& clock();
  // The end of a call that may have queued output: flushes by the rules of design.md 5.
  void finish_call(Instant now);
};

}  // namespace pollux
