// interface.cc - one burst to the device; what it refuses moves to the front.
#include "stack/core/interface.h"

namespace pollux {

void Interface::transmit(Instant now) {
  if (count_ == 0 || refused_at_ == now) return;  // once per entry: it will not take them now
  std::array<std::uint32_t, kBatch> sizes;
  for (std::size_t i = 0; i < count_; ++i) sizes[i] = batch_[i].size();
  std::size_t gone = device_.tx_burst(std::span(batch_).first(count_));
  for (std::size_t i = 0; i < gone; ++i) sent_.bytes += sizes[i];
  sent_.packets += gone;
  if (gone != count_) refused_at_ = now;
  if (gone != 0) {
    refusing_since_ = Instant::never();
  } else if (refusing_since_.is_never()) {
    refusing_since_ = now;
  } else if (now - refusing_since_ >= kPatience) {
    batch_[0].reset();
    ++sent_.dropped;
    gone = 1;
    refusing_since_ = now;
  }
  for (std::size_t i = gone; i < count_; ++i) batch_[i - gone] = std::move(batch_[i]);
  count_ -= gone;
}

}  // namespace pollux
