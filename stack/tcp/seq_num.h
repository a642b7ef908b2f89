// seq_num.h - sequence numbers: a circle of 2^32, compared as RFC 9293 3.4 says.
#pragma once

#include <cstdint>

namespace pollux::tcp {

// No operator<=>: the order is not transitive over the whole circle, so a SeqNum is never a key.
class SeqNum {
 public:
  constexpr SeqNum() = default;
  constexpr explicit SeqNum(std::uint32_t value) : value_(value) {}
  constexpr std::uint32_t value() const { return value_; }
  friend constexpr SeqNum operator+(SeqNum s, std::uint32_t n) { return SeqNum(s.value_ + n); }
  friend constexpr SeqNum operator-(SeqNum s, std::uint32_t n) { return SeqNum(s.value_ - n); }
  friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) {
    return static_cast<std::int32_t>(a.value_ - b.value_);
  }
  friend constexpr bool operator==(SeqNum, SeqNum) = default;
  friend constexpr bool operator<(SeqNum a, SeqNum b) { return a - b < 0; }
  friend constexpr bool operator<=(SeqNum a, SeqNum b) { return a - b <= 0; }
  friend constexpr bool operator>(SeqNum a, SeqNum b) { return b < a; }
  friend constexpr bool operator>=(SeqNum a, SeqNum b) { return b <= a; }
  SeqNum& operator+=(std::uint32_t n) {
    value_ += n;
    return *this;
  }

 private:
  std::uint32_t value_ = 0;
};
static_assert(SeqNum(0xffffffff) < SeqNum(0));

constexpr SeqNum later(SeqNum a, SeqNum b) { return a < b ? b : a; }

}  // namespace pollux::tcp
