// port_error.h - from a driver's return value and log to a sentence that says what to do.
#pragma once

#include <string>

#include "drivers/driver_error.h"

namespace pollux {

struct PortFailure {
  std::string port;    // the configuration's name of it
  std::string device;  // as configured: net_tap0,iface=x; 0000:03:00.0
  std::string step;    // create, configure, start, ...
  int error = 0;       // errno, positive; 0 or nonsense where the driver gave none
};

// Reads the log since clear_eal_log() and what the process may do.
DriverError explain_port_error(const PortFailure& failure);

}  // namespace pollux
