// interface.cc - one burst to the device; what it refuses moves to the front.
#include "stack/core/interface.h"

namespace pollux {

void Interface::transmit() {
  if (count_ == 0) return;
  std::uint64_t bytes = 0;
  std::array<std::uint32_t, kBatch> sizes;
  for (std::size_t i = 0; i < count_; ++i) sizes[i] = batch_[i].size();
  const std::size_t taken = device_.tx_burst(std::span(batch_).first(count_));
  for (std::size_t i = 0; i < taken; ++i) bytes += sizes[i];
  for (std::size_t i = taken; i < count_; ++i) batch_[i - taken] = std::move(batch_[i]);
  count_ -= taken;
  sent_.packets += taken;
  sent_.bytes += bytes;
}

}  // namespace pollux
