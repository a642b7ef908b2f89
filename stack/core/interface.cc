// interface.cc - one burst to the device; what it refuses moves to the front; the link.
#include "stack/core/interface.h"

namespace pollux {

void Interface::transmit(Instant now) {
  if (count_ == 0 || refused_at_ == now) return;  // once per entry: it will not take them now
  if (!is_up_) look_at_link(now);
  if (!is_up_) return drop_all();
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
  if (count_ != 0) look_at_link(now);
}

void Interface::look_at_link(Instant now) {
  if (is_lost_ || now - looked_at_ < (is_up_ ? kLook : kLookWhileDown)) return;
  looked_at_ = now;
  const bool was_up = std::exchange(is_up_, device_.is_link_up());
  if (is_up_ || !was_up) return;
  ++sent_.link_downs;
  neighbours_.flush();
  drop_all();
}

void Interface::lose() {
  is_lost_ = true;
  is_up_ = false;
  neighbours_.flush();
  drop_all();
}

void Interface::drop_all() {
  for (std::size_t i = 0; i < count_; ++i) batch_[i].reset();
  sent_.dropped += count_;
  count_ = 0;
  refusing_since_ = refused_at_ = Instant::never();
}

}  // namespace pollux
