// port_error.cc - the common failures of devices, by their symptoms.
#include "drivers/dpdk/port_error.h"

#include <linux/capability.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "drivers/device_name.h"
#include "drivers/dpdk/eal_log.h"
#include "drivers/dpdk/guest.h"

namespace pollux {
namespace {

struct Cause {
  int error;
  std::string remedy;
};

bool needs(const std::string& device, const char* driver) { return device.starts_with(driver); }

bool says(const std::string& log, const char* word) { return log.find(word) != std::string::npos; }

// A privilege the driver needs and the process has not.
Cause missing_privilege(const std::string& device) {
  const bool admin = has_capability(CAP_NET_ADMIN);
  const bool raw = has_capability(CAP_NET_RAW);
  if (needs(device, "net_tap") && access("/dev/net/tun", F_OK) != 0) {
    return {ENOENT, "there is no /dev/net/tun: modprobe tun"};
  }
  if ((needs(device, "net_tap") || needs(device, "net_af_xdp")) && !admin) {
    return {EPERM, "it needs CAP_NET_ADMIN: run as root, or setcap cap_net_admin,cap_net_raw+ep"};
  }
  if ((needs(device, "net_af_packet") || needs(device, "net_pcap")) && !raw) {
    return {EPERM, "it needs CAP_NET_RAW: run as root, or setcap cap_net_raw+ep"};
  }
  return {0, {}};
}

Cause of_pci(const std::string& device) {
  if (access(("/sys/bus/pci/devices/" + device).c_str(), F_OK) == 0) {
    return {ENODEV, "bind it to vfio-pci (dpdk-devbind.py -b vfio-pci " + device +
                        ") and start with EalOptions::probe_pci"};
  }
  return {ENODEV, "there is no such PCI device: lspci -D lists them"};
}

Cause cause_of(const PortFailure& failure, const std::string& log) {
  if (failure.error == EEXIST)
    return {EEXIST, "this process uses that name already: number it anew"};
  const std::string name = failure.device.substr(0, failure.device.find(','));
  if (is_pci_address(name)) return of_pci(name);
  if (says(log, "failed to parse device") || failure.error == ENODEV) {
    return {ENODEV,
            "no driver of that name took it: check the name (net_tap0, net_memif0,"
            " net_af_packet0, ...), its arguments, and that the driver is installed"};
  }
  const Cause privilege = missing_privilege(failure.device);
  if (privilege.error != 0) return privilege;
  if (failure.error == EBUSY || says(log, "busy")) {
    return {EBUSY, "another process uses it: stop that one, or take another interface"};
  }
  if (says(log, "No such device")) {
    return {ENODEV, "there is no such interface in this network namespace: ip link lists them"};
  }
  if (failure.error == EADDRINUSE || says(log, "in use")) {
    return {EADDRINUSE, "its socket is taken: stop the other server, or remove the socket file"};
  }
  if (failure.error == ENOMEM && failure.step.starts_with("set up the queues")) {
    return {ENOMEM,
            "each queue may hold as many packets as it has descriptors:"
            " raise stack.packets, or lower the descriptors"};
  }
  if (failure.error == ENOMEM || says(log, "allocate memory")) {
    return {ENOMEM,
            "memory is short: lower stack.packets or the descriptors, or reserve hugepages"};
  }
  // Many drivers return -1 for any reason.
  return {failure.error > 1 ? failure.error : EIO, "check its arguments"};
}

}  // namespace

DriverError explain_port_error(const PortFailure& failure) {
  const std::string log = last_eal_log();
  const Cause cause = cause_of(failure, log);
  std::string message = "port " + failure.port + ": cannot " + failure.step + ' ' + failure.device;
  message += std::string(": ") + std::strerror(cause.error);
  if (!cause.remedy.empty()) message += "; " + cause.remedy;
  if (!log.empty()) message += " (DPDK says: " + log + ")";
  return {cause.error, message};
}

}  // namespace pollux
