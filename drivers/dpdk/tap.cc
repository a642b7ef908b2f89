// tap.cc - asks the kernel about interfaces by name.
#include "drivers/dpdk/tap.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace pollux {
namespace {

constexpr std::string_view kKey = "iface=";
constexpr int kMostNames = 256;

}  // namespace

std::string tap_interface(const std::string& arguments) {
  const std::string all = "," + arguments;
  const std::size_t at = all.find("," + std::string(kKey));
  if (at == std::string::npos) return {};
  const std::size_t from = at + 1 + kKey.size();
  return all.substr(from, all.find(',', from) - from);
}

std::string with_tap_interface(const std::string& arguments) {
  if (!tap_interface(arguments).empty()) return arguments;
  int number = 0;
  while (number < kMostNames && if_nametoindex(("dtap" + std::to_string(number)).c_str()) != 0) {
    ++number;
  }
  const std::string name = std::string(kKey) + "dtap" + std::to_string(number);
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

}  // namespace pollux
