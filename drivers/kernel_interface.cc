// kernel_interface.cc - the ioctl requests of netdevice(7).
#include "drivers/kernel_interface.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pollux {
namespace {

sockaddr_in address_of(std::uint32_t host_order) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host_order);
  return address;
}

bool configure(int fd, ifreq& request, const Prefix& address) {
  const sockaddr_in own = address_of(address.address.v4_bits());
  std::memcpy(&request.ifr_addr, &own, sizeof(own));
  if (ioctl(fd, SIOCSIFADDR, &request) != 0) return false;
  const std::uint32_t mask = address.length == 0 ? 0 : 0xffffffffu << (32 - address.length);
  const sockaddr_in netmask = address_of(mask);
  std::memcpy(&request.ifr_netmask, &netmask, sizeof(netmask));
  if (ioctl(fd, SIOCSIFNETMASK, &request) != 0) return false;
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

}  // namespace

DriverError bring_up_kernel_interface(const std::string& name, const Prefix& address) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  const bool done = fd >= 0 && configure(fd, request, address);
  const int error = done ? 0 : errno;
  if (fd >= 0) close(fd);
  if (done) return {};
  return {error,
          "the kernel's interface " + name + " cannot be given " + address.address.to_string() +
              ": " + std::strerror(error) +
              ". This needs CAP_NET_ADMIN; or take kernel_address out of the configuration and run "
              "`ip address add` and `ip link set up` yourself"};
}

}  // namespace pollux
