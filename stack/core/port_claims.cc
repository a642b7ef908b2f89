// port_claims.cc - taking ports, and waiting for those that others have.
#include "stack/core/port_claims.h"

#include <fmt/format.h>
#include <poll.h>
#include <time.h>

#include <cerrno>
#include <optional>

namespace pollux {
namespace {

DriverError busy_error(const PortConfig& port, const std::string& name) {
  const std::optional<DeviceOwner> owner = DeviceOwner::of(name);
  return {EBUSY, fmt::format("port {} ({}) belongs to {}", port.name, port.device,
                             owner ? owner->who() : "a process that is ending")};
}

DriverError claim(const PortConfig& port, PortClaims& claims) {
  const std::string name = DeviceClaim::name_of(port.device);
  if (name.empty()) return {};
  int error = 0;
  std::optional<DeviceClaim> taken = DeviceClaim::take(name, error);
  if (taken) {
    claims.held.push_back(std::move(*taken));
    return {};
  }
  if (error != EBUSY) {
    return {error, fmt::format("port {}: cannot be claimed: a socket of AF_UNIX is refused ({})",
                               port.name, strerror(error))};
  }
  claims.busy.push_back(name);
  return busy_error(port, name);
}

}  // namespace

DriverError claim_ports(const Config& config, PortClaims& claims) {
  DriverError error;
  for (const PortConfig& port : config.ports) {
    DriverError refused = claim(port, claims);
    if (!refused) claims.ports.push_back(port);
    if (!error) error = std::move(refused);
    if (config.has_one_port ? !claims.ports.empty() : static_cast<bool>(error)) break;
  }
  if (config.has_one_port && !claims.ports.empty()) error = {};
  if (error) claims.held.clear();
  return error;
}

void await_claims(const std::vector<std::string>& names) {
  std::vector<DeviceOwner> owners;
  std::vector<pollfd> ends;
  for (const std::string& name : names) {
    std::optional<DeviceOwner> owner = DeviceOwner::of(name);
    if (!owner) {
      const timespec pause{0, 10'000'000};
      nanosleep(&pause, nullptr);
      return;
    }
    ends.push_back({.fd = owner->fd(), .events = 0, .revents = 0});
    owners.push_back(std::move(*owner));
  }
  while (poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
  }
}

}  // namespace pollux
