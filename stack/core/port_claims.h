// port_claims.h - PortClaims: the ports of the configuration that this process gets to have.
#pragma once

#include <string>
#include <vector>

#include "drivers/device_claim.h"
#include "stack/core/config.h"

namespace pollux {

struct PortClaims {
  std::vector<PortConfig> ports;
  std::vector<DeviceClaim> held;
  // Of what another process has: what to wait for, when there is an error.
  std::vector<std::string> busy;
};

// All ports, or with `ports = "one"` the first that is free. EBUSY: names the owner.
DriverError claim_ports(const Config& config, PortClaims& claims);
// Until the owner of one of them has let go.
void await_claims(const std::vector<std::string>& names);

}  // namespace pollux
