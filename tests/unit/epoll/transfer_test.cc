// transfer_test.cc - what a wait returns: level, edge and one-shot delivery, order (0, 3, 4, 5, 6).
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::Event;
using testing_support::FakeFile;
using testing_support::FakePollContext;
using testing_support::kEdgeIn;

constexpr std::uint32_t kLevelIn = EPOLLIN;
constexpr std::uint32_t kEdgeOut = std::uint32_t{EPOLLOUT} | EPOLLET;
constexpr std::uint32_t kOnceIn = EPOLLIN | EPOLLONESHOT;

std::vector<Event> one(char letter, std::uint32_t mask) {
  return {{static_cast<std::uint64_t>(letter), mask}};
}

class TransferTest : public EpollTest {
 protected:
  EventPoll& set = new_set();
};

TEST_F(TransferTest, epoll_0_1_the_readiness_of_now_is_reported_not_the_key) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | EPOLLOUT | EPOLLRDHUP), 0);
  a.becomes(kIn | kOut, kReadableKey);
  EXPECT_EQ(events(set), one('A', EPOLLIN | EPOLLOUT));
}

TEST_F(TransferTest, epoll_0_2_a_wake_up_without_key_concerns_every_interest) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLRDHUP | EPOLLET), 0);
  a.becomes(kRdHup, kReadableKey);
  EXPECT_EQ(letters(set), "");
  a.becomes_for_all(kRdHup);
  EXPECT_EQ(events(set), one('A', EPOLLRDHUP));
}

TEST_F(TransferTest, epoll_0_4_leftovers_then_arrivals_then_delivered) {
  FakeFile a(kIn), b(kIn), c(kIn), d, e;
  for (auto [file, letter] : {std::pair{&a, 'A'}, {&b, 'B'}, {&c, 'C'}, {&d, 'D'}, {&e, 'E'}}) {
    ASSERT_EQ(add(set, *file, letter, kLevelIn), 0);
  }
  EXPECT_EQ(letters(set, 2), "AB");
  d.data_arrives();
  e.data_arrives();
  EXPECT_EQ(letters(set), "CABDE");  // those arrived after the walk, so behind
}

// What arrives during the walk itself: a file's poll() is where the test gets a word in.
class Interrupting final : public File {
 public:
  Interrupting() : File(FileType::socket, own_, nullptr, 0) {}
  ~Interrupting() override { put(); }
  PollEvents poll() override {
    if (in_poll) std::exchange(in_poll, nullptr)();
    return ready;
  }
  void on_last_close() override {}

  std::function<void()> in_poll;
  PollEvents ready = kIn;

 private:
  Entry own_{ThreadMode::shared};
};

TEST_F(TransferTest, epoll_0_4_0_5_arrivals_during_the_walk_in_order_of_arrival) {
  FakeFile a(kIn), c(kIn), d, e;
  Interrupting b;
  for (auto [file, letter] :
       {std::pair<File*, char>{&a, 'A'}, {&b, 'B'}, {&c, 'C'}, {&d, 'D'}, {&e, 'E'}}) {
    ASSERT_EQ(add(set, *file, letter, kLevelIn), 0);
  }
  b.in_poll = [&] {
    d.data_arrives();
    e.data_arrives();
    c.data_arrives();  // a leftover: stays where it is
  };
  EXPECT_EQ(letters(set, 2), "AB");
  EXPECT_EQ(letters(set), "CDEAB");
}

TEST_F(TransferTest, epoll_0_5_an_edge_during_the_walk_is_an_event_of_its_own) {
  FakeFile a;
  Interrupting b;
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  a.data_arrives();
  ASSERT_EQ(add(set, b, 'B', kEdgeIn), 0);
  b.in_poll = [&] { a.data_arrives(); };
  EXPECT_EQ(letters(set), "AB");
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
}

TEST_F(TransferTest, epoll_8_4_an_arrival_during_the_walk_wakes_the_outer_set) {
  EventPoll &outer = new_set(), &inner = new_set();
  Interrupting file;
  FakeFile late;
  ASSERT_EQ(add(inner, file, 'F', kEdgeIn), 0);
  ASSERT_EQ(add(inner, late, 'L', kEdgeIn), 0);
  ASSERT_EQ(add(outer, inner, 'I', kEdgeIn), 0);
  EXPECT_EQ(letters(outer), "I");
  file.in_poll = [&] { late.data_arrives(); };
  EXPECT_EQ(letters(inner), "F");
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(inner), "L");
}

// The look finds nothing, but what came meanwhile is on the list: there is no sleep after it.
TEST_F(TransferTest, epoll_0_5_an_arrival_during_a_look_in_vain_is_not_slept_through) {
  Interrupting file;
  FakeFile late;
  file.ready = {};
  ASSERT_EQ(add(set, file, 'F', kEdgeIn), 0);
  ASSERT_EQ(add(set, late, 'L', kEdgeIn), 0);
  context.at(Duration::ms(1), [&] {
    file.in_poll = [&] { late.data_arrives(); };
    Entered entered(file.wait_queue().lock());
    file.wait_queue().wake_up(kIn);
  });
  EXPECT_EQ(letters(set, 64, Duration::ms(10)), "L");
  EXPECT_EQ(context.sleeps, 1u);
}

