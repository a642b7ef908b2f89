// device_claim.h - which process has a device: known before it is opened, and until it ends.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "drivers/driver_error.h"

namespace pollux {

// A listening abstract socket whose name is the user's and the device's, in the network namespace.
// The kernel closes it with its process, however that ends; then whoever has connected hears of it.
class DeviceClaim {
 public:
  // What others must not open as well, "iface=plx0" for instance; "" if any number of processes
  // may: "net_null0".
  static std::string name_of(const std::string& device);

  // EBUSY, and nothing said: another process has it (DeviceOwner). `name` is not empty.
  static std::optional<DeviceClaim> take(const std::string& name, int& error);
  DeviceClaim(DeviceClaim&& other) noexcept;
  DeviceClaim& operator=(DeviceClaim&& other) noexcept;
  DeviceClaim(const DeviceClaim&) = delete;
  DeviceClaim& operator=(const DeviceClaim&) = delete;
  ~DeviceClaim();
  // In a forked child: the parent's is the parent's.
  void abandon();

 private:
  explicit DeviceClaim(int fd) : fd_(fd) {}
  int fd_;
};

// The process that has a device, as seen by one that wants it.
class DeviceOwner {
 public:
  // Nobody: it has just let go, or too many wait for it.
  static std::optional<DeviceOwner> of(const std::string& name);
  DeviceOwner(DeviceOwner&& other) noexcept;
  DeviceOwner& operator=(DeviceOwner&&) = delete;
  DeviceOwner(const DeviceOwner&) = delete;
  DeviceOwner& operator=(const DeviceOwner&) = delete;
  ~DeviceOwner();
  // "process 4711 (nginx)"
  std::string who() const;
  // Hangs up when the owner lets go.
  int fd() const { return fd_; }

 private:
  explicit DeviceOwner(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace pollux
