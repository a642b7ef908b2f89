// ports_test.cc - who may share a port with whom, and how connects are spread over the ports.
#include "stack/tcp/ports.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace pollux::tcp {
namespace {

constexpr HashKey kPortKey = {7, 7, 7};
const IpAddress kAny = IpAddress::any_v4();
const IpAddress kOne = IpAddress::v4(198, 18, 0, 1);
const IpAddress kTwo = IpAddress::v4(198, 18, 0, 2);
const IpAddress kAnyV6 = IpAddress();
constexpr PortSharing kAlone{};
constexpr PortSharing kReuseAddress{.reuse_address = true};
constexpr PortSharing kReusePort{.reuse_port = true};
constexpr PortSharing kV6Only{.v6_only = true};

class PortsTest : public ::testing::Test {
 protected:
  PortUse* must_bind(const Endpoint& local, const PortSharing& sharing) {
    Result<PortUse*> use = ports_.bind(local, sharing);
    EXPECT_TRUE(use.ok());
    return use ? *use : nullptr;
  }
  bool may_bind(const Endpoint& local, const PortSharing& sharing) {
    Result<PortUse*> use = ports_.bind(local, sharing);
    if (!use) {
      EXPECT_EQ(use.error(), Errno::address_in_use);
      return false;
    }
    ports_.release(**use);
    return true;
  }
  // As a connect does it, with every tuple free.
  std::uint16_t connect(const Endpoint& remote) {
    const Ports::Walk walk = ports_.start_walk(kOne, remote);
    for (std::uint32_t step = 0; step < kEphemeralCount; ++step) {
      PortUse* use = ports_.take_automatic({kOne, walk.candidate(step)}, kAlone);
      if (!use) continue;
      ports_.finish_walk(walk, step);
      held_.push_back(use);
      return use->port;
    }
    return 0;
  }

  Ports ports_{4096, kPortKey, 1};
  std::vector<PortUse*> held_;
};

TEST_F(PortsTest, one_address_conflicts_with_itself_and_with_the_wildcard) {
  PortUse* one = must_bind({kOne, 80}, kAlone);
  EXPECT_FALSE(may_bind({kOne, 80}, kAlone));
  EXPECT_FALSE(may_bind({kAny, 80}, kAlone));
  EXPECT_FALSE(may_bind({kAnyV6, 80}, kAlone));
  EXPECT_TRUE(may_bind({kAnyV6, 80}, kV6Only));
  EXPECT_TRUE(may_bind({kTwo, 80}, kAlone));
  EXPECT_TRUE(may_bind({kOne, 81}, kAlone));
  ports_.release(*one);
  EXPECT_TRUE(may_bind({kOne, 80}, kAlone));
  EXPECT_EQ(ports_.used(), 0u);
}

TEST_F(PortsTest, the_wildcard_excludes_every_address) {
  PortUse* any = must_bind({kAny, 80}, kAlone);
  EXPECT_FALSE(may_bind({kOne, 80}, kAlone));
  EXPECT_FALSE(may_bind({kAnyV6, 80}, kAlone));
  EXPECT_TRUE(may_bind({kAnyV6, 80}, kV6Only));
  ports_.release(*any);
  PortUse* v6 = must_bind({kAnyV6, 80}, kV6Only);
  EXPECT_TRUE(may_bind({kAny, 80}, kAlone));
  EXPECT_FALSE(may_bind({kAnyV6, 80}, kAlone));
  ports_.release(*v6);
}

TEST_F(PortsTest, reuse_address_must_be_said_by_both) {
  PortUse* first = must_bind({kOne, 80}, kReuseAddress);
  EXPECT_FALSE(may_bind({kOne, 80}, kAlone));
  EXPECT_FALSE(may_bind({kOne, 80}, kReusePort));
  EXPECT_TRUE(may_bind({kOne, 80}, kReuseAddress));
  ports_.set_sharing(*first, kAlone);
  EXPECT_FALSE(may_bind({kOne, 80}, kReuseAddress));
  ports_.release(*first);
}

TEST_F(PortsTest, reuse_address_does_not_share_with_one_who_listens) {
  PortUse* first = must_bind({kOne, 80}, kReuseAddress);
  PortUse* second = must_bind({kOne, 80}, kReuseAddress);
  EXPECT_TRUE(ports_.listen(*first).ok());
  const Result<void> refused = ports_.listen(*second);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::address_in_use);
  EXPECT_FALSE(may_bind({kOne, 80}, kReuseAddress));
  ports_.stop_listening(*first);
  EXPECT_TRUE(ports_.listen(*second).ok());
  ports_.release(*first);
  ports_.release(*second);
}

