// closed_test.cc - the RST that answers a segment of no connection.
#include "stack/tcp/closed.h"

#include <gtest/gtest.h>

namespace pollux::tcp {
namespace {

Segment segment(SeqNum seq, SeqNum ack, Control ctl, std::uint32_t text_length = 0) {
  Segment seg;
  seg.seq = seq;
  seg.ack = ack;
  seg.ctl = ctl;
  seg.text_length = text_length;
  return seg;
}

// RFC 9293 3.10.7.1.
TEST(Closed, rst_is_never_answered) {
  EXPECT_FALSE(reset_for(segment(SeqNum(1), SeqNum(2), RST)));
  EXPECT_FALSE(reset_for(segment(SeqNum(1), SeqNum(2), RST | ACK)));
  EXPECT_FALSE(reset_for(segment(SeqNum(1), SeqNum(2), RST | SYN)));
}

TEST(Closed, ack_gives_the_sequence_number) {
  const auto reset = reset_for(segment(SeqNum(100), SeqNum(777), ACK, 10));
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->seq, SeqNum(777));
  EXPECT_EQ(reset->ctl, Control(RST));
  EXPECT_EQ(reset->text_length, 0u);
}

TEST(Closed, without_ack_everything_sent_is_acknowledged) {
  const auto syn = reset_for(segment(SeqNum(100), SeqNum(0), SYN));
  ASSERT_TRUE(syn);
  EXPECT_EQ(syn->seq, SeqNum(0));
  EXPECT_EQ(syn->ack, SeqNum(101));
  EXPECT_EQ(syn->ctl, RST | ACK);
  const auto all = reset_for(segment(SeqNum(0xfffffff0), SeqNum(0), SYN | FIN, 100));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->ack, SeqNum(0xfffffff0) + 102);
}

}  // namespace
}  // namespace pollux::tcp
