// device_watch.cc - what DPDK tells of removals, and the question after the link.
#define ALLOW_EXPERIMENTAL_API  // rte_dev_event_callback_*
#include "drivers/dpdk/device_watch.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "stack/base/check.h"

namespace pollux {
namespace {

void on_device_event(const char*, rte_dev_event_type event, void* watch) {
  if (event == RTE_DEV_EVENT_REMOVE) static_cast<DeviceWatch*>(watch)->note_gone();
}

int on_port_event(std::uint16_t, rte_eth_event_type, void* watch, void*) {
  static_cast<DeviceWatch*>(watch)->note_gone();
  return 0;
}

}  // namespace

DeviceWatch::DeviceWatch(std::uint16_t port, std::string device, Owner& owner)
    : port_(port),
      device_(std::move(device)),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      owner_(owner) {
  CHECK(bell_ >= 0);
  rte_dev_event_callback_register(device_.c_str(), on_device_event, this);
  rte_eth_dev_callback_register(port_, RTE_ETH_EVENT_INTR_RMV, on_port_event, this);
}

DeviceWatch::~DeviceWatch() {
  stop_listening();
  close(bell_);
}

// DPDK refuses while the callback runs, which is not for long.
void DeviceWatch::stop_listening() {
  while (rte_dev_event_callback_unregister(device_.c_str(), on_device_event, this) == -EAGAIN) {
    sched_yield();
  }
  while (rte_eth_dev_callback_unregister(port_, RTE_ETH_EVENT_INTR_RMV, on_port_event, this) ==
         -EAGAIN) {
    sched_yield();
  }
}

void DeviceWatch::note_gone() {
  if (is_gone_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  CHECK(write(bell_, &one, sizeof one) == sizeof one);
}

bool DeviceWatch::is_up() {
  const std::lock_guard lock(asking_);
  if (is_gone()) return false;
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::vector<PortCount> DeviceWatch::counts() {
  const std::lock_guard lock(asking_);
  return is_gone() ? std::vector<PortCount>() : port_counts(port_);
}

void DeviceWatch::release() {
  if (--users_ != 0) return;
  const std::lock_guard lock(asking_);  // who asks has the answer before it goes
  stop_listening();
  owner_.remove();
}

}  // namespace pollux
