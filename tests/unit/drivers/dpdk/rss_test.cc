// rss_test.cc - what is asked of a driver for several queues.
#include "drivers/dpdk/rss.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

constexpr std::uint64_t kTcpAndAddresses = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP;

rte_eth_dev_info device(std::uint64_t hash_types) {
  rte_eth_dev_info info{};
  info.hash_key_size = 40;
  info.reta_size = 128;
  info.flow_type_rss_offloads = hash_types;
  return info;
}

std::vector<std::uint8_t> key_in(const rte_eth_conf& conf) {
  const rte_eth_rss_conf& rss = conf.rx_adv_conf.rss_conf;
  return {rss.rss_key, rss.rss_key + rss.rss_key_len};
}

TEST(Rss, asks_for_what_the_device_has_of_what_is_wanted) {
  Rss rss;
  rte_eth_conf conf{};
  ASSERT_FALSE(rss.request("", device(kTcpAndAddresses | RTE_ETH_RSS_NONFRAG_IPV6_TCP), conf));
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
  EXPECT_EQ(conf.rx_adv_conf.rss_conf.rss_hf, kTcpAndAddresses);
  EXPECT_EQ(key_in(conf).size(), 40u);
  EXPECT_FALSE(rss.map().is_known());
}

TEST(Rss, without_a_hash_the_mode_stays_as_it_was) {
  Rss rss;
  rte_eth_conf conf{};
  ASSERT_FALSE(rss.request("", device(0), conf));
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
  EXPECT_FALSE(rss.map().is_known());
}

TEST(Rss, two_ports_have_two_keys) {
  Rss first, second;
  rte_eth_conf first_conf{}, second_conf{};
  ASSERT_FALSE(first.request("", device(kTcpAndAddresses), first_conf));
  ASSERT_FALSE(second.request("", device(kTcpAndAddresses), second_conf));
  EXPECT_NE(key_in(first_conf), key_in(second_conf));
}

TEST(Rss, a_key_that_is_given_is_asked_for) {
  std::string hex = "6d5A";
  hex.resize(80, '0');
  Rss rss;
  rte_eth_conf conf{};
  ASSERT_FALSE(rss.request(hex, device(kTcpAndAddresses), conf));
  std::vector<std::uint8_t> key{0x6d, 0x5a};
  key.resize(40);
  EXPECT_EQ(key_in(conf), key);
}

TEST(Rss, a_key_that_is_none_is_refused_with_what_would_be_one) {
  const std::string zeros(80, '0');
  for (const std::string& key : {zeros + "0", zeros + "00", zeros.substr(2), "xy" + zeros.substr(2),
                                 zeros.substr(1) + "g", "-1" + zeros.substr(2)}) {
    Rss rss;
    rte_eth_conf conf{};
    const DriverError error = rss.request(key, device(kTcpAndAddresses), conf);
    EXPECT_EQ(error.error, EINVAL) << key;
    EXPECT_EQ(error.message, "takes an RSS key of 80 hex digits") << key;
  }
}

}  // namespace
}  // namespace pollux
