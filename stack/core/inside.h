// inside.h - Inside: a thread in a Stack for the length of one call; the clock read once.
#pragma once

#include "drivers/dpdk/eal.h"
#include "stack/core/stack.h"

namespace pollux {

// Enters, sets the lcore id, reads the clock; at the end flushes what the call queued, and leaves.
class Inside {
 public:
  explicit Inside(Stack& stack);
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside();
  Instant now() const { return now_; }

 private:
  Stack& stack_;
  Entered entered_;
  LcoreScope lcore_;
  Instant now_;
};

}  // namespace pollux