TEST_F(TransferTest, epoll_3_4_null_pointer_faults_only_if_something_is_ready) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  const std::span<epoll_event> nowhere(static_cast<epoll_event*>(nullptr), 4);
  EXPECT_EQ(wait(set, nowhere, Instant()), 0);
  a.data_arrives();
  EXPECT_EQ(wait(set, nowhere, Instant()), -EFAULT);
  EXPECT_EQ(letters(set), "A");  // 3.5: the edge is not consumed
}

TEST_F(TransferTest, epoll_3_6_data_comes_back_whole_and_mod_replaces_it) {
  FakeFile a(kIn);
  const std::uint64_t data = 0xfedcba9876543210;
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&a, 1}, EPOLLIN, data), 0);
  EXPECT_EQ(events(set).at(0).data, data);
  ASSERT_EQ(ctl(set, EPOLL_CTL_MOD, {&a, 1}, EPOLLIN, ~data), 0);
  EXPECT_EQ(events(set).at(0).data, ~data);
}

TEST_F(TransferTest, epoll_3_10_results_have_no_private_and_no_unrequested_bits) {
  FakeFile a(kIn | kOut | kRdNorm | kPri);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | EPOLLET | EPOLLONESHOT | EPOLLWAKEUP), 0);
  EXPECT_EQ(events(set), one('A', EPOLLIN));
}

TEST_F(TransferTest, epoll_4_1_level_until_drained) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "A");
  a.is_drained();
  EXPECT_EQ(letters(set), "");
}

TEST_F(TransferTest, epoll_4_2_order_of_becoming_ready) {
  FakeFile a, b, c(kIn);
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  ASSERT_EQ(add(set, b, 'B', kLevelIn), 0);
  b.data_arrives();
  ASSERT_EQ(add(set, c, 'C', kLevelIn), 0);
  a.data_arrives();
  b.data_arrives();
  EXPECT_EQ(letters(set), "BCA");
}

TEST_F(TransferTest, epoll_4_3_rotation) {
  FakeFile files[5];
  for (int i = 0; i < 5; ++i) {
    files[i].data_arrives();
    ASSERT_EQ(add(set, files[i], static_cast<char>('A' + i), kLevelIn), 0);
  }
  for (const char* expected : {"AB", "CD", "EA", "BC", "DE", "AB"}) {
    EXPECT_EQ(letters(set, 2), expected);
  }
  for (const char* expected : {"C", "D", "E", "A", "B", "C"}) {
    EXPECT_EQ(letters(set, 1), expected);
  }
}

TEST_F(TransferTest, epoll_4_4_a_newcomer_joins_at_the_tail) {
  FakeFile a(kIn), b(kIn), c(kIn), d;
  for (auto [file, letter] : {std::pair{&a, 'A'}, {&b, 'B'}, {&c, 'C'}, {&d, 'D'}}) {
    ASSERT_EQ(add(set, *file, letter, kLevelIn), 0);
  }
  EXPECT_EQ(letters(set, 1), "A");
  d.data_arrives();
  EXPECT_EQ(letters(set), "BCAD");
}

TEST_F(TransferTest, epoll_4_5_del_of_a_queued_item_and_add_again) {
  FakeFile a(kIn), b(kIn);
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  ASSERT_EQ(add(set, b, 'B', kLevelIn), 0);
  ASSERT_EQ(del(set, a, 'A'), 0);
  EXPECT_EQ(letters(set), "B");
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  EXPECT_EQ(letters(set), "BA");
}

TEST_F(TransferTest, epoll_4_6_mod_does_not_change_the_position) {
  FakeFile a(kIn), b(kIn);
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  ASSERT_EQ(add(set, b, 'B', kLevelIn), 0);
  ASSERT_EQ(mod(set, a, 'A', kLevelIn), 0);
  EXPECT_EQ(letters(set), "AB");
}

TEST_F(TransferTest, epoll_4_7_what_turned_unready_takes_no_slot) {
  FakeFile a(kIn), b(kIn), c(kIn);
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  ASSERT_EQ(add(set, b, 'B', kLevelIn), 0);
  ASSERT_EQ(add(set, c, 'C', kLevelIn), 0);
  a.is_drained();
  EXPECT_EQ(letters(set, 2), "BC");
}

TEST_F(TransferTest, epoll_4_8_one_slot_for_several_bits) {
  FakeFile a(kIn | kOut), b(kIn);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | EPOLLOUT), 0);
  ASSERT_EQ(add(set, b, 'B', kLevelIn), 0);
  EXPECT_EQ(letters(set, 2), "AB");
}

TEST_F(TransferTest, epoll_4_9_idle_files_are_not_asked) {
  FakeFile a(kIn), idle[100];
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&idle[i], 200 + i}, kLevelIn), 0);
  EXPECT_EQ(letters(set), "A");
  for (FakeFile& file : idle) EXPECT_EQ(file.polls(), 1u);  // at ADD
}

