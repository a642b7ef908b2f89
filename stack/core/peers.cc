// peers.cc - delivering what was posted.
#include "stack/core/peers.h"

#include <bit>

#include "stack/core/stack.h"

namespace pollux {

void Peers::deliver(NapiSet to) const {
  while (to != 0) {
    Stack& receiver = *stacks_[static_cast<std::size_t>(std::countr_zero(to))];
    to &= to - 1;
    // Also with nothing in the inbox: another thread may have taken our letter out and be about to
    // act on it. A listener's port is free when close returns.
    to |= receiver.collect();
  }
}

}  // namespace pollux
