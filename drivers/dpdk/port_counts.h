// port_counts.h - what a driver and its device count (rte_eth_xstats), by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pollux {

struct PortCount {
  std::string name;
  std::uint64_t value;
};

// The basic numbers that every driver has, and of all others those that are not 0. One thread at a
// time: some devices' registers are cleared by reading.
std::vector<PortCount> port_counts(std::uint16_t port);

}  // namespace pollux
