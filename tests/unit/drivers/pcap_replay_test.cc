// pcap_replay_test.cc - a capture file as a device: pace, broken files, a pool that runs out.
#include "drivers/pcap_replay.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "drivers/loopback.h"
#include "drivers/pcap_tap.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::packet_of;
using testing_support::random_octets;
using testing_support::test_pool;

class PcapReplayTest : public testing_support::PoolEndsFull {
 protected:
  void SetUp() override {
    PoolEndsFull::SetUp();
    path_ = testing::TempDir() + "pollux-replay-" + std::to_string(getpid());
  }
  void TearDown() override {
    unlink(path_.c_str());
    PoolEndsFull::TearDown();
  }
  // `count` frames, 10 ms apart.
  void write_file(int count) {
    LoopbackPair pair(8, 1500);
    DriverError error;
    const auto tap = PcapTap::open(pair.a(), clock_, {.path = path_}, error);
    ASSERT_TRUE(tap) << error.message;
    std::array<Packet, 1> out;
    for (int i = 0; i < count; ++i) {
      Packet packet = packet_of(test_pool(), random_octets(rng_, 60));
      tap->tx_burst(std::span(&packet, 1));
      pair.b().rx_burst(out);
      out[0].reset();
      clock_.advance(Duration::ms(10));
    }
  }
  std::unique_ptr<PcapReplay> open(ReplayPace pace) {
    DriverError error;
    auto replay = PcapReplay::open(path_, test_pool(), clock_, pace, error);
    EXPECT_TRUE(replay) << error.message;
    return replay;
  }
  ManualClock clock_;
  Rng rng_{5};
  std::string path_;
};

TEST_F(PcapReplayTest, as_captured_keeps_the_distances) {
  write_file(3);
  clock_.advance(Duration::seconds(1000));
  const auto replay = open(ReplayPace::as_captured);
  std::array<Packet, 4> out;
  ASSERT_EQ(replay->rx_burst(out), 1u);
  out[0].reset();
  EXPECT_EQ(replay->next_event(), clock_.now() + Duration::ms(10));
  EXPECT_EQ(replay->rx_burst(out), 0u);
  clock_.advance(Duration::ms(20));
  EXPECT_EQ(replay->rx_burst(out), 2u);
  EXPECT_TRUE(replay->is_finished());
  EXPECT_TRUE(replay->next_event().is_never());
}

TEST_F(PcapReplayTest, an_empty_pool_delays_and_loses_nothing) {
  write_file(5);
  const auto replay = open(ReplayPace::at_once);
  std::vector<Packet> taken;
  while (Packet packet = test_pool().allocate()) taken.push_back(std::move(packet));
  std::array<Packet, 8> out;
  EXPECT_EQ(replay->rx_burst(out), 0u);
  taken.clear();
  EXPECT_EQ(replay->rx_burst(out), 5u);
}

TEST_F(PcapReplayTest, what_is_sent_is_counted_and_freed) {
  write_file(1);
  const auto replay = open(ReplayPace::at_once);
  Packet packet = packet_of(test_pool(), random_octets(rng_, 60));
  EXPECT_EQ(replay->tx_burst(std::span(&packet, 1)), 1u);
  EXPECT_EQ(replay->sent(), 1u);
}

TEST_F(PcapReplayTest, a_cut_file_ends_where_it_is_cut) {
  write_file(3);
  const long whole = 24 + 3 * (16 + 60);
  ASSERT_EQ(truncate(path_.c_str(), whole - 10), 0);
  const auto replay = open(ReplayPace::at_once);
  std::array<Packet, 8> out;
  EXPECT_EQ(replay->rx_burst(out), 2u);
  EXPECT_EQ(replay->skipped(), 1u);
  EXPECT_TRUE(replay->is_finished());
}

TEST_F(PcapReplayTest, errors_name_the_file_and_the_reason) {
  DriverError error;
  EXPECT_FALSE(PcapReplay::open("/nowhere", test_pool(), clock_, ReplayPace::at_once, error));
  EXPECT_EQ(error.error, ENOENT);
  EXPECT_NE(error.message.find("/nowhere"), std::string::npos) << error.message;
  std::ofstream(path_) << "this is no capture file at all, but text of some length";
  EXPECT_FALSE(PcapReplay::open(path_, test_pool(), clock_, ReplayPace::at_once, error));
  EXPECT_NE(error.message.find("unknown file format"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace pollux
