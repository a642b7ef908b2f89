// pcap_tap_test.cc - what passes is in the file, in order, with its time; what is refused is not.
#include "drivers/pcap_tap.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "drivers/loopback.h"
#include "drivers/pcap_replay.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::Octets;
using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::split_packet;
using testing_support::test_pool;

class PcapTapTest : public testing_support::PoolEndsFull {
 protected:
  void SetUp() override {
    PoolEndsFull::SetUp();
    path_ = testing::TempDir() + "pollux-pcap-" + std::to_string(getpid());
  }
  void TearDown() override {
    unlink(path_.c_str());
    PoolEndsFull::TearDown();
  }
  std::vector<Octets> read_back() {
    DriverError error;
    const auto replay = PcapReplay::open(path_, test_pool(), clock_, ReplayPace::at_once, error);
    EXPECT_TRUE(replay) << error.message;
    std::vector<Octets> frames;
    std::array<Packet, 8> out;
    while (const std::size_t n = replay->rx_burst(out)) {
      for (std::size_t i = 0; i < n; ++i) {
        frames.push_back(octets_of(out[i]));
        out[i].reset();
      }
    }
    EXPECT_TRUE(replay->is_finished());
    return frames;
  }
  ManualClock clock_;
  Rng rng_{3};
  std::string path_;
};

TEST_F(PcapTapTest, both_directions_come_back_octet_by_octet) {
  LoopbackPair pair(64, 9000);
  std::vector<Octets> expected;
  {
    DriverError error;
    const auto tap = PcapTap::open(pair.a(), clock_, {.path = path_}, error);
    ASSERT_TRUE(tap) << error.message;
    std::array<Packet, 1> got;
    for (int i = 0; i < 50; ++i) {
      expected.push_back(random_octets(rng_, 14 + rng_.below(4000)));
      Packet packet = split_packet(
          test_pool(), rng_, Octets(expected.back().begin(), expected.back().begin() + 14), 1);
      for (std::size_t at = 14; at < expected.back().size(); at += 1000) {
        const std::size_t step = std::min<std::size_t>(1000, expected.back().size() - at);
        PacketPool::chain(packet,
                          packet_of(test_pool(), ConstBytes(expected.back()).subspan(at, step)));
      }
      const bool is_sent = i % 2 == 0;
      NetDevice& from = is_sent ? static_cast<NetDevice&>(*tap) : pair.b();
      NetDevice& to = is_sent ? pair.b() : static_cast<NetDevice&>(*tap);
      ASSERT_EQ(from.tx_burst(std::span(&packet, 1)), 1u);
      ASSERT_EQ(to.rx_burst(got), 1u);
      got[0].reset();
    }
    EXPECT_EQ(tap->written(), 50u);
  }
  EXPECT_EQ(read_back(), expected);
}

TEST_F(PcapTapTest, a_tag_taken_off_is_put_back) {
  LoopbackPair pair(4, 1500);
  const Octets octets = random_octets(rng_, 60);
  {
    DriverError error;
    const auto tap = PcapTap::open(pair.a(), clock_, {.path = path_}, error);
    Packet packet = packet_of(test_pool(), octets);
    packet.meta().has_vlan = true;
    packet.meta().vlan_tci = 0x2123;
    ASSERT_EQ(tap->tx_burst(std::span(&packet, 1)), 1u);
  }
  Octets expected(octets.begin(), octets.begin() + 12);
  for (const unsigned o : {0x81u, 0x00u, 0x21u, 0x23u}) expected.push_back(std::byte(o));
  expected.insert(expected.end(), octets.begin() + 12, octets.end());
  EXPECT_EQ(read_back(), std::vector<Octets>{expected});
}

TEST_F(PcapTapTest, what_is_refused_is_not_written) {
  LoopbackPair pair(2, 1500);
  {
    DriverError error;
    const auto tap = PcapTap::open(pair.a(), clock_, {.path = path_}, error);
    std::array<Packet, 3> packets;
    for (Packet& packet : packets) packet = packet_of(test_pool(), random_octets(rng_, 60));
    EXPECT_EQ(tap->tx_burst(packets), 2u);
    EXPECT_TRUE(packets[2]);
  }
  EXPECT_EQ(read_back().size(), 2u);
}

TEST_F(PcapTapTest, a_file_that_cannot_be_written_is_named) {
  LoopbackPair pair(1, 1500);
  DriverError error;
  EXPECT_FALSE(PcapTap::open(pair.a(), clock_, {.path = "/nowhere/x.pcap"}, error));
  EXPECT_EQ(error.error, ENOENT);
  EXPECT_NE(error.message.find("/nowhere/x.pcap"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace pollux
