// wrong_key.cc - a spread on a card that hashes with another key than the stack has been told.
#include <rte_ethdev.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "tests/interop/spread.h"

// The only port's. Behind the stack's back, as a card would be whose driver reports a key that it
// does not use.
bool before_traffic() {
  std::array<std::uint8_t, 40> key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(17 * i + 3);
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = key.size();
  conf.rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
  const int error = rte_eth_dev_rss_hash_update(0, &conf);
  if (error != 0) std::fprintf(stderr, "wrong_key: the card refuses: %s\n", std::strerror(-error));
  return error == 0;
}
