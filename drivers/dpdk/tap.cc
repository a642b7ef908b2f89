// tap.cc - asks the kernel about interfaces by name.
#include "drivers/dpdk/tap.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "drivers/device_name.h"

namespace pollux {
namespace {

constexpr int kMostNames = 256;

}  // namespace

std::string tap_interface(const std::string& arguments) {
  return device_argument("," + arguments, "iface");
}

std::string with_tap_interface(const std::string& arguments) {
  if (!tap_interface(arguments).empty()) return arguments;
  int number = 0;
  while (number < kMostNames && if_nametoindex(("dtap" + std::to_string(number)).c_str()) != 0) {
    ++number;
  }
  const std::string name = "iface=dtap" + std::to_string(number);
  return arguments.empty() ? name : name + "," + arguments;
}

// The kernel's end has a carrier while the other end is open, also when it is not up.
bool is_tap_taken(const std::string& interface) {
  if (interface.empty() || interface.size() >= IFNAMSIZ) return false;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ethtool_value link{};
  link.cmd = ETHTOOL_GLINK;
  ifreq request{};
  std::memcpy(request.ifr_name, interface.c_str(), interface.size());
  request.ifr_data = reinterpret_cast<char*>(&link);
  const bool is_there = ioctl(fd, SIOCETHTOOL, &request) == 0;
  close(fd);
  return is_there && link.data != 0;
}

bool await_tap(const std::string& interface) {
  constexpr int kAttempts = 100;
  const timespec pause{0, 10'000'000};
  for (int attempt = 0; is_tap_taken(interface); ++attempt) {
    if (attempt == kAttempts) return false;
    nanosleep(&pause, nullptr);
  }
  return true;
}

}  // namespace pollux
