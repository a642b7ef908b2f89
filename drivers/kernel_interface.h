// kernel_interface.h - giving the kernel's end of a device an address and bringing it up.
#pragma once

#include <string>

#include "drivers/driver_error.h"
#include "stack/base/ip_address.h"

namespace pollux {

// As `ip address add ADDRESS dev NAME` and `ip link set NAME up` (netdevice(7)); IPv4. Needs
// CAP_NET_ADMIN in the network namespace of the process.
DriverError bring_up_kernel_interface(const std::string& name, const Prefix& address);

}  // namespace pollux
