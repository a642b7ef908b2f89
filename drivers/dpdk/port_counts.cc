// port_counts.cc - xstats: names and values in two tables of one order.
#include "drivers/dpdk/port_counts.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace pollux {
namespace {

// ethdev's own names of the basic numbers.
constexpr std::string_view kBasic[] = {
    "rx_good_packets",  "tx_good_packets", "rx_good_bytes", "tx_good_bytes",
    "rx_missed_errors", "rx_errors",       "tx_errors",     "rx_mbuf_allocation_errors"};

bool is_basic(std::string_view name) {
  return std::find(std::begin(kBasic), std::end(kBasic), name) != std::end(kBasic);
}

}  // namespace

std::vector<PortCount> port_counts(std::uint16_t port) {
  std::vector<PortCount> counts;
  const int count = rte_eth_xstats_get_names(port, nullptr, 0);
  if (count <= 0) return counts;
  const auto size = static_cast<unsigned>(count);
  std::vector<rte_eth_xstat_name> names(size);
  std::vector<rte_eth_xstat> values(size);
  if (rte_eth_xstats_get_names(port, names.data(), size) != count) return counts;
  if (rte_eth_xstats_get(port, values.data(), size) != count) return counts;
  for (const rte_eth_xstat& one : values) {
    const char* name = names[one.id].name;
    if (one.value != 0 || is_basic(name)) counts.push_back({name, one.value});
  }
  return counts;
}

}  // namespace pollux
