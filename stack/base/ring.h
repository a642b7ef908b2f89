// ring.h - a bounded first-in-first-out queue of fixed capacity.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "stack/base/check.h"

namespace pollux {

// T is default-constructible and movable. Memory is taken once, in the constructor.
template <typename T>
class Ring {
 public:
  explicit Ring(std::size_t capacity) : slots_(capacity) { CHECK(capacity > 0); }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == slots_.size(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return slots_.size(); }
  T& front() { return slots_[head_]; }
  // False, and `value` untouched, when the ring is full.
  bool push(T&& value) {
    if (full()) return false;
    slots_[(head_ + size_) % slots_.size()] = std::move(value);
    ++size_;
    return true;
  }
  T pop() {
    CHECK(!empty());
    T value = std::exchange(slots_[head_], T());
    head_ = (head_ + 1) % slots_.size();
    --size_;
    return value;
  }

 private:
  std::vector<T> slots_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace pollux
