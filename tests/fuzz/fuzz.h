// fuzz.h - what an entry point offers to libFuzzer and to our own driver, and how it reads its
// input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "stack/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pollux::fuzz {

using Octets = std::vector<std::uint8_t>;

// Good inputs of this entry point, made by code; mutation starts from them.
std::vector<Octets> seeds();

// Takes an input apart; what is missing at its end is 0.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}
  bool is_empty() const { return left_ == 0; }
  std::uint8_t octet() {
    if (left_ == 0) return 0;
    --left_;
    return *at_++;
  }
  std::uint16_t half() {
    const unsigned high = octet();
    return static_cast<std::uint16_t>(high << 8 | octet());
  }
  std::uint32_t word() {
    const std::uint32_t high = half();
    return high << 16 | half();
  }
  // At most `size` octets; a vector of just that size, so that ASan sees a step too far.
  Octets octets(std::size_t size) {
    size = std::min(size, left_);
    const Octets taken(at_, at_ + size);
    at_ += size;
    left_ -= size;
    return taken;
  }
  Octets rest() { return octets(left_); }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

inline ConstBytes bytes_of(const Octets& octets) { return std::as_bytes(std::span(octets)); }

}  // namespace pollux::fuzz
