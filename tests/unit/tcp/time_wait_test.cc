// time_wait_test.cc - what TIME-WAIT answers, RFC 6191's decision table, and the list by age.
#include "stack/tcp/time_wait.h"

#include <gtest/gtest.h>

namespace pollux::tcp {
namespace {

constexpr SeqNum kSndNxt(5000);
constexpr SeqNum kRcvNxt(9000);
constexpr Instant kNow = Instant::from_ns(1'000'000'000'000);

TimeWait time_wait(bool has_timestamps = false) {
  TimeWait block;
  block.state = {.snd_nxt = kSndNxt,
                 .rcv_nxt = kRcvNxt,
                 .rcv_wnd = 1000,
                 .has_timestamps = has_timestamps,
                 .ts_recent = 500,
                 .ts_offset = 77};
  return block;
}

Segment segment(SeqNum seq, Control ctl, std::uint32_t text_length = 0) {
  Segment seg;
  seg.seq = seq;
  seg.ack = kSndNxt;
  seg.ctl = ctl;
  seg.text_length = text_length;
  return seg;
}

Segment syn_with_timestamp(SeqNum seq, std::uint32_t ts_val) {
  Segment seg = segment(seq, SYN);
  seg.options.has_timestamps = true;
  seg.options.ts_val = ts_val;
  return seg;
}

TEST(TimeWait, rfc_1337_rst_is_ignored_wherever_it_stands) {
  for (const SeqNum seq : {kRcvNxt - 1, kRcvNxt, kRcvNxt + 1, kRcvNxt + 999, kRcvNxt + 1000}) {
    EXPECT_EQ(segment_arrives(time_wait(), segment(seq, RST), kNow), TimeWaitVerdict::ignore);
    EXPECT_EQ(segment_arrives(time_wait(), segment(seq, RST | ACK), kNow), TimeWaitVerdict::ignore);
  }
}

// MUST-13.
TEST(TimeWait, must_13_the_peers_fin_again_restarts_2_msl) {
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt - 1, FIN | ACK), kNow),
            TimeWaitVerdict::restart);
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt - 101, FIN | ACK, 100), kNow),
            TimeWaitVerdict::restart);
  TimeWait throttled = time_wait();
  throttled.next_ack_at = kNow + Duration::ms(1);
  EXPECT_EQ(segment_arrives(throttled, segment(kRcvNxt - 1, FIN | ACK), kNow),
            TimeWaitVerdict::restart);
}

TEST(TimeWait, the_ack_that_is_expected_says_nothing_new) {
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt, ACK), kNow), TimeWaitVerdict::ignore);
}

// 5961-5.2: of what was never sent, or so old that no window reaches back to it. Without the ACK
// bit the field says nothing.
TEST(TimeWait, an_ack_that_cannot_be_is_answered) {
  for (const std::uint32_t off_by : {1u, 0x80000000u, 0x7fffffffu, 0xbfff0000u}) {
    Segment seg = segment(kRcvNxt, ACK);
    seg.ack = kSndNxt + off_by;
    EXPECT_EQ(segment_arrives(time_wait(), seg, kNow), TimeWaitVerdict::acknowledge) << off_by;
    seg.ctl = PSH;
    EXPECT_EQ(segment_arrives(time_wait(), seg, kNow), TimeWaitVerdict::ignore);
  }
  Segment old = segment(kRcvNxt, ACK);
  old.ack = kSndNxt - (65535u << 14);
  EXPECT_EQ(segment_arrives(time_wait(), old, kNow), TimeWaitVerdict::ignore);
}

