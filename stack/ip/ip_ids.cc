// ip_ids.cc - a counter behind a permutation.
#include "stack/ip/ip_ids.h"

namespace pollux {

void IpIds::draw() {
  for (auto& table : round_) {
    for (std::uint8_t& octet : table) octet = static_cast<std::uint8_t>(rng_.next());
  }
  count_ = 0;
}

std::uint16_t IpIds::next() {
  if (count_ > 0xffff) draw();
  auto left = static_cast<std::uint8_t>(count_ >> 8), right = static_cast<std::uint8_t>(count_);
  ++count_;
  for (const auto& table : round_) {
    const auto mixed = static_cast<std::uint8_t>(left ^ table[right]);
    left = right;
    right = mixed;
  }
  return static_cast<std::uint16_t>(left << 8 | right);
}

}  // namespace pollux
