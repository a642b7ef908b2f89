// impair_test.cc - Impair: each misfortune by itself, in its stated measure, from a seed.
#include "drivers/impair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "drivers/loopback.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/packets.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::Octets;
using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::test_pool;

// A numbered packet of 100 octets.
Packet numbered(std::uint32_t number) {
  Octets octets(100);
  std::memcpy(octets.data(), &number, sizeof number);
  return packet_of(test_pool(), octets);
}

std::uint32_t number_of(const Packet& packet) {
  std::uint32_t number = 0;
  std::memcpy(&number, packet.data(), sizeof number);
  return number;
}

// `params` on what a sends to b; everything due at `now` is taken at b.
class ImpairTest : public testing_support::PoolEndsFull {
 protected:
  void TearDown() override {
    device_.reset();
    PoolEndsFull::TearDown();
  }
  void impair(const ImpairParams& params, std::uint64_t seed = 42) {
    device_.emplace(pair_.a(), test_pool(), clock_,
                    Impair::Params{.rx = {}, .tx = params, .seed = seed});
  }
  void send(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Packet packet = numbered(sent_++);
      ASSERT_EQ(device_->tx_burst(std::span(&packet, 1)), 1u);
    }
  }
  std::vector<std::uint32_t> receive() {
    std::vector<std::uint32_t> numbers;
    std::array<Packet, 32> out;
    do {
      device_->tx_burst({});
      while (const std::size_t n = pair_.b().rx_burst(out)) {
        for (std::size_t i = 0; i < n; ++i) {
          numbers.push_back(number_of(out[i]));
          out[i].reset();
        }
      }
    } while (device_->next_event() <= clock_.now());
    return numbers;
  }
  // Sends and receives one at a time, so that no queue is the limit.
  std::vector<std::uint32_t> exchange(std::uint32_t count) {
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      send(1);
      const auto some = receive();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }

  ManualClock clock_;
  LoopbackPair pair_{64, 1500};
  std::optional<Impair> device_;
  std::uint32_t sent_ = 0;
};

TEST_F(ImpairTest, nothing_set_passes_everything_in_order_at_once) {
  impair({});
  const auto got = exchange(500);
  ASSERT_EQ(got.size(), 500u);
  for (std::uint32_t i = 0; i < 500; ++i) EXPECT_EQ(got[i], i);
}

