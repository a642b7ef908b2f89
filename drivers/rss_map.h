// rss_map.h - RssMap: on which queue of its port a packet arrives.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace pollux {

// Addresses and ports as they stand in the arriving packet. Without ports: a fragment, or neither
// TCP nor UDP.
struct RssTuple {
  std::array<std::uint8_t, 4> source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;
  bool has_ports = false;
};

// What the device was found to do, so that it can be foretold: a Toeplitz hash of the tuple under
// the device's key, and a table of queues that the hash points into. A value; reading it is safe in
// any thread.
class RssMap {
 public:
  RssMap() = default;  // nothing is known of the device
  static RssMap one_queue();
  // Unknown if the key is too short for a tuple (16 octets) or the table is empty.
  static RssMap of(std::span<const std::uint8_t> key, std::vector<std::uint16_t> table);

  // False: a packet of any tuple may arrive on any queue.
  bool is_known() const { return !table_.empty(); }
  // Only where it is known.
  unsigned queue_of(const RssTuple& tuple) const;
  std::uint32_t hash_of(const RssTuple& tuple) const;
  std::span<const std::uint16_t> table() const { return table_; }

 private:
  std::vector<std::uint32_t> key_;  // as rte_softrss_be wants it
  std::vector<std::uint16_t> table_;
};

}  // namespace pollux
