// port.h - Port: one ethdev, of any driver, configured and started; it owns its queues.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "drivers/dpdk/port_counts.h"
#include "drivers/net_device.h"
#include "drivers/packet_pool.h"

namespace pollux {

struct PortOptions {
  std::string name;    // the configuration's name of the port, for messages
  std::string device;  // "net_tap0,iface=plx0", "net_memif0,role=server,...", "0000:03:00.0"
  std::uint16_t rx_descriptors = 1024;
  std::uint16_t tx_descriptors = 1024;
  std::uint16_t mtu = 0;         // 0: the device's
  std::uint16_t vlan = 0;        // whose frames are wanted too; 0: untagged ones only
  bool checksum_offload = true;  // use what the device offers
  bool tso = true;
  bool lro = true;  // only with checksum_offload: nobody can verify what was merged
  bool rx_interrupts = true;
};

// Creates the virtual device where the name is one (hotplug), configures one rx/tx queue pair with
// the offloads the device has, starts it. Stopped, closed and removed in the destructor.
class Port {
 public:
  static std::unique_ptr<Port> open(const PortOptions& options, PacketPool& pool,
                                    DriverError& error);
  virtual ~Port() = default;
  virtual NetDevice& queue() = 0;
  // See port_counts(); also "rx_interrupts": whether sleeps end by them. None once the device is
  // gone.
  virtual std::vector<PortCount> counts() const = 0;
  virtual std::string driver() const = 0;  // net_tap, net_memif, ...
  // The interface that the kernel sees (TAP), empty for none.
  virtual std::string kernel_interface() const = 0;
};

}  // namespace pollux
