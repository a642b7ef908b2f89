// queue_count.h - how many queues a device has, against how many its port is to have.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/driver_error.h"

namespace pollux {

struct QueueCount {
  std::string port;    // the configuration's name of it
  std::string device;  // as configured: net_tap0,iface=x; 0000:03:00.0
  std::string driver;  // net_tap, net_memif, ...
  std::uint16_t wanted = 1;
  std::uint16_t present = 1;  // what the device has for both directions
};

// EINVAL, and what to write in the configuration instead.
DriverError check_queue_count(const QueueCount& count);

}  // namespace pollux
