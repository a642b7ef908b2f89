// rss_map.cc - the hash that network cards compute, in software.
#include "drivers/rss_map.h"

#include <rte_thash.h>

#include <bit>
#include <cstring>
#include <utility>

#include "stack/base/check.h"

namespace pollux {
namespace {

// Each word of the tuple is hashed with its word of the key and the one behind it.
constexpr std::size_t kMinKeyWords = RTE_THASH_V4_L4_LEN + 1;

std::uint32_t word_of(const std::array<std::uint8_t, 4>& address) {
  return rte_be_to_cpu_32(std::bit_cast<std::uint32_t>(address));
}

}  // namespace

RssMap RssMap::one_queue() {
  RssMap map;
  map.table_ = {0};
  return map;
}

RssMap RssMap::of(std::span<const std::uint8_t> key, std::vector<std::uint16_t> table) {
  RssMap map;
  std::vector<std::uint32_t> words(key.size() / sizeof(std::uint32_t));
  if (words.size() < kMinKeyWords) return map;
  std::memcpy(words.data(), key.data(), words.size() * sizeof(std::uint32_t));
  map.key_.resize(words.size());
  rte_convert_rss_key(words.data(), map.key_.data(),
                      static_cast<int>(words.size() * sizeof(std::uint32_t)));
  map.table_ = std::move(table);
  return map;
}

std::uint32_t RssMap::hash_of(const RssTuple& tuple) const {
  CHECK(key_.size() >= kMinKeyWords);
  std::array<std::uint32_t, RTE_THASH_V4_L4_LEN> words{
      word_of(tuple.source), word_of(tuple.destination),
      std::uint32_t{tuple.source_port} << 16 | tuple.destination_port};
  const std::uint32_t count = tuple.has_ports ? RTE_THASH_V4_L4_LEN : RTE_THASH_V4_L3_LEN;
  return rte_softrss_be(words.data(), count, reinterpret_cast<const std::uint8_t*>(key_.data()));
}

unsigned RssMap::queue_of(const RssTuple& tuple) const {
  CHECK(is_known());
  if (table_.size() == 1) return table_.front();
  return table_[hash_of(tuple) % table_.size()];
}

}  // namespace pollux
