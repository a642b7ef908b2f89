// ip_address_test.cc - text in and out, prefixes.
#include "stack/base/ip_address.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

TEST(IpAddress, text_round_trip) {
  EXPECT_EQ(IpAddress::parse("198.18.0.2")->to_string(), "198.18.0.2");
  EXPECT_EQ(IpAddress::parse("fd00::1")->to_string(), "fd00::1");
  EXPECT_EQ(IpAddress::parse("198.18.0.2")->v4_bits(), 0xc6120002u);
  EXPECT_FALSE(IpAddress::parse("198.18.0"));
  EXPECT_FALSE(IpAddress::parse("198.18.0.256"));
}

TEST(IpAddress, kinds) {
  EXPECT_TRUE(IpAddress::parse("127.9.9.9")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("224.0.0.1")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("255.255.255.255")->is_limited_broadcast());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress().is_unspecified());
}

TEST(Prefix, contains_and_broadcast) {
  const auto prefix = Prefix::parse("198.18.0.2/23");
  ASSERT_TRUE(prefix);
  EXPECT_TRUE(prefix->contains(*IpAddress::parse("198.18.1.77")));
  EXPECT_FALSE(prefix->contains(*IpAddress::parse("198.18.2.1")));
  EXPECT_FALSE(prefix->contains(*IpAddress::parse("fd00::1")));
  EXPECT_EQ(prefix->broadcast_v4().to_string(), "198.18.1.255");
  EXPECT_EQ(Prefix::parse("198.18.0.0/31")->broadcast_v4(), IpAddress::any_v4());
  EXPECT_TRUE(Prefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
}

TEST(Prefix, bad_text_is_refused) {
  for (const char* text :
       {"198.18.0.2", "198.18.0.2/33", "198.18.0.2/", "198.18.0.2/2x", "/24", "fd00::1/129"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

}  // namespace
}  // namespace pollux