TEST_F(PortsTest, reuse_port_shares_even_with_one_who_listens) {
  PortUse* first = must_bind({kOne, 80}, kReusePort);
  EXPECT_TRUE(ports_.listen(*first).ok());
  PortUse* second = must_bind({kOne, 80}, kReusePort);
  EXPECT_TRUE(ports_.listen(*second).ok());
  EXPECT_FALSE(may_bind({kOne, 80}, kAlone));
  EXPECT_FALSE(may_bind({kOne, 80}, kReuseAddress));
  ports_.release(*first);
  ports_.release(*second);
}

// A server that starts again while connections of the old one live, or wait.
TEST_F(PortsTest, children_of_a_listener_hold_its_port_with_its_sharing) {
  for (const PortSharing sharing : {kAlone, kReuseAddress}) {
    PortUse* listener = must_bind({kAny, 80}, sharing);
    ASSERT_TRUE(ports_.listen(*listener).ok());
    PortUse* child = *ports_.join(*listener, kOne);
    PortUse* sibling = *ports_.join(*listener, kOne);
    EXPECT_EQ(child, sibling);
    ports_.stop_listening(*listener);
    ports_.release(*listener);
    EXPECT_EQ(may_bind({kAny, 80}, sharing), sharing.reuse_address);
    EXPECT_TRUE(may_bind({kTwo, 80}, sharing));
    ports_.release(*child);
    EXPECT_EQ(may_bind({kAny, 80}, sharing), sharing.reuse_address);
    ports_.release(*sibling);
    EXPECT_TRUE(may_bind({kAny, 80}, sharing));
  }
  EXPECT_EQ(ports_.used(), 0u);
}

TEST_F(PortsTest, port_0_gives_distinct_free_ports_of_the_range) {
  std::set<std::uint16_t> seen;
  std::vector<PortUse*> uses;
  for (int i = 0; i < 1000; ++i) {
    PortUse* use = must_bind({kAny, 0}, kReuseAddress);
    EXPECT_GE(use->port, kEphemeralFirst);
    EXPECT_TRUE(seen.insert(use->port).second);
    uses.push_back(use);
  }
  for (PortUse* use : uses) ports_.release(*use);
  EXPECT_EQ(ports_.used(), 0u);
}

TEST_F(PortsTest, port_0_with_every_port_taken_is_refused) {
  Ports all(kEphemeralCount + 1, kPortKey, 1);
  for (std::uint32_t i = 0; i < kEphemeralCount; ++i) ASSERT_TRUE(all.bind({kAny, 0}, kAlone).ok());
  const Result<PortUse*> refused = all.bind({kAny, 0}, kAlone);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::address_in_use);
}

TEST_F(PortsTest, no_more_holders_than_the_limit_says) {
  Ports two(2, kPortKey, 1);
  ASSERT_TRUE(two.bind({kAny, 1}, kAlone).ok());
  ASSERT_TRUE(two.bind({kAny, 2}, kAlone).ok());
  const Result<PortUse*> refused = two.bind({kAny, 3}, kAlone);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::no_memory);
}

