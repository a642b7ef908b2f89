// routes_test.cc - where packets to a destination leave, and what is local or a broadcast.
#include "stack/ip/routes.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

constexpr InterfaceId kA = 1, kB = 2;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    routes.add_interface(kLoopbackInterface, 65535);
    routes.add_interface(kA, 1500);
    routes.add_interface(kB, 9000);
    routes.add_address(kA, {IpAddress::v4(198, 18, 0, 1), 24});
    routes.add_address(kB, {IpAddress::v4(198, 18, 0, 129), 25});
  }
  Routes routes;
};

TEST_F(RoutesTest, no_route_is_enetunreach) {
  EXPECT_EQ(routes.lookup(IpAddress::v4(203, 0, 113, 1)).error(), Errno::network_unreachable);
  EXPECT_EQ(Routes().lookup(IpAddress::v4(255, 255, 255, 255)).error(), Errno::network_unreachable);
}

TEST_F(RoutesTest, longest_prefix_wins) {
  const auto wide = routes.lookup(IpAddress::v4(198, 18, 0, 2));
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->interface, kA);
  EXPECT_EQ(wide->next_hop, IpAddress::v4(198, 18, 0, 2));
  EXPECT_EQ(wide->source, IpAddress::v4(198, 18, 0, 1));
  EXPECT_EQ(wide->mtu, 1500);
  const auto narrow = routes.lookup(IpAddress::v4(198, 18, 0, 200));
  ASSERT_TRUE(narrow);
  EXPECT_EQ(narrow->interface, kB);
  EXPECT_EQ(narrow->source, IpAddress::v4(198, 18, 0, 129));
  EXPECT_EQ(narrow->mtu, 9000);
}

TEST_F(RoutesTest, gateways) {
  routes.add_gateway({IpAddress::any_v4(), 0}, IpAddress::v4(198, 18, 0, 254));
  routes.add_gateway({IpAddress::v4(203, 0, 113, 0), 24}, IpAddress::v4(198, 18, 0, 9));
  const auto far = routes.lookup(IpAddress::v4(192, 0, 2, 1));
  ASSERT_TRUE(far);
  EXPECT_EQ(far->next_hop, IpAddress::v4(198, 18, 0, 254));
  EXPECT_EQ(far->interface, kB);  // the gateway stands in the narrower network
  EXPECT_EQ(far->source, IpAddress::v4(198, 18, 0, 129));
  const auto near = routes.lookup(IpAddress::v4(203, 0, 113, 5));
  ASSERT_TRUE(near);
  EXPECT_EQ(near->next_hop, IpAddress::v4(198, 18, 0, 9));
  EXPECT_EQ(near->source, IpAddress::v4(198, 18, 0, 1));
}

TEST_F(RoutesTest, our_own_addresses_turn_around) {
  for (const IpAddress& own : {IpAddress::v4(198, 18, 0, 1), IpAddress::v4(198, 18, 0, 129)}) {
    const auto route = routes.lookup(own);
    ASSERT_TRUE(route);
    EXPECT_EQ(route->interface, kLoopbackInterface);
    EXPECT_EQ(route->source, own);
    EXPECT_EQ(route->mtu, 65535);
  }
  EXPECT_EQ(routes.lookup(IpAddress::v4(127, 3, 2, 1))->source, IpAddress::v4(127, 0, 0, 1));
}

TEST_F(RoutesTest, broadcasts_leave_by_their_network) {
  const auto directed = routes.lookup(IpAddress::v4(198, 18, 0, 255));
  ASSERT_TRUE(directed);
  EXPECT_TRUE(directed->is_broadcast);
  EXPECT_EQ(directed->next_hop, IpAddress::v4(198, 18, 0, 255));
  const auto limited = routes.lookup(IpAddress::v4(255, 255, 255, 255));
  ASSERT_TRUE(limited);
  EXPECT_TRUE(limited->is_broadcast);
  EXPECT_EQ(limited->interface, kA);
  const auto group = routes.lookup(IpAddress::v4(224, 0, 0, 251));
  ASSERT_TRUE(group);
  EXPECT_TRUE(group->is_broadcast);
}

