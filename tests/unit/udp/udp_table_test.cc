// udp_table_test.cc - who may bind what, and whose a datagram is.
#include "stack/udp/udp_table.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <vector>

namespace pollux {
namespace {

const IpAddress kAny = IpAddress::any_v4(), kUs = IpAddress::v4(198, 18, 0, 1),
                kUs2 = IpAddress::v4(198, 19, 0, 1), kPeer = IpAddress::v4(198, 18, 0, 2);

struct Named : UdpEndpoint {};

class UdpTableTest : public ::testing::Test {
 protected:
  ~UdpTableTest() override {
    for (Named& endpoint : endpoints) table.unbind(endpoint);
  }
  Named& make(bool reuse_address = false, bool reuse_port = false) {
    Named& endpoint = endpoints.emplace_back();
    endpoint.reuse_address = reuse_address;
    endpoint.reuse_port = reuse_port;
    return endpoint;
  }
  Named& bound(const IpAddress& address, std::uint16_t port, bool reuse_address = false,
               bool reuse_port = false) {
    Named& endpoint = make(reuse_address, reuse_port);
    EXPECT_TRUE(table.bind(endpoint, {address, port}));
    return endpoint;
  }
  Result<void> bind_another(const IpAddress& address, std::uint16_t port) {
    return table.bind(make(), {address, port});
  }
  UdpEndpoint* find(const IpAddress& to, std::uint16_t port, const IpAddress& from = kPeer,
                    std::uint16_t from_port = 9) {
    return table.find({{to, port}, {from, from_port}});
  }

