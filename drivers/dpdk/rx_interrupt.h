// rx_interrupt.h - RxInterrupt: the descriptor on which one receive queue can be slept on.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "drivers/dpdk/interrupt_trial.h"
#include "drivers/dpdk/queue_id.h"

namespace pollux {

// Each driver has its own way, and configuring interrupts succeeds for all of them, so the driver's
// name decides and the descriptor is looked at.
class RxInterrupt {
 public:
  RxInterrupt() = default;  // none
  // `opened`: the descriptors that appeared while the device was made.
  static RxInterrupt find(QueueId id, const std::string& driver, const std::vector<int>& opened);
  RxInterrupt(RxInterrupt&& other) noexcept;
  RxInterrupt& operator=(RxInterrupt&&) = delete;
  ~RxInterrupt();

  // -1: none, or not any more. Any thread.
  int fd() const { return fd_.load(std::memory_order_relaxed); }
  void arm();
  void disarm();
  // After each burst.
  void note_burst(std::size_t packets) {
    if (trial_.is_waiting()) judge(packets);
  }
  bool is_on_trial() const { return kind_ == Kind::eventfd && trial_.is_open(); }
  bool has_passed() const { return trial_.verdict() == InterruptTrial::Verdict::works; }
  // It promised interrupts and had none.
  bool has_failed() const { return trial_.verdict() == InterruptTrial::Verdict::fails; }
  // A kernel's device that has been deleted. It would wake who sleeps on it for ever.
  bool has_lost_device() const { return has_lost_device_; }

 private:
  enum class Kind {
    none,
    level,    // the packets' own (TAP, packet socket): readable while one waits; never read it
    eventfd,  // the device writes it while the interrupt is enabled; on trial until it has
    edge,     // stays readable for ever once it was: watched by an epoll of our own
  };
  RxInterrupt(Kind kind, QueueId id, int fd);
  void watch_edge();
  void judge(std::size_t packets);
  void look_for_loss();
  void give_up();

  Kind kind_ = Kind::none;
  std::uint8_t count_size_ = 0;  // octets to read when it was readable
  QueueId id_;
  std::atomic<int> fd_{-1};  // the driver's; Kind::edge: ours
  bool was_down_ = false;
  bool has_lost_device_ = false;
  InterruptTrial trial_;
};

}  // namespace pollux
