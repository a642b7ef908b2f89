// ownership_test.cc - whose addresses are whose, for the configurations people have.
#include "stack/api/ownership.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

bool has(const std::string& rules, const std::string& rule) {
  return rules.find(rule + ";") != std::string::npos;
}

PortConfig port() {
  PortConfig port;
  port.addresses = {*Prefix::parse("198.18.0.2/24")};
  return port;
}

TEST(Ownership, without_a_port_everything_is_the_stacks) {
  const std::string rules = ownership_rules(Config());
  for (const char* rule : {"at 127.0.0.0/8 stack", "to 127.0.0.0/8 stack", "at 0.0.0.0/0 stack",
                           "at ::/128 stack", "to 0.0.0.0/0 stack"}) {
    EXPECT_TRUE(has(rules, rule)) << rule << " is not in " << rules;
  }
  EXPECT_EQ(rules.find("kernel"), std::string::npos);
  EXPECT_EQ(rules.find("::1"), std::string::npos) << "there is no IPv6 on the stack's loopback";
}

TEST(Ownership, a_port_has_its_network_and_the_kernel_keeps_loopback) {
  Config config;
  config.ports = {port()};
  const std::string rules = ownership_rules(config);
  for (const char* rule :
       {"at 127.0.0.0/8 kernel", "to 127.0.0.0/8 kernel", "at 0.0.0.0/32 stack",
        "to 0.0.0.0/32 kernel", "at 198.18.0.2/32 stack", "to 198.18.0.2/24 stack"}) {
    EXPECT_TRUE(has(rules, rule)) << rule << " is not in " << rules;
  }
  EXPECT_FALSE(has(rules, "to 0.0.0.0/0 stack"));
}

TEST(Ownership, a_gateway_brings_the_rest_of_the_world) {
  Config config;
  config.ports = {port()};
  config.ports[0].gateway = IpAddress::parse("198.18.0.1");
  EXPECT_TRUE(has(ownership_rules(config), "to 0.0.0.0/0 stack"));
}

TEST(Ownership, the_loopback_key_decides) {
  Config config;
  config.ports = {port()};
  config.loopback_is_stacks = true;
  EXPECT_TRUE(has(ownership_rules(config), "to 127.0.0.0/8 stack"));
  config.ports.clear();
  config.loopback_is_stacks = false;
  EXPECT_TRUE(has(ownership_rules(config), "to 127.0.0.0/8 kernel"));
}

}  // namespace
}  // namespace pollux
