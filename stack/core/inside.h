// inside.h - Inside: a thread in a Stack for the length of one call; the clock read once.
#pragma once

#include "drivers/dpdk/eal.h"
#include "stack/core/stack.h"

namespace pollux {

// Enters, sets the lcore id, reads the clock; at the end flushes what the call queued, and leaves.
class Inside {
 public:
  explicit Inside(Stack& stack)
      : stack_(stack), entered_(stack.entry()), lcore_(stack.lcore()), now_(stack.clock().now()) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { stack_.finish_call(now_); }
  Instant now() const { return now_; }

 private:
  Stack& stack_;
  Entered entered_;
  LcoreScope lcore_;
  const Instant now_;
};

}  // namespace pollux