TEST_F(RoutesTest, group_through_a_default_route_has_no_gateway) {
  routes.add_gateway({IpAddress::any_v4(), 0}, IpAddress::v4(198, 18, 0, 254));
  EXPECT_EQ(routes.lookup(IpAddress::v4(224, 0, 0, 251))->next_hop, IpAddress::v4(224, 0, 0, 251));
}

TEST_F(RoutesTest, local_and_broadcast_addresses) {
  EXPECT_TRUE(routes.is_local(IpAddress::v4(198, 18, 0, 129)));
  EXPECT_TRUE(routes.is_local(IpAddress::v4(127, 9, 9, 9)));
  EXPECT_FALSE(routes.is_local(IpAddress::v4(198, 18, 0, 2)));
  EXPECT_TRUE(routes.is_local_on(kA, IpAddress::v4(198, 18, 0, 1)));
  EXPECT_FALSE(routes.is_local_on(kB, IpAddress::v4(198, 18, 0, 1)));
  EXPECT_FALSE(routes.is_local_on(kA, IpAddress::v4(127, 0, 0, 1)));
  EXPECT_TRUE(routes.is_local_on(kLoopbackInterface, IpAddress::v4(198, 18, 0, 1)));
  EXPECT_TRUE(routes.is_broadcast(IpAddress::v4(198, 18, 0, 255)));
  EXPECT_TRUE(routes.is_broadcast(IpAddress::v4(255, 255, 255, 255)));
  EXPECT_FALSE(routes.is_broadcast(IpAddress::v4(198, 18, 1, 255)));
  EXPECT_FALSE(routes.is_broadcast(IpAddress::any_v4()));
}

TEST_F(RoutesTest, networks_of_two_have_no_broadcast) {  // RFC 3021
  routes.add_address(kA, {IpAddress::v4(198, 19, 0, 0), 31});
  EXPECT_FALSE(routes.is_broadcast(IpAddress::v4(198, 19, 0, 1)));
  EXPECT_FALSE(routes.lookup(IpAddress::v4(198, 19, 0, 1))->is_broadcast);
}

TEST_F(RoutesTest, where_a_device_is_gone_other_routes_take_over_or_it_is_enetdown) {
  routes.lose(kB);
  const auto wide = routes.lookup(IpAddress::v4(198, 18, 0, 200));
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->interface, kA);
  EXPECT_TRUE(routes.lookup(IpAddress::v4(255, 255, 255, 255)).ok());
  routes.lose(kA);
  EXPECT_EQ(routes.lookup(IpAddress::v4(198, 18, 0, 200)).error(), Errno::network_down);
  EXPECT_EQ(routes.lookup(IpAddress::v4(255, 255, 255, 255)).error(), Errno::network_down);
  EXPECT_EQ(routes.lookup(IpAddress::v4(203, 0, 113, 1)).error(), Errno::network_unreachable);
  EXPECT_EQ(routes.lookup(IpAddress::v4(198, 18, 0, 1))->interface, kLoopbackInterface);
}

TEST_F(RoutesTest, memberships_are_counted) {
  const IpAddress group = IpAddress::v4(224, 5, 5, 5);
  EXPECT_TRUE(routes.is_member(kA, IpAddress::v4(224, 0, 0, 1)));
  routes.join(kA, group);
  routes.join(kA, group);
  routes.leave(kA, group);
  EXPECT_TRUE(routes.is_member(kA, group));
  EXPECT_FALSE(routes.is_member(kB, group));
  routes.leave(kA, group);
  EXPECT_FALSE(routes.is_member(kA, group));
  routes.leave(kA, group);  // nobody is there: nothing happens
}

}  // namespace
}  // namespace pollux
