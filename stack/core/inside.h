// inside.h - Inside: a thread in a Stack for the length of one call; the clock read once.
#pragma once

#include "stack/core/stack.h"

namespace pollux {

class Inside {
 public:
  explicit Inside(Stack& stack) : stack_(stack), now_(stack.enter()) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { stack_.leave(now_); }
  Instant now() const { return now_; }

 private:
  Stack& stack_;
  const Instant now_;
};

}  // namespace pollux
