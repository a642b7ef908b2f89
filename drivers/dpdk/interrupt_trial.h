// interrupt_trial.h - InterruptTrial: whether a driver that promises receive interrupts has any.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stack/base/instant.h"

namespace pollux {

// Some drivers say yes and deliver none (e1000e under MSI-X). Nobody can make a packet arrive, so
// the first ones decide. Until then sleeps are short (NetDevice::doubts_interrupt). The first
// packet found after arming with the descriptor readable: it works. Found without, although the
// queue was last seen empty kLate before: that is a miss, for an interrupt would have been there
// for half of that on average. kMisses of them: it is polled from now on.
class InterruptTrial {
 public:
  static constexpr Duration kLate = Duration::ms(10);
  static constexpr unsigned kMisses = 3;
  enum class Verdict : std::uint8_t { open, works, fails };

  Verdict verdict() const { return verdict_; }
  bool is_open() const { return verdict_ == Verdict::open; }
  // The interrupt is asked for; the next packets tell.
  void arm() {
    is_armed_ = is_open();
    was_empty_ = false;
  }
  void disarm() { is_armed_ = false; }
  // A burst has found `packets`. `is_signalled()` is asked only if it matters.
  template <typename Ask>
  void burst(std::size_t packets, Instant now, Ask&& is_signalled) {
    if (!is_armed_) return;
    if (packets == 0) {
      was_empty_ = true;
      empty_at_ = now;
      return;
    }
    is_armed_ = false;
    if (is_signalled()) {
      verdict_ = Verdict::works;
    } else if (was_empty_ && now - empty_at_ >= kLate && ++misses_ == kMisses) {
      verdict_ = Verdict::fails;
    }
  }
  bool is_waiting() const { return is_armed_; }

 private:
  Verdict verdict_ = Verdict::open;
  bool is_armed_ = false;
  bool was_empty_ = false;  // since it was armed; empty_at_ says when last
  std::uint8_t misses_ = 0;
  Instant empty_at_;
};

}  // namespace pollux