TEST_F(TransferTest, epoll_5_1_add_of_a_ready_file_is_one_edge) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
}

TEST_F(TransferTest, epoll_5_2_one_event_per_queueing) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  a.data_arrives();
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
  a.data_arrives();  // old data unread
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, epoll_5_3_5_4_reading_is_no_edge_and_takes_one_back) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  a.data_arrives();
  a.is_drained();
  EXPECT_EQ(letters(set), "");
  a.quietly_becomes(kIn);
  EXPECT_EQ(letters(set), "");
}

TEST_F(TransferTest, epoll_5_5_mod_asks_again) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  ASSERT_EQ(mod(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  a.is_drained();
  ASSERT_EQ(mod(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "");
  a.quietly_becomes(kIn);
  ASSERT_EQ(del(set, a, 'A'), 0);
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, epoll_5_6_edge_reports_all_that_is_ready) {
  FakeFile a(kOut);
  ASSERT_EQ(add(set, a, 'A', kEdgeIn | EPOLLOUT), 0);
  EXPECT_EQ(events(set), one('A', EPOLLOUT));
  a.data_arrives();
  EXPECT_EQ(events(set), one('A', EPOLLIN | EPOLLOUT));
}

TEST_F(TransferTest, epoll_5_7_data_is_no_edge_for_out_alone) {
  FakeFile a(kOut);
  ASSERT_EQ(add(set, a, 'A', kEdgeOut), 0);
  EXPECT_EQ(letters(set), "A");
  a.data_arrives();
  EXPECT_EQ(letters(set), "");
  a.becomes(kOut, kWritableKey);
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, epoll_5_10_edge_leftovers_stay_queued_in_order) {
  FakeFile files[20];
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(add(set, files[i], static_cast<char>('A' + i), kEdgeIn), 0);
    files[i].data_arrives();
  }
  EXPECT_EQ(letters(set, 8), "ABCDEFGH");
  EXPECT_EQ(letters(set, 8), "IJKLMNOP");
  EXPECT_EQ(letters(set, 8), "QRST");
  EXPECT_EQ(letters(set, 8), "");
}

TEST_F(TransferTest, epoll_5_11_mod_away_drops_and_back_asks) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kEdgeIn), 0);
  ASSERT_EQ(mod(set, a, 'A', kEdgeOut), 0);
  EXPECT_EQ(letters(set), "");
  ASSERT_EQ(mod(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, epoll_5_12_between_level_and_edge) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kLevelIn), 0);
  EXPECT_EQ(letters(set), "A");
  ASSERT_EQ(mod(set, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
  ASSERT_EQ(mod(set, a, 'A', kLevelIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, epoll_6_1_6_2_one_shot_is_silent_for_everything_after_one) {
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', kOnceIn), 0);
  a.data_arrives();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(set.registration({&a, 'A'})->events, std::uint32_t{EPOLLONESHOT});
  a.becomes_for_all(kIn | kErr | kHup);
  EXPECT_EQ(letters(set), "");
}

TEST_F(TransferTest, epoll_6_3_mod_arms_again) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kOnceIn), 0);
  EXPECT_EQ(letters(set), "A");
  ASSERT_EQ(mod(set, a, 'A', kOnceIn), 0);
  EXPECT_EQ(letters(set), "A");
  ASSERT_EQ(mod(set, a, 'A', EPOLLONESHOT), 0);
  EXPECT_EQ(letters(set), "");
  a.becomes_for_all(kIn | kHup);
  EXPECT_EQ(events(set), one('A', EPOLLHUP));
}

TEST_F(TransferTest, epoll_6_4_a_disabled_item_is_still_registered) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kOnceIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(add(set, a, 'A', kLevelIn), EEXIST);
  EXPECT_EQ(del(set, a, 'A'), 0);
}

TEST_F(TransferTest, epoll_6_5_a_fault_does_not_consume_the_shot) {
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', kOnceIn), 0);
  EXPECT_EQ(wait(set, {static_cast<epoll_event*>(nullptr), 1}, Instant()), -EFAULT);
  EXPECT_EQ(letters(set), "A");
}

TEST_F(TransferTest, one_entry_per_run_of_items_of_one_stack) {
  // Both files refuse to be asked outside their stack's entry; a run that forgot to change it
  // fails.
  Entry left(ThreadMode::shared), right(ThreadMode::shared);
  FakeFile a(left, kIn), b(left, kIn), c(right, kIn), d(left, kIn);
  for (auto [file, letter] : {std::pair{&a, 'A'}, {&b, 'B'}, {&c, 'C'}, {&d, 'D'}}) {
    ASSERT_EQ(add(set, *file, letter, kLevelIn), 0);
  }
  EXPECT_EQ(letters(set), "ABCD");
  EXPECT_FALSE(left.is_entered());
  EXPECT_FALSE(right.is_entered());
}

}  // namespace
}  // namespace pollux