TEST_F(PortsTest, a_connect_passes_over_ports_that_are_bound) {
  const Endpoint remote{kTwo, 443};
  const Ports::Walk walk = ports_.start_walk(kOne, remote);
  PortUse* bound = must_bind({kTwo, walk.candidate(0)}, kReuseAddress);
  EXPECT_EQ(connect(remote), walk.candidate(1));
  ports_.release(*bound);
}

TEST_F(PortsTest, automatic_ports_are_shared_by_connects_and_refused_to_bind) {
  PortUse* first = ports_.take_automatic({kOne, 20000}, kAlone);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(ports_.take_automatic({kOne, 20000}, kAlone), first);
  EXPECT_FALSE(may_bind({kOne, 20000}, kReuseAddress));
  ports_.release(*first);
  EXPECT_FALSE(may_bind({kAny, 20000}, kAlone));
  ports_.release(*first);
  EXPECT_TRUE(may_bind({kAny, 20000}, kAlone));
}

// 6056-3.3, V10: 10^5 connects, each to the next destination, and 10^5 to one: 15 bits of entropy
// (49,152 ports have 15.58, of which 10^5 draws show 15.2), and no port tells the next one's.
TEST_F(PortsTest, rfc_6056_successive_destinations_are_not_correlated) {
  constexpr int kConnects = 100'000;
  for (const bool is_one : {false, true}) {
    std::map<std::uint16_t, double> counts;
    double sum = 0, squares = 0, products = 0, before = 0;
    for (int i = 0; i < kConnects; ++i) {
      const auto n = static_cast<std::uint32_t>(is_one ? 0 : i);
      const std::uint16_t port = connect({IpAddress::v4(0xc6120000u + n), 443});
      ports_.release(*held_.back());
      held_.pop_back();
      ++counts[port];
      const double x = port / 65536.0 - 0.5;
      sum += x, squares += x * x, products += x * before;
      before = x;
    }
    double entropy = 0;
    for (const auto& [port, count] : counts) {
      entropy -= count / kConnects * std::log2(count / kConnects);
    }
    EXPECT_GE(entropy, 15.0);
    if (is_one) continue;  // the ports of one destination follow each other, that is the algorithm
    const double mean = sum / kConnects, variance = squares / kConnects - mean * mean;
    EXPECT_LT(std::abs(products / kConnects - mean * mean) / variance, 0.01);
  }
}

// 6056-3.3 (RFC 6056 3.3): ports to one destination go through the whole range and are not simply
// the next.
TEST_F(PortsTest, rfc_6056_ports_have_15_bits_of_entropy) {
  std::map<std::uint16_t, double> counts;
  constexpr int kConnects = 1'000'000;
  for (int i = 0; i < kConnects; ++i) {
    ++counts[connect({kTwo, static_cast<std::uint16_t>(i % 1000)})];
    ports_.release(*held_.back());
    held_.pop_back();
  }
  double entropy = 0;
  for (const auto& [port, count] : counts) {
    EXPECT_GE(port, kEphemeralFirst);
    entropy -= count / kConnects * std::log2(count / kConnects);
  }
  EXPECT_GE(entropy, 15.0);
}

// 6056-3.3, V10 (CVE-2022-1012, CVE-2024-10603): what one destination sees says nothing about
// another.
TEST_F(PortsTest, rfc_6056_destinations_do_not_share_a_counter) {
  int adjacent = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    const int mine = connect({kTwo, port});
    const int other = connect({kTwo, static_cast<std::uint16_t>(port + 10000)});
    if (std::abs(mine - other) < 16) ++adjacent;
  }
  EXPECT_LE(adjacent, 5);  // by chance: 1000 * 31 / 49152
  for (PortUse* use : held_) ports_.release(*use);
}

TEST_F(PortsTest, another_secret_walks_elsewhere) {
  Ports other(16, {9}, 1);
  int same = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    same +=
        ports_.start_walk(kOne, {kTwo, port}).start == other.start_walk(kOne, {kTwo, port}).start;
  }
  EXPECT_LE(same, 2);
}

}  // namespace
}  // namespace pollux::tcp
