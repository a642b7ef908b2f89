// driver_error.h - DriverError: what went wrong with a device or its environment, for people.
#pragma once

#include <string>

namespace pollux {

// What went wrong and what to do about it, for people; empty: nothing.
struct DriverError {
  int error = 0;        // errno
  std::string message;  // names the thing, the cause, the remedy
  explicit operator bool() const { return error != 0; }
};

}  // namespace pollux
