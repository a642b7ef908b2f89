// rss.h - Rss: how a port with several queues spreads what arrives; asked for, then read back.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <string>
#include <vector>

#include "drivers/driver_error.h"
#include "drivers/rss_map.h"

namespace pollux {

// IPv4 is spread by addresses, and by ports where the packet has them. What the device really does
// is what its driver says once it has started; where the driver does not say, nothing is known.
class Rss {
 public:
  // Before the device is configured. `key`: in hex; empty: a random one, for a stranger who knew it
  // could send everything to one queue. Error: what the device takes instead.
  DriverError request(const std::string& key, const rte_eth_dev_info& info, rte_eth_conf& conf);
  // Once it has started: makes each of its `queues` the target of as many hashes as the others.
  void establish(std::uint16_t port, std::uint16_t queues);
  const RssMap& map() const { return map_; }

 private:
  std::vector<std::uint8_t> key_;  // the driver refers to it for as long as the port is there
  std::uint16_t table_size_ = 0;
  RssMap map_ = RssMap::one_queue();
};

}  // namespace pollux