  Rng rng{1};
  UdpTable table{1024, UdpTable::PortRange(), rng};
  std::deque<Named> endpoints;
};

TEST_F(UdpTableTest, nobody_is_there) { EXPECT_EQ(find(kUs, 53), nullptr); }

TEST_F(UdpTableTest, exact_address_before_wildcard) {
  Named& any = bound(kAny, 53, true);
  Named& exact = bound(kUs, 53, true);
  EXPECT_EQ(find(kUs, 53), &exact);
  EXPECT_EQ(find(kUs2, 53), &any);
  EXPECT_EQ(find(kUs, 54), nullptr);
}

TEST_F(UdpTableTest, a_peer_with_port_0_is_a_host) {
  bound(kAny, 53, true);
  Named& host = bound(kAny, 53, true, true);
  table.connect(host, kUs, {kPeer, 0});
  EXPECT_EQ(find(kUs, 53, kPeer, 9), &host);
  EXPECT_EQ(find(kUs, 53, kPeer, 10), &host);
  EXPECT_NE(find(kUs, 53, kUs2, 9), &host);
  EXPECT_NE(find(kUs2, 53, kPeer, 9), &host);
}

TEST_F(UdpTableTest, connected_pair_first) {
  Named& any = bound(kAny, 53, true);
  Named& pair = bound(kAny, 53, true);
  table.connect(pair, kUs, {kPeer, 9});
  EXPECT_EQ(pair.local.address, kUs);
  EXPECT_EQ(find(kUs, 53, kPeer, 9), &pair);
  EXPECT_EQ(find(kUs, 53, kPeer, 10), &any) << "a connected socket hears only its peer";
}

TEST_F(UdpTableTest, connect_again_and_disconnect) {
  Named& pair = bound(kAny, 53);
  table.connect(pair, kUs, {kPeer, 9});
  table.connect(pair, kUs, {kPeer, 10});
  EXPECT_EQ(find(kUs, 53, kPeer, 9), nullptr);
  EXPECT_EQ(find(kUs, 53, kPeer, 10), &pair);
  table.disconnect(pair, kAny);
  EXPECT_EQ(find(kUs2, 53, kPeer, 9), &pair);
  EXPECT_FALSE(pair.is_connected);
  table.unbind(pair);
  EXPECT_EQ(find(kUs2, 53), nullptr);
  EXPECT_FALSE(pair.is_bound);
}

TEST_F(UdpTableTest, second_bind_of_one_socket_is_einval) {
  Named& endpoint = bound(kAny, 53);
  EXPECT_EQ(table.bind(endpoint, {kAny, 54}).error(), Errno::invalid);
}

TEST_F(UdpTableTest, taken_port_is_eaddrinuse) {
  bound(kUs, 53);
  EXPECT_EQ(bind_another(kUs, 53).error(), Errno::address_in_use);
  EXPECT_EQ(bind_another(kAny, 53).error(), Errno::address_in_use);
  EXPECT_TRUE(bind_another(kUs2, 53));
  EXPECT_TRUE(bind_another(kUs, 54));
}

TEST_F(UdpTableTest, reuse_needs_both) {
  struct Case {
    bool first_address, first_port, second_address, second_port, is_allowed;
  };
  std::uint16_t port = 1000;
  for (const Case& c :
       {Case{true, false, true, false, true}, Case{true, false, false, false, false},
        Case{false, false, true, false, false}, Case{false, true, false, true, true},
        Case{false, true, true, false, false}, Case{true, false, false, true, false},
        Case{true, true, false, true, true}}) {
    bound(kAny, ++port, c.first_address, c.first_port);
    EXPECT_EQ(table.bind(make(c.second_address, c.second_port), {kAny, port}).ok(), c.is_allowed)
        << port;
  }
}

TEST_F(UdpTableTest, reuse_port_is_of_one_user) {
  bound(kAny, 53, false, true);
  Named& other = make(false, true);
  other.owner = 1000;
  EXPECT_EQ(table.bind(other, {kAny, 53}).error(), Errno::address_in_use);
}

TEST_F(UdpTableTest, among_equals_the_last_bound) {
  bound(kAny, 53, true);
  Named& second = bound(kAny, 53, true);
  EXPECT_EQ(find(kUs, 53), &second);
}

TEST_F(UdpTableTest, reuse_port_spreads_flows_and_keeps_each) {
  for (int i = 0; i < 4; ++i) bound(kAny, 53, false, true);
  std::vector<unsigned> hits(4);
  for (unsigned flow = 0; flow < 4000; ++flow) {
    const auto port = static_cast<std::uint16_t>(1024 + flow);
    UdpEndpoint* member = find(kUs, 53, kPeer, port);
    ASSERT_NE(member, nullptr);
    ASSERT_EQ(find(kUs, 53, kPeer, port), member);
    for (std::size_t i = 0; i < 4; ++i) hits[i] += &endpoints[i] == member;
  }
  for (const unsigned count : hits) {
    EXPECT_GT(count, 800u);
    EXPECT_LT(count, 1200u);
  }
}

TEST_F(UdpTableTest, broadcast_reaches_all_that_match) {
  Named& any = bound(kAny, 53, true);
  Named& second = bound(kAny, 53, true);
  bound(kUs, 53, true);  // bound to an address: no broadcasts
  Named& pair = bound(kAny, 53, true);
  table.connect(pair, IpAddress::v4(255, 255, 255, 255), {kPeer, 9});
  bound(kAny, 54);
  std::set<UdpEndpoint*> seen;
  table.for_each_match({{IpAddress::v4(255, 255, 255, 255), 53}, {kPeer, 9}},
                       [&](UdpEndpoint& endpoint) { seen.insert(&endpoint); });
  EXPECT_EQ(seen, (std::set<UdpEndpoint*>{&any, &second, &pair}));
  seen.clear();
  table.for_each_match({{IpAddress::v4(255, 255, 255, 255), 53}, {kPeer, 10}},
                       [&](UdpEndpoint& endpoint) { seen.insert(&endpoint); });
  EXPECT_EQ(seen, (std::set<UdpEndpoint*>{&any, &second}));
}

// 6056-3.3, 8085-3.1/3.2 (RFC 8085 5.1), V10.
TEST_F(UdpTableTest, port_0_is_a_random_free_one) {
  std::set<std::uint16_t> ports;
  double sum = 0;
  for (int i = 0; i < 4000; ++i) {
    Named& endpoint = bound(kAny, 0);
    EXPECT_GE(endpoint.local.port, 16384);
    EXPECT_TRUE(ports.insert(endpoint.local.port).second) << "taken twice";
    sum += endpoint.local.port;
  }
  EXPECT_NEAR(sum / 4000, (16384 + 65535) / 2.0, 1000);  // uniform: deviation 225
}

TEST_F(UdpTableTest, port_0_does_not_share_with_reuse) {
  UdpTable small(64, {50000, 50000}, rng);
  Named& first = make(true, true);
  Named& second = make(true, true);
  EXPECT_TRUE(small.bind(first, {kAny, 0}));
  EXPECT_EQ(small.bind(second, {kUs, 0}).error(), Errno::address_in_use);
  small.unbind(first);
  EXPECT_TRUE(small.bind(second, {kUs, 0}));
  small.unbind(second);
}

TEST_F(UdpTableTest, range_exhausted_is_eaddrinuse) {
  UdpTable small(64, {100, 119}, rng);
  std::deque<Named> all(21);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(small.bind(all[static_cast<std::size_t>(i)], {kAny, 0}));
  EXPECT_EQ(small.bind(all[20], {kAny, 0}).error(), Errno::address_in_use);
  for (Named& endpoint : all) small.unbind(endpoint);
}

TEST_F(UdpTableTest, many_pairs_of_one_port) {
  for (unsigned i = 0; i < 3000; ++i) {
    Named& pair = bound(kAny, 53, true);
    table.connect(pair, kUs, {IpAddress::v4(198, 18, i >> 8, i & 0xff), 9});
  }
  for (unsigned i = 0; i < 3000; ++i) {
    EXPECT_EQ(find(kUs, 53, IpAddress::v4(198, 18, i >> 8, i & 0xff)), &endpoints[i]);
  }
}

TEST_F(UdpTableTest, ids_of_ping_sockets) {
  UdpTable ping(64, {1, 65535}, rng);
  Named& socket = make();
  ASSERT_TRUE(ping.bind(socket, {kAny, 0}));
  EXPECT_NE(socket.local.port, 0);
  EXPECT_EQ(ping.find({{kUs, socket.local.port}, {kPeer, 0}}), &socket);
  ping.unbind(socket);
}

}  // namespace
}  // namespace pollux