TEST_F(ImpairTest, loss_is_as_likely_as_it_says) {
  impair({.loss = 0.1});
  const std::size_t got = exchange(10'000).size();
  EXPECT_GT(got, 8'850u);  // 9,000 +- 5 standard deviations
  EXPECT_LT(got, 9'150u);
  EXPECT_EQ(device_->tx_counts().lost, 10'000 - got);
}

TEST_F(ImpairTest, duplicates_come_beside_their_originals) {
  impair({.duplicate = 0.25});
  const auto got = exchange(4'000);
  EXPECT_EQ(got.size(), 4'000 + device_->tx_counts().duplicated);
  EXPECT_GT(device_->tx_counts().duplicated, 863u);
  EXPECT_LT(device_->tx_counts().duplicated, 1'137u);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST_F(ImpairTest, corruption_flips_one_bit_and_not_in_the_senders_memory) {
  impair({.corrupt = 1});
  Octets octets(100, std::byte{0x55});
  Text text = test_pool().allocate_text();
  text.append(octets);
  for (int i = 0; i < 200; ++i) {
    Packet packet = test_pool().refer(*text.node(), 0, 100);
    device_->tx_burst(std::span(&packet, 1));
    std::array<Packet, 1> out;
    ASSERT_EQ(pair_.b().rx_burst(out), 1u);
    const Octets got = octets_of(out[0]);
    int bits = 0;
    for (std::size_t k = 0; k < 100; ++k) {
      bits += std::popcount(static_cast<unsigned>(got[k] ^ octets[k]));
    }
    EXPECT_EQ(bits, 1);
  }
  EXPECT_EQ(std::memcmp(text.bytes().data(), octets.data(), 100), 0);
}

TEST_F(ImpairTest, corruption_makes_the_checksum_unknown_on_receipt) {
  Impair device(pair_.b(), test_pool(), clock_, {.rx = {.corrupt = 1}, .tx = {}, .seed = 1});
  Packet packet = numbered(1);
  pair_.a().tx_burst(std::span(&packet, 1));
  std::array<Packet, 1> out;
  ASSERT_EQ(device.rx_burst(out), 1u);
  EXPECT_EQ(out[0].meta().l4_checksum, Checksum::unknown);
  EXPECT_EQ(device.rx_counts().corrupted, 1u);
}

TEST_F(ImpairTest, delay_holds_until_its_time_and_says_when) {
  impair({.delay = Duration::ms(5)});
  const Instant start = clock_.now();
  send(3);
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(device_->next_event(), start + Duration::ms(5));
  clock_.advance(Duration::ns(4'999'999));
  EXPECT_TRUE(receive().empty());
  clock_.advance(Duration::ns(1));
  EXPECT_EQ(receive().size(), 3u);
  EXPECT_TRUE(device_->next_event().is_never());
}

TEST_F(ImpairTest, jitter_varies_the_delay_and_keeps_the_order) {
  impair({.delay = Duration::ms(5), .jitter = Duration::ms(2)});
  Duration least = Duration::seconds(1), most;
  for (int i = 0; i < 200; ++i) {
    clock_.advance(Duration::ms(20));
    send(1);
    const Duration delay = device_->next_event() - clock_.now();
    least = std::min(least, delay);
    most = std::max(most, delay);
    clock_.set(device_->next_event());
    EXPECT_EQ(receive().size(), 1u);
  }
  EXPECT_GE(least, Duration::ms(3));
  EXPECT_LT(least, Duration::us(3'300));
  EXPECT_LE(most, Duration::ms(7));
  EXPECT_GT(most, Duration::us(6'700));
  send(50);
  clock_.advance(Duration::ms(10));
  const auto got = receive();
  ASSERT_EQ(got.size(), 50u);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST_F(ImpairTest, reordered_packets_arrive_after_later_ones) {
  impair({.reorder = 0.2, .delay = Duration::ms(1)});
  std::vector<std::uint32_t> got;
  for (int i = 0; i < 1'000; ++i) {
    clock_.advance(Duration::us(100));
    send(1);
    const auto some = receive();
    got.insert(got.end(), some.begin(), some.end());
  }
  clock_.advance(Duration::ms(5));
  const auto rest = receive();
  got.insert(got.end(), rest.begin(), rest.end());
  EXPECT_EQ(got.size(), 1'000u);
  EXPECT_FALSE(std::is_sorted(got.begin(), got.end()));
  EXPECT_GT(device_->tx_counts().reordered, 137u);
  EXPECT_LT(device_->tx_counts().reordered, 263u);
}

TEST_F(ImpairTest, rate_spaces_packets_by_their_time_on_the_line) {
  impair({.rate_bits_per_s = 8'000'000});  // 100 octets: 100 us
  const Instant start = clock_.now();
  send(4);
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(device_->next_event(), start + Duration::us(100 * i));
    clock_.set(device_->next_event());
    EXPECT_EQ(receive().size(), 1u);
  }
}

TEST_F(ImpairTest, a_full_queue_loses_the_newest) {
  impair({.delay = Duration::ms(1), .queue_packets = 10});
  send(25);
  EXPECT_EQ(device_->tx_counts().overflowed, 15u);
  clock_.advance(Duration::ms(1));
  const auto got = receive();
  ASSERT_EQ(got.size(), 10u);
  EXPECT_EQ(got.back(), 9u);
}

TEST_F(ImpairTest, what_the_device_refuses_goes_out_later_in_order) {
  impair({.delay = Duration::ms(1), .queue_packets = 200});
  send(150);
  clock_.advance(Duration::ms(1));
  device_->tx_burst({});  // 64 fit into the loopback
  const auto got = receive();
  ASSERT_EQ(got.size(), 150u);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST_F(ImpairTest, one_seed_gives_one_history) {
  const ImpairParams all{.loss = 0.1, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1};
  std::vector<std::uint32_t> histories[3];
  const std::uint64_t seeds[3] = {5, 5, 6};
  for (int i = 0; i < 3; ++i) {
    sent_ = 0;
    impair(all, seeds[i]);
    histories[i] = exchange(300);
  }
  EXPECT_EQ(histories[0], histories[1]);
  EXPECT_NE(histories[0], histories[2]);
}

}  // namespace
}  // namespace pollux
