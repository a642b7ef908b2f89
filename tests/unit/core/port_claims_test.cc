// port_claims_test.cc - which ports of a configuration a process gets.
#include "stack/core/port_claims.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <thread>

namespace pollux {
namespace {

std::string device(int number) {
  const std::string name = "c" + std::to_string(getpid()) + "-" + std::to_string(number);
  return "net_tap" + std::to_string(number) + ",iface=" + name;
}

Config two_ports(bool has_one_port) {
  Config config;
  for (int i = 0; i < 2; ++i) {
    PortConfig& port = config.ports.emplace_back();
    port.name = "tap" + std::to_string(i);
    port.device = device(i);
  }
  config.has_one_port = has_one_port;
  return config;
}

TEST(PortClaims, all_or_none) {
  PortClaims first, second;
  EXPECT_FALSE(claim_ports(two_ports(false), first));
  EXPECT_EQ(first.ports.size(), 2u);
  const DriverError error = claim_ports(two_ports(false), second);
  EXPECT_EQ(error.error, EBUSY);
  EXPECT_NE(error.message.find("port tap0"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("process " + std::to_string(getpid())), std::string::npos);
  EXPECT_EQ(second.busy.size(), 1u);
}

TEST(PortClaims, none_is_kept_when_a_later_one_is_anothers) {
  int unused = 0;
  std::optional<DeviceClaim> others = DeviceClaim::take(DeviceClaim::name_of(device(1)), unused);
  PortClaims claims;
  EXPECT_EQ(claim_ports(two_ports(false), claims).error, EBUSY);
  EXPECT_TRUE(claims.held.empty());
  EXPECT_TRUE(DeviceClaim::take(DeviceClaim::name_of(device(0)), unused));
}

TEST(PortClaims, one_each_then_all_are_waited_for) {
  PortClaims first, second, third;
  EXPECT_FALSE(claim_ports(two_ports(true), first));
  EXPECT_FALSE(claim_ports(two_ports(true), second));
  ASSERT_EQ(first.ports.size(), 1u);
  ASSERT_EQ(second.ports.size(), 1u);
  EXPECT_EQ(first.ports[0].name, "tap0");
  EXPECT_EQ(second.ports[0].name, "tap1");
  EXPECT_EQ(claim_ports(two_ports(true), third).error, EBUSY);
  ASSERT_EQ(third.busy.size(), 2u);
  std::thread waiter([&] { await_claims(third.busy); });
  second.held.clear();
  waiter.join();
  PortClaims again;
  EXPECT_FALSE(claim_ports(two_ports(true), again));
  EXPECT_EQ(again.ports[0].name, "tap1");
}

TEST(PortClaims, what_any_number_may_open_is_not_claimed) {
  Config config;
  config.ports.emplace_back().device = "net_null0";
  PortClaims first, second;
  EXPECT_FALSE(claim_ports(config, first));
  EXPECT_FALSE(claim_ports(config, second));
  EXPECT_TRUE(first.held.empty());
}

}  // namespace
}  // namespace pollux
