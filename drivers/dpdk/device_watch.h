// device_watch.h - DeviceWatch: whether a port's device is still there, and whether it has a link.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "drivers/dpdk/port_counts.h"

namespace pollux {

// Owned by the Port; each of its queues uses it from its own Stack. Removal is told by DPDK's
// interrupt thread (under vfio the kernel waits until the device is let go of), or by a queue whose
// descriptor says so; it is final. The link is asked for, not told of: drivers that promise events
// and deliver none (vmxnet3, e1000e under MSI-X) would leave it down for ever.
class DeviceWatch {
 public:
  // The port. Outlives the watch.
  class Owner {
   public:
    // All queues have let go of a device that is gone: it is nobody's any more.
    virtual void remove() = 0;

   protected:
    ~Owner() = default;
  };
  // `device`: DPDK's name of it.
  DeviceWatch(std::uint16_t port, std::string device, Owner& owner);
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;
  ~DeviceWatch();

  // --- any thread
  bool is_gone() const { return is_gone_.load(std::memory_order_acquire); }
  void note_gone();
  // Readable once it is gone.
  int fd() const { return bell_; }
  // A packet has come with an interrupt, to one of its queues.
  void note_interrupts_work() { interrupts_work_.store(true, std::memory_order_relaxed); }
  bool has_interrupts_that_work() const { return interrupts_work_.load(std::memory_order_relaxed); }
  // May cost a system call or some reads of the device's registers.
  bool is_up();
  // See port_counts(); none once it is gone.
  std::vector<PortCount> counts();

  // --- the queues
  void add_user() { ++users_; }
  void release();

 private:
  void stop_listening();

  const std::uint16_t port_;
  const std::string device_;
  int bell_;
  std::atomic<bool> is_gone_{false};
  std::atomic<bool> interrupts_work_{false};
  std::atomic<unsigned> users_{0};
  std::mutex asking_;  // or removing; two that ask a PHY at once get neither's answer
  Owner& owner_;
};

}  // namespace pollux
