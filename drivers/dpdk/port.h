// port.h - Port: one ethdev, of any driver, configured and started; it owns its queues.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "drivers/dpdk/port_counts.h"
#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "drivers/rss_map.h"

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
  std::uint16_t queues = 1;  // receive and transmit queues; at least one
  std::string rss_key;       // for several: the device's key, in hex; empty: a random one
};

// Creates the virtual device where the name is one (hotplug), configures its queues with the
// offloads the device has, starts it. Stopped, closed and removed in the destructor.
class Port {
 public:
  // `pools`: one for each queue, perhaps the same. They outlive the port.
  static std::unique_ptr<Port> open(const PortOptions& options, std::span<PacketPool* const> pools,
                                    DriverError& error);
  // Of one queue.
  static std::unique_ptr<Port> open(const PortOptions& options, PacketPool& pool,
                                    DriverError& error);
  virtual ~Port() = default;
  virtual NetDevice& queue(unsigned index = 0) = 0;
  virtual unsigned queues() const = 0;
  // To which of them the device gives what arrives.
  virtual const RssMap& rss() const = 0;
  // See port_counts(); also "rx_interrupts": how many queues' sleeps end by them. None once the
  // device is gone. Any thread.
  virtual std::vector<PortCount> counts() const = 0;
  virtual std::string driver() const = 0;  // net_tap, net_memif, ...
  // The interface that the kernel sees (TAP), empty for none.
  virtual std::string kernel_interface() const = 0;
};

}  // namespace pollux
