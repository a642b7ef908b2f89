// listener_test.cc - the two lists of a listener and their limits.
#include "stack/tcp/listener.h"

#include <gtest/gtest.h>

#include <array>

namespace pollux::tcp {

// What Tcp does with the lists is in bookkeeping_test.cc.
class ListenerTest : public ::testing::Test {
 protected:
  Listener listener_{{IpAddress::v4(198, 18, 0, 2), 80}, nullptr, {}, 2};
  std::array<TcpLinks, 80> child_;
};

TEST_F(ListenerTest, children_go_from_one_list_to_the_other_in_order) {
  for (int i = 0; i < 3; ++i) listener_.add_half_open(child_[static_cast<std::size_t>(i)]);
  EXPECT_EQ(listener_.half_open(), 3u);
  EXPECT_FALSE(listener_.is_acceptable());
  listener_.complete(child_[2]);
  listener_.complete(child_[0]);
  EXPECT_EQ(listener_.half_open(), 1u);
  EXPECT_EQ(listener_.waiting(), 2u);
  EXPECT_EQ(listener_.first_waiting(), &child_[2]);
  listener_.remove(child_[2]);
  EXPECT_EQ(child_[2].listener, nullptr);
  EXPECT_EQ(listener_.first_waiting(), &child_[0]);
  listener_.remove(child_[0]);
  listener_.remove(child_[1]);
  EXPECT_EQ(listener_.first_half_open(), nullptr);
  EXPECT_EQ(listener_.first_waiting(), nullptr);
}

TEST_F(ListenerTest, one_more_than_the_backlog_may_wait) {
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(listener_.is_accept_queue_full());
    listener_.add_half_open(child_[i]);
    listener_.complete(child_[i]);
  }
  EXPECT_TRUE(listener_.is_accept_queue_full());
  listener_.set_backlog(3);
  EXPECT_FALSE(listener_.is_accept_queue_full());
}

TEST_F(ListenerTest, small_backlogs_leave_room_for_a_burst_of_handshakes) {
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_FALSE(listener_.is_half_open_full());
    listener_.add_half_open(child_[i]);
  }
  EXPECT_TRUE(listener_.is_half_open_full());
  listener_.set_backlog(100);
  EXPECT_FALSE(listener_.is_half_open_full());
}

TEST_F(ListenerTest, each_completed_connection_is_an_edge) {  // epoll-behaviours 16.70
  EXPECT_FALSE(listener_.take_readable());
  listener_.add_half_open(child_[0]);
  EXPECT_FALSE(listener_.take_readable());
  listener_.complete(child_[0]);
  EXPECT_TRUE(listener_.take_readable());
  EXPECT_FALSE(listener_.take_readable());
  listener_.add_half_open(child_[1]);
  listener_.complete(child_[1]);
  EXPECT_TRUE(listener_.take_readable());
}

TEST_F(ListenerTest, deferring_is_for_bare_acks_and_for_a_time) {
  const Instant start = Instant::from_ns(1'000'000'000);
  Segment bare;
  bare.ctl = ACK;
  Segment text;
  text.ctl = ACK;
  text.text_length = 1;
  Segment fin;
  fin.ctl = ACK | FIN;
  child_[0].created = start;
  EXPECT_FALSE(listener_.defers(child_[0], bare, start));
  listener_.set_defer_accept(Duration::seconds(5));
  EXPECT_TRUE(listener_.defers(child_[0], bare, start));
  EXPECT_FALSE(listener_.defers(child_[0], text, start));
  EXPECT_FALSE(listener_.defers(child_[0], fin, start));
  EXPECT_FALSE(listener_.defers(child_[0], bare, start + Duration::seconds(5)));
}

}  // namespace pollux::tcp
