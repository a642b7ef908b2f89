// own_addresses_test.cc - probes, announcements and defence on a virtual clock.
#include "stack/link/own_addresses.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

constexpr MacAddress kOwner{2, 0, 0, 0, 0, 1}, kOther{2, 0, 0, 0, 0, 9};
const Prefix kAddress{IpAddress::v4(198, 18, 0, 1), 24};

class OwnAddressesTest : public ::testing::Test {
 protected:
  // Moves to the next timeout; the message that is due then.
  std::optional<ArpMessage> step() {
    now = std::max(now, own.next_timeout());
    return own.next_message(now);
  }
  ArpMessage from(const MacAddress& mac, const IpAddress& sender, const IpAddress& target) {
    ArpMessage message;
    message.sender_mac = mac;
    message.sender = sender;
    message.target = target;
    return message;
  }

  Rng rng{1};
  OwnAddresses own{kOwner, rng};
  Instant now = Instant::from_ns(0) + Duration::seconds(100);
};

TEST_F(OwnAddressesTest, silent_says_nothing_and_owns) {
  own.add(kAddress, Claim::silent, now);
  EXPECT_TRUE(own.owns(kAddress.address));
  EXPECT_TRUE(own.next_timeout().is_never());
  EXPECT_FALSE(own.next_message(now));
}

// 5227-2.1 (RFC 5227 2.3).
TEST_F(OwnAddressesTest, announces_twice_two_seconds_apart) {
  own.add(kAddress, Claim::announce, now);
  EXPECT_TRUE(own.owns(kAddress.address));
  const Instant start = now;
  for (int i = 0; i < 2; ++i) {
    const auto message = step();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->operation, ArpMessage::Operation::request);
    EXPECT_EQ(message->sender, kAddress.address);
    EXPECT_EQ(message->target, kAddress.address);
    EXPECT_EQ(message->frame_destination, (MacAddress{255, 255, 255, 255, 255, 255}));
    EXPECT_EQ(now - start, Duration::seconds(2 * i));
  }
  EXPECT_TRUE(own.next_timeout().is_never());
}

// 5227-2.1 (RFC 5227 2.1.1).
TEST_F(OwnAddressesTest, probes_three_times_then_announces) {
  own.add(kAddress, Claim::probe, now);
  EXPECT_FALSE(own.owns(kAddress.address));
  Instant last = now;
  for (int i = 0; i < 3; ++i) {
    const auto probe = step();
    ASSERT_TRUE(probe);
    EXPECT_TRUE(probe->sender.is_unspecified());
    EXPECT_EQ(probe->target, kAddress.address);
    EXPECT_FALSE(own.owns(kAddress.address));
    if (i > 0) {
      EXPECT_GE(now - last, Duration::seconds(1));
      EXPECT_LE(now - last, Duration::seconds(2));
    }
    last = now;
  }
  const auto announcement = step();
  ASSERT_TRUE(announcement);
  EXPECT_EQ(announcement->sender, kAddress.address);
  EXPECT_EQ(now - last, Duration::seconds(2));
  EXPECT_TRUE(own.owns(kAddress.address));
  EXPECT_TRUE(step());
  EXPECT_TRUE(own.next_timeout().is_never());
}

TEST_F(OwnAddressesTest, answer_to_a_probe_means_the_address_is_lost) {
  own.add(kAddress, Claim::probe, now);
  ASSERT_TRUE(step());
  ArpMessage answer = from(kOther, kAddress.address, IpAddress::any_v4());
  answer.operation = ArpMessage::Operation::reply;
  EXPECT_TRUE(own.check_conflict(answer, now));
  EXPECT_FALSE(own.owns(kAddress.address));
  EXPECT_EQ(own.next_timeout(), now + Duration::seconds(60));
}

