// device_claim.cc - abstract sockets as locks that tell who holds them.
#include "drivers/device_claim.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <utility>

#include "drivers/device_name.h"

namespace pollux {
namespace {

constexpr int kWaiters = 4096;

struct Address {
  sockaddr_un address{};
  socklen_t length = 0;
};

// The user's: nobody else is to keep him from his devices, or to learn of them.
Address address_of(const std::string& name) {
  Address made;
  made.address.sun_family = AF_UNIX;
  const std::string path = "pollux-device-" + std::to_string(geteuid()) + "-" + name;
  const std::size_t size = std::min(path.size(), sizeof made.address.sun_path - 1);
  std::memcpy(made.address.sun_path + 1, path.data(), size);
  made.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
  return made;
}

}  // namespace

std::string DeviceClaim::name_of(const std::string& device) {
  if (is_pci_address(device)) return device.substr(0, device.find(','));
  for (const char* key : {"iface", "socket", "path"}) {
    const std::string value = device_argument(device, key);
    // The two ends of a memif are two devices.
    if (!value.empty()) return key + ("=" + value) + device_argument(device, "role");
  }
  return {};
}

std::optional<DeviceClaim> DeviceClaim::take(const std::string& name, int& error) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address at = address_of(name);
  const auto* address = reinterpret_cast<const sockaddr*>(&at.address);
  if (fd >= 0 && bind(fd, address, at.length) == 0 && listen(fd, kWaiters) == 0) {
    error = 0;
    return DeviceClaim(fd);
  }
  error = errno == EADDRINUSE ? EBUSY : errno;
  if (fd >= 0) close(fd);
  return std::nullopt;
}

DeviceClaim::DeviceClaim(DeviceClaim&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
DeviceClaim& DeviceClaim::operator=(DeviceClaim&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
DeviceClaim::~DeviceClaim() { abandon(); }

void DeviceClaim::abandon() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

std::optional<DeviceOwner> DeviceOwner::of(const std::string& name) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::nullopt;
  const Address at = address_of(name);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&at.address), at.length) == 0) {
    return DeviceOwner(fd);
  }
  close(fd);
  return std::nullopt;
}

DeviceOwner::DeviceOwner(DeviceOwner&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
DeviceOwner::~DeviceOwner() {
  if (fd_ >= 0) close(fd_);
}

// In another PID namespace it has no number here.
std::string DeviceOwner::who() const {
  ucred owner{};
  socklen_t length = sizeof owner;
  if (getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &owner, &length) != 0 || owner.pid == 0) {
    return "another process";
  }
  const std::string number = std::to_string(owner.pid);
  std::ifstream file("/proc/" + number + "/comm");
  std::string program;
  std::getline(file, program);
  return "process " + number + (program.empty() ? "" : " (" + program + ")");
}

}  // namespace pollux
