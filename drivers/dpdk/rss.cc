// rss.cc - the key, the hash types and the table of queues, to the driver and back.
#include "drivers/dpdk/rss.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "stack/base/check.h"

namespace pollux {
namespace {

constexpr std::size_t kUsualKeySize = 40;  // of drivers that do not say
constexpr std::uint64_t kWithPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
constexpr std::uint64_t kByAddresses =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;

std::optional<std::vector<std::uint8_t>> from_hex(const std::string& text) {
  std::vector<std::uint8_t> octets(text.size() / 2);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const char* at = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, octets[i], 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
  }
  return text.size() % 2 == 0 ? std::optional(octets) : std::nullopt;
}

using Table = std::vector<rte_eth_rss_reta_entry64>;

// Every entry is meant: a driver writes and reads only those with a bit in the mask.
Table table_of(std::uint16_t size) {
  Table table((size + RTE_ETH_RETA_GROUP_SIZE - 1U) / RTE_ETH_RETA_GROUP_SIZE);
  for (unsigned i = 0; i < size; ++i) {
    table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= std::uint64_t{1} << (i % RTE_ETH_RETA_GROUP_SIZE);
  }
  return table;
}

std::uint16_t& entry(Table& table, unsigned i) {
  return table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
}

// A driver that takes no table has one of its own, which is read back just the same.
void write_table(std::uint16_t port, std::uint16_t size, std::uint16_t queues) {
  Table table = table_of(size);
  for (unsigned i = 0; i < size; ++i) entry(table, i) = static_cast<std::uint16_t>(i % queues);
  rte_eth_dev_rss_reta_update(port, table.data(), size);
}

// Empty: not to be had, or it names queues that are not there.
std::vector<std::uint16_t> read_table(std::uint16_t port, std::uint16_t size,
                                      std::uint16_t queues) {
  Table table = table_of(size);
  if (rte_eth_dev_rss_reta_query(port, table.data(), size) != 0) return {};
  std::vector<std::uint16_t> targets;
  for (unsigned i = 0; i < size; ++i) targets.push_back(entry(table, i));
  const auto is_missing = [queues](std::uint16_t target) { return target >= queues; };
  if (std::any_of(targets.begin(), targets.end(), is_missing)) targets.clear();
  return targets;
}

// Empty: not to be had, or the device does not hash all that is counted on.
std::vector<std::uint8_t> read_key(std::uint16_t port, std::size_t size) {
  std::vector<std::uint8_t> key(size);
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = static_cast<std::uint8_t>(size);
  if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0) return {};
  const bool has_types =
      (conf.rss_hf & kWithPorts) == kWithPorts && (conf.rss_hf & kByAddresses) != 0;
  // Some drivers answer without filling in a key.
  const auto is_zero = [](std::uint8_t octet) { return octet == 0; };
  return has_types && !std::all_of(key.begin(), key.end(), is_zero) ? key
                                                                    : std::vector<std::uint8_t>();
}

}  // namespace

DriverError Rss::request(const std::string& key, const rte_eth_dev_info& info, rte_eth_conf& conf) {
  map_ = RssMap();
  table_size_ = info.reta_size;
  rte_eth_rss_conf& rss = conf.rx_adv_conf.rss_conf;
  rss.rss_hf = (kWithPorts | kByAddresses) & info.flow_type_rss_offloads;
  key_.resize(info.hash_key_size);
  if (!key.empty()) {
    const auto given = from_hex(key);
    if (key_.empty() || rss.rss_hf == 0) return {EINVAL, "takes no RSS key; give it none"};
    if (!given || given->size() != key_.size()) {
      return {EINVAL, "takes an RSS key of " + std::to_string(2 * key_.size()) + " hex digits"};
    }
    key_ = *given;
  } else if (!key_.empty()) {
    CHECK(getrandom(key_.data(), key_.size(), 0) == static_cast<ssize_t>(key_.size()));
  }
  if (rss.rss_hf == 0) return {};  // drivers refuse the mode without anything to hash
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  if (key_.empty()) return {};
  rss.rss_key = key_.data();
  rss.rss_key_len = static_cast<std::uint8_t>(key_.size());
  return {};
}

void Rss::establish(std::uint16_t port, std::uint16_t queues) {
  if (table_size_ == 0) return;
  write_table(port, table_size_, queues);
  map_ = RssMap::of(read_key(port, key_.empty() ? kUsualKeySize : key_.size()),
                    read_table(port, table_size_, queues));
}

}  // namespace pollux
