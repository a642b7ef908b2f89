// delayed_ack_test.cc - when an ACK is owed: at once, soon, or with the answer.
#include "stack/tcp/delayed_ack.h"

#include <gtest/gtest.h>

#include "stack/tcp/shared.h"

namespace pollux::tcp {
namespace {

const TcpConfig kConfig;
const Instant kStart = Instant::from_ns(10'000'000'000);

TEST(DelayedAck, one_small_segment_waits_less_than_half_a_second) {  // MUST-40, SHLD-18
  DelayedAck ack;
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  EXPECT_FALSE(ack.is_due());
  EXPECT_EQ(ack.deadline(), kStart + Duration::ms(40));
  ack.timeout(kStart + Duration::ms(39), kConfig);
  EXPECT_FALSE(ack.is_due());
  ack.timeout(kStart + Duration::ms(40), kConfig);
  EXPECT_TRUE(ack.is_due());
  ack.ack_sent();
  EXPECT_FALSE(ack.is_due());
  EXPECT_TRUE(ack.deadline().is_never());
}

TEST(DelayedAck, second_full_segment_is_acknowledged) {  // SHLD-19; 2525 2.13
  DelayedAck ack;
  ack.text_arrived({1460, 1460, 1460}, kConfig, kStart);
  EXPECT_FALSE(ack.is_due());
  ack.text_arrived({1460, 2920, 1460}, kConfig, kStart);
  EXPECT_TRUE(ack.is_due());
}

TEST(DelayedAck, first_acks_are_quick) {
  DelayedAck ack;
  ack.start_quick();
  for (int i = 0; i < 16; ++i) {
    ack.text_arrived({100, 100, 1460}, kConfig, kStart);
    EXPECT_TRUE(ack.is_due());
    ack.ack_sent();
  }
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  EXPECT_FALSE(ack.is_due());
}

TEST(DelayedAck, a_dialogue_is_not_acknowledged_quickly) {
  DelayedAck ack;
  ack.start_quick();
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  ack.text_sent(kStart + Duration::ms(1));
  ack.ack_sent();
  ack.text_arrived({100, 100, 1460}, kConfig, kStart + Duration::ms(2));
  EXPECT_FALSE(ack.is_due());
}

TEST(DelayedAck, a_small_segment_is_acknowledged_when_all_is_read) {
  DelayedAck ack;
  EXPECT_FALSE(ack.all_read());
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  EXPECT_TRUE(ack.all_read());
  EXPECT_TRUE(ack.is_due());
  ack.ack_sent();
  EXPECT_FALSE(ack.all_read());
}

TEST(DelayedAck, a_full_segment_is_acknowledged_when_read_only_if_pushed) {
  for (const bool pushed : {false, true}) {
    DelayedAck ack;
    ack.text_arrived({1460, 1460, 1460, pushed}, kConfig, kStart);
    EXPECT_EQ(ack.all_read(), pushed);
  }
}

TEST(DelayedAck, in_a_dialogue_the_answer_brings_it_unless_two_came) {
  DelayedAck ack;
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  ack.text_sent(kStart + Duration::ms(1));
  ack.ack_sent();
  ack.text_arrived({100, 100, 1460}, kConfig, kStart + Duration::ms(2));
  EXPECT_FALSE(ack.all_read());
  ack.text_arrived({100, 200, 1460}, kConfig, kStart + Duration::ms(2));
  EXPECT_TRUE(ack.all_read());
}

TEST(DelayedAck, the_delay_grows_to_200_ms) {
  DelayedAck ack;
  Instant now = kStart;
  for (int i = 0; i < 10; ++i) {
    ack.text_arrived({100, 100, 1460}, kConfig, now);
    now = ack.deadline();
    ack.timeout(now, kConfig);
    ack.ack_sent();
  }
  ack.text_arrived({100, 100, 1460}, kConfig, now);
  EXPECT_EQ(ack.deadline() - now, Duration::ms(200));
}

TEST(DelayedAck, duplicates_are_counted_and_replaced) {  // RFC 5681 4.2; MUST-59
  DelayedAck ack;
  ack.owe_duplicate();
  ack.owe_duplicate();
  EXPECT_EQ(ack.duplicates(), 2u);
  ack.duplicate_sent();
  EXPECT_EQ(ack.duplicates(), 1u);
  ack.replace_duplicates();
  EXPECT_EQ(ack.duplicates(), 0u);
  EXPECT_TRUE(ack.is_due());
}

TEST(DelayedAck, quickack_option_sends_what_waits) {
  DelayedAck ack;
  ack.text_arrived({100, 100, 1460}, kConfig, kStart);
  ack.set_quick(true);
  EXPECT_TRUE(ack.is_due());
}

}  // namespace
}  // namespace pollux::tcp