// 5227-2.1: after ten conflicts at most one attempt a minute; here after the first already. When
// the other has gone the address is ours.
TEST_F(OwnAddressesTest, a_lost_address_is_asked_for_again_once_a_minute) {
  own.add(kAddress, Claim::probe, now);
  const ArpMessage claim = from(kOther, kAddress.address, kAddress.address);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto probe = step();
    ASSERT_TRUE(probe);
    EXPECT_TRUE(probe->sender.is_unspecified());
    EXPECT_TRUE(own.check_conflict(claim, now));
    EXPECT_EQ(own.next_timeout(), now + Duration::seconds(60));
    EXPECT_TRUE(own.check_conflict(claim, now + Duration::seconds(30)));
    EXPECT_FALSE(own.next_message(now + Duration::ms(59'999))) << "nor is it defended";
    EXPECT_FALSE(own.owns(kAddress.address));
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(step());  // three probes, an announcement
  EXPECT_TRUE(own.owns(kAddress.address));
}

TEST_F(OwnAddressesTest, simultaneous_probe_means_the_address_is_lost) {
  own.add(kAddress, Claim::probe, now);
  EXPECT_FALSE(own.check_conflict(from(kOwner, IpAddress::any_v4(), kAddress.address), now));
  EXPECT_TRUE(own.check_conflict(from(kOther, IpAddress::any_v4(), kAddress.address), now));
  EXPECT_FALSE(own.owns(kAddress.address));
}

// 5227-2.1 (RFC 5227 2.4 b).
TEST_F(OwnAddressesTest, defends_once_in_ten_seconds) {
  own.add(kAddress, Claim::silent, now);
  const ArpMessage claim = from(kOther, kAddress.address, IpAddress::v4(198, 18, 0, 7));
  int defences = 0;
  for (int second = 0; second < 30; ++second, now = now + Duration::seconds(1)) {
    EXPECT_TRUE(own.check_conflict(claim, now));
    while (const auto message = own.next_message(now)) {
      EXPECT_EQ(message->sender, kAddress.address);
      ++defences;
    }
  }
  EXPECT_EQ(defences, 3);
  EXPECT_TRUE(own.owns(kAddress.address));
}

TEST_F(OwnAddressesTest, our_own_frames_are_no_conflict) {
  own.add(kAddress, Claim::silent, now);
  EXPECT_FALSE(own.check_conflict(from(kOwner, kAddress.address, kAddress.address), now));
}

TEST_F(OwnAddressesTest, a_probe_of_another_for_what_we_own_is_only_a_question) {
  own.add(kAddress, Claim::silent, now);
  EXPECT_FALSE(own.check_conflict(from(kOther, IpAddress::any_v4(), kAddress.address), now));
}

TEST_F(OwnAddressesTest, sender_is_the_address_in_the_targets_network) {
  EXPECT_TRUE(own.sender_for(IpAddress::v4(198, 18, 0, 9)).is_unspecified());
  own.add(kAddress, Claim::silent, now);
  own.add({IpAddress::v4(198, 19, 0, 1), 24}, Claim::silent, now);
  EXPECT_EQ(own.sender_for(IpAddress::v4(198, 19, 0, 9)), IpAddress::v4(198, 19, 0, 1));
  EXPECT_EQ(own.sender_for(IpAddress::v4(198, 18, 0, 9)), kAddress.address);
  EXPECT_EQ(own.sender_for(IpAddress::v4(192, 0, 2, 1)), kAddress.address);
}

TEST_F(OwnAddressesTest, on_link_are_hosts_of_our_networks) {
  own.add(kAddress, Claim::silent, now);
  own.add({IpAddress::v4(198, 19, 0, 0), 31}, Claim::silent, now);
  EXPECT_TRUE(own.is_on_link(IpAddress::v4(198, 18, 0, 200)));
  EXPECT_FALSE(own.is_on_link(IpAddress::v4(198, 18, 0, 0)));
  EXPECT_FALSE(own.is_on_link(IpAddress::v4(198, 18, 0, 255)));
  EXPECT_FALSE(own.is_on_link(IpAddress::v4(198, 18, 1, 1)));
  EXPECT_FALSE(own.is_on_link(IpAddress::any_v4()));
  EXPECT_FALSE(own.is_on_link(IpAddress()));
  EXPECT_TRUE(own.is_on_link(IpAddress::v4(198, 19, 0, 1)));
  EXPECT_TRUE(own.is_on_link(IpAddress::v4(198, 19, 0, 0)));
}

}  // namespace
}  // namespace pollux