TEST(TimeWait, what_is_unacceptable_is_acknowledged_but_not_too_often) {
  TimeWait block = time_wait();
  const Segment old = segment(kRcvNxt - 500, ACK, 100);
  EXPECT_EQ(segment_arrives(block, old, kNow), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(segment_arrives(block, segment(kRcvNxt, ACK, 10), kNow), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(segment_arrives(block, segment(kRcvNxt + 50, FIN | ACK), kNow),
            TimeWaitVerdict::acknowledge);
  block.next_ack_at = kNow + Duration::ns(1);
  EXPECT_EQ(segment_arrives(block, old, kNow), TimeWaitVerdict::ignore);
  EXPECT_EQ(segment_arrives(block, old, kNow + Duration::ns(1)), TimeWaitVerdict::acknowledge);
}

// 7323-5.3: neither the last ACK nor the FIN, whatever its numbers.
TEST(TimeWait, paws_what_is_too_old_is_acknowledged_and_changes_nothing) {
  for (const Control ctl : {Control(ACK), FIN | ACK}) {
    Segment seg = segment(ctl.has(FIN) ? kRcvNxt - 1 : kRcvNxt, ctl);
    seg.options.has_timestamps = true;
    seg.options.ts_val = 499;
    EXPECT_EQ(segment_arrives(time_wait(true), seg, kNow), TimeWaitVerdict::acknowledge);
    seg.options.ts_val = 500;
    EXPECT_EQ(segment_arrives(time_wait(true), seg, kNow),
              ctl.has(FIN) ? TimeWaitVerdict::restart : TimeWaitVerdict::ignore);
  }
}

// 6191-2; MAY-2, RFC 6191 2.
TEST(TimeWait, rfc_6191_without_timestamps_the_sequence_number_decides) {
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt + 1, SYN), kNow), TimeWaitVerdict::reopen);
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt, SYN), kNow),
            TimeWaitVerdict::acknowledge);
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt - 1, SYN), kNow),
            TimeWaitVerdict::acknowledge);
  EXPECT_EQ(segment_arrives(time_wait(true), segment(kRcvNxt - 1, SYN), kNow),
            TimeWaitVerdict::acknowledge);
  EXPECT_EQ(segment_arrives(time_wait(), syn_with_timestamp(kRcvNxt - 1, 501), kNow),
            TimeWaitVerdict::acknowledge);
}

// 6191-2, SHLD-4.
TEST(TimeWait, rfc_6191_with_timestamps_the_newer_one_wins) {
  const TimeWait block = time_wait(true);
  const auto verdict = [&](SeqNum seq, std::uint32_t ts_val) {
    return segment_arrives(block, syn_with_timestamp(seq, ts_val), kNow);
  };
  EXPECT_EQ(verdict(kRcvNxt - 1000, 501), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(kRcvNxt + 1000, 501), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(kRcvNxt + 1, 500), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(kRcvNxt, 500), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(verdict(kRcvNxt + 1, 499), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(verdict(kRcvNxt + 1, 500 + 0x80000001u), TimeWaitVerdict::acknowledge);
}

TEST(TimeWait, rfc_6191_a_syn_with_ack_opens_nothing) {
  EXPECT_EQ(segment_arrives(time_wait(), segment(kRcvNxt + 1, SYN | ACK), kNow),
            TimeWaitVerdict::acknowledge);
}

TEST(TimeWait, the_acknowledgement_is_the_last_one_again) {
  const Segment plain = acknowledgement(time_wait(), kNow);
  EXPECT_EQ(plain.seq, kSndNxt);
  EXPECT_EQ(plain.ack, kRcvNxt);
  EXPECT_EQ(plain.wnd, 1000u);
  EXPECT_EQ(plain.ctl, Control(ACK));
  EXPECT_FALSE(plain.options.has_timestamps);
  const Segment stamped = acknowledgement(time_wait(true), kNow);
  EXPECT_EQ(stamped.options.ts_val, 1'000'000u + 77);
  EXPECT_EQ(stamped.options.ts_ecr, 500u);
}

TEST(TimeWait, the_next_connection_starts_beyond_the_old_window) {
  EXPECT_GT(sequence_number_after(time_wait()), kSndNxt + 65535);
}

TEST(TimeWaits, are_kept_by_age_and_bounded) {
  TimeWaits all(3);
  const Duration msl2 = Duration::seconds(60);
  TimeWait* blocks[3];
  for (unsigned i = 0; i < 3; ++i) {
    const FourTuple tuple{.local = {.port = static_cast<std::uint16_t>(i)}};
    blocks[i] = all.create(tuple, {}, kNow + Duration::seconds(i) + msl2);
    ASSERT_NE(blocks[i], nullptr);
  }
  EXPECT_EQ(all.create({}, {}, kNow + msl2), nullptr);
  EXPECT_EQ(all.oldest(), blocks[0]);
  EXPECT_EQ(all.next_timeout(), kNow + msl2);
  all.restart(*blocks[0], kNow + Duration::seconds(3) + msl2);
  EXPECT_EQ(all.oldest(), blocks[1]);
  all.destroy(*blocks[1]);
  EXPECT_EQ(all.oldest(), blocks[2]);
  all.destroy(*blocks[2]);
  all.destroy(*blocks[0]);
  EXPECT_EQ(all.size(), 0u);
  EXPECT_TRUE(all.next_timeout().is_never());
}

}  // namespace
}  // namespace pollux::tcp
