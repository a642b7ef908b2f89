// eventpoll_test.cc - epoll_ctl's errors and their order, lifetimes, accounting (2, 2b, 9, 11).
#include "epoll/eventpoll.h"

#include <thread>

#include "epoll/fd_table.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;
using testing_support::RealPollContext;

// A regular file, to epoll.
class Unpollable final : public File {
 public:
  Unpollable() : File(FileType::kernel, own_, nullptr, 0) {}
  PollEvents poll() override { return kIn | kOut; }
  void on_last_close() override {}
  bool is_pollable() const override { return false; }

 private:
  Entry own_{ThreadMode::shared};
};

TEST_F(EpollTest, epoll_2_1_null_event_is_fault_for_add_mod_and_unknown) {
  EventPoll& set = new_set();
  FakeFile a;
  for (const int op : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, 0, 4, 99}) {
    EXPECT_EQ(set.ctl(op, {&a, 1}, nullptr).error(), Errno::fault) << op;
  }
}

TEST_F(EpollTest, epoll_2_2_del_takes_no_event) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_TRUE(set.ctl(EPOLL_CTL_DEL, {&a, 'A'}, nullptr).ok());
}

TEST_F(EpollTest, epoll_2_4_unpollable_is_eperm_for_every_op) {
  EventPoll& set = new_set();
  Unpollable regular;
  for (const int op : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 99}) {
    EXPECT_EQ(ctl(set, op, {&regular, 1}, EPOLLIN), EPERM) << op;
  }
  EXPECT_EQ(ctl(set, EPOLL_CTL_ADD, {&regular, 1}, EPOLLEXCLUSIVE | EPOLLPRI), EPERM);
}

TEST_F(EpollTest, epoll_2_6_itself_is_einval_for_every_op) {
  EventPoll& set = new_set();
  for (const int op : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 99}) {
    EXPECT_EQ(ctl(set, op, {&set, 1}, EPOLLIN), EINVAL) << op;
  }
}

TEST_F(EpollTest, epoll_2_7_unknown_op_is_einval_registered_or_not) {
  EventPoll& set = new_set();
  FakeFile a;
  for (const int op : {0, 4, -1, 99}) EXPECT_EQ(ctl(set, op, {&a, 'A'}, EPOLLIN), EINVAL);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  for (const int op : {0, 4, -1, 99}) EXPECT_EQ(ctl(set, op, {&a, 'A'}, EPOLLIN), EINVAL);
}

TEST_F(EpollTest, epoll_2_8_exists_and_no_entry) {
  EventPoll& set = new_set();
  FakeFile a;
  EXPECT_EQ(mod(set, a, 'A', EPOLLIN), ENOENT);
  EXPECT_EQ(del(set, a, 'A'), ENOENT);
  EXPECT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(add(set, a, 'A', EPOLLIN), EEXIST);
  EXPECT_EQ(del(set, a, 'A'), 0);
  EXPECT_EQ(del(set, a, 'A'), ENOENT);
}

TEST_F(EpollTest, epoll_2_9_watch_limit) {
  EventPoll::configure({.max_user_watches = 2});
  EventPoll& set = new_set();
  FakeFile a, b, c;
  Unpollable regular;
  EXPECT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(add(set, b, 'B', EPOLLIN), 0);
  EXPECT_EQ(add(set, c, 'C', EPOLLIN), ENOSPC);
  EXPECT_EQ(add(set, b, 'B', EPOLLIN), EEXIST);
  EXPECT_EQ(ctl(set, EPOLL_CTL_ADD, {&regular, 1}, EPOLLIN), EPERM);
  EXPECT_EQ(del(set, c, 'C'), ENOENT);
}

TEST_F(EpollTest, epoll_2_11_unknown_bits_are_stored_and_never_reported) {
  EventPoll& set = new_set();
  FakeFile a(kIn | kOut);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | 0x20 | 1u << 15 | 1u << 20), 0);
  EXPECT_EQ(set.registration({&a, 'A'})->events,
            EPOLLIN | EPOLLERR | EPOLLHUP | 0x20 | 1u << 15 | 1u << 20);
  EXPECT_EQ(events(set).at(0).mask, std::uint32_t{EPOLLIN});
  EXPECT_EQ(mod(set, a, 'A', 0xefffffff), 0);
  FakeFile b;
  EXPECT_EQ(add(set, b, 'B', 0xefffffff), 0);
}

TEST_F(EpollTest, epoll_2_12_wakeup_is_dropped) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | EPOLLWAKEUP), 0);
  EXPECT_EQ(set.registration({&a, 'A'})->events, std::uint32_t{EPOLLIN | EPOLLERR | EPOLLHUP});
}

TEST_F(EpollTest, epoll_2_13_uring_wake_is_accepted_but_not_with_exclusive) {
  EventPoll& set = new_set();
  FakeFile a(kIn);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | kUringWake.bits()), 0);
  EXPECT_EQ(letters(set), "A");
  FakeFile b;
  EXPECT_EQ(add(set, b, 'B', EPOLLIN | EPOLLEXCLUSIVE | kUringWake.bits()), EINVAL);
}

TEST_F(EpollTest, epoll_2_14_err_and_hup_are_always_of_interest) {
  EventPoll& set = new_set();
  FakeFile a(kHup);
  ASSERT_EQ(add(set, a, 'A', 0), 0);
  EXPECT_EQ(set.registration({&a, 'A'})->events, std::uint32_t{EPOLLERR | EPOLLHUP});
  EXPECT_EQ(events(set).at(0).mask, std::uint32_t{EPOLLHUP});
  ASSERT_EQ(mod(set, a, 'A', EPOLLET), 0);
  EXPECT_EQ(set.registration({&a, 'A'})->events,
            std::uint32_t{EPOLLERR | EPOLLHUP} | std::uint32_t{EPOLLET});
}

TEST_F(EpollTest, epoll_2_20_exclusive_with_few_others) {
  EventPoll& set = new_set();
  FakeFile a;
  const std::uint32_t allowed = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP;
  for (const std::uint32_t bits : {0u, allowed, allowed | std::uint32_t{EPOLLET}}) {
    EXPECT_EQ(add(set, a, 'A', EPOLLEXCLUSIVE | bits), 0) << bits;
    EXPECT_EQ(del(set, a, 'A'), 0);
  }
  for (const std::uint32_t bits :
       {std::uint32_t{EPOLLPRI}, std::uint32_t{EPOLLRDHUP}, std::uint32_t{EPOLLRDNORM},
        std::uint32_t{EPOLLWRNORM}, std::uint32_t{EPOLLONESHOT}, 0x20u, 1u << 27, 1u << 15}) {
    EXPECT_EQ(add(set, a, 'A', EPOLLEXCLUSIVE | EPOLLIN | bits), EINVAL) << bits;
  }
}

TEST_F(EpollTest, epoll_2_21_exclusive_set_is_einval_before_eloop) {
  EventPoll& outer = new_set();
  EventPoll& inner = new_set();
  ASSERT_EQ(add(inner, outer, 'O', EPOLLIN), 0);
  EXPECT_EQ(add(outer, inner, 'I', EPOLLIN), ELOOP);
  EXPECT_EQ(add(outer, inner, 'I', EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
}

TEST_F(EpollTest, epoll_2_22_2_23_no_mod_to_or_of_exclusive) {
  EventPoll& set = new_set();
  FakeFile a, b;
  EXPECT_EQ(mod(set, a, 'A', EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
  ASSERT_EQ(add(set, b, 'B', EPOLLIN | EPOLLEXCLUSIVE), 0);
  EXPECT_EQ(mod(set, b, 'B', EPOLLIN), EINVAL);
}

TEST_F(EpollTest, epoll_2_24_add_again_with_exclusive) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(add(set, a, 'A', EPOLLIN | EPOLLEXCLUSIVE), EEXIST);
  EXPECT_EQ(add(set, a, 'A', EPOLLPRI | EPOLLEXCLUSIVE), EINVAL);
}

TEST_F(EpollTest, epoll_2_25_del_of_an_exclusive_item) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN | EPOLLEXCLUSIVE), 0);
  EXPECT_EQ(ctl(set, EPOLL_CTL_DEL, {&a, 'A'}, EPOLLPRI | EPOLLEXCLUSIVE), 0);
}

TEST_F(EpollTest, sets_run_out_as_enfile) {
  EventPoll::configure({.max_sets = 1});
  new_set();
  EXPECT_EQ(EventPoll::create().error(), Errno::system_files);
}

TEST_F(EpollTest, epoll_9_1_last_close_leaves_every_set_without_event) {
  EventPoll& one = new_set();
  EventPoll& two = new_set();
  FakeFile a(kIn);
  ASSERT_EQ(add(one, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(two, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(EventPoll::watches_used(), 2u);
  a.close();
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(letters(one), "");
  EXPECT_EQ(letters(two), "");
  EXPECT_EQ(EventPoll::watches_used(), 0u);
  EXPECT_FALSE(a.is_heard());
}

TEST_F(EpollTest, epoll_9_2_a_dup_keeps_the_item) {
  FdTable table(8);
  EventPoll& set = new_set();
  FakeFile a(kIn);
  ASSERT_EQ(*table.install(a.give(), false), 0);
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&a, 0}, EPOLLIN, 'A'), 0);
  a.get();
  ASSERT_EQ(*table.install(&a, false), 1);
  ASSERT_TRUE(table.close(0).ok());
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(ctl(set, EPOLL_CTL_DEL, {&a, 1}, 0), ENOENT);
  ASSERT_TRUE(table.close(1).ok());
  EXPECT_EQ(letters(set), "");
}

TEST_F(EpollTest, epoll_9_3_the_original_number_again) {
  EventPoll& set = new_set();
  FakeFile a(kIn);
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&a, 0}, EPOLLIN, 'A'), 0);
  EXPECT_EQ(ctl(set, EPOLL_CTL_DEL, {&a, 1}, 0), ENOENT);
  EXPECT_EQ(ctl(set, EPOLL_CTL_DEL, {&a, 0}, 0), 0);
}

TEST_F(EpollTest, epoll_9_4_two_numbers_are_two_items_last_registered_first) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(set, a, 'B', EPOLLIN), 0);
  a.data_arrives();
  EXPECT_EQ(letters(set), "BA");
}

TEST_F(EpollTest, epoll_9_5_a_new_file_at_the_same_number) {
  EventPoll& set = new_set();
  FakeFile old(kIn), fresh(kIn);
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&old, 3}, EPOLLIN, 'O'), 0);
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&fresh, 3}, EPOLLIN, 'F'), 0);
  EXPECT_EQ(letters(set), "OF");
  EXPECT_EQ(ctl(set, EPOLL_CTL_DEL, {&fresh, 3}, 0), 0);
  EXPECT_EQ(letters(set), "O");
}

TEST_F(EpollTest, epoll_9_10_closed_while_waited_on) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  set.get();  // the waiting call's reference
  context.at(Duration::ms(1), [&] { close(set); });
  context.at(Duration::ms(2), [&] { a.data_arrives(); });
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "A");
  a.is_drained();
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "");
  EXPECT_EQ(EventPoll::sets_used(), 1u);
  set.put();
  EXPECT_EQ(EventPoll::sets_used(), 0u);
}

TEST_F(EpollTest, epoll_9_11_close_of_a_watched_file_wakes_nobody) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { a.close(); });
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "");
  EXPECT_EQ(context.sleeps, 1u);
}

TEST_F(EpollTest, epoll_9_12_del_add_and_mod_while_blocked) {
  EventPoll& set = new_set();
  FakeFile a, b(kIn), c(kOut);
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(set, c, 'C', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { del(set, a, 'A'); });
  context.at(Duration::ms(2), [&] { a.data_arrives(); });
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "");
  context.at(Duration::ms(1), [&] { add(set, b, 'B', EPOLLIN | EPOLLET); });
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "B");
  context.at(Duration::ms(1), [&] { mod(set, c, 'C', EPOLLOUT); });
  EXPECT_EQ(letters(set, 8, Duration::ms(10)), "C");
}

TEST_F(EpollTest, epoll_9_14_closing_a_set_releases_its_watches) {
  EventPoll& set = new_set();
  FakeFile a, b;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(set, b, 'B', EPOLLIN), 0);
  close(set);
  EXPECT_EQ(EventPoll::watches_used(), 0u);
  EXPECT_FALSE(a.is_heard());
  a.data_arrives();
}

TEST_F(EpollTest, epoll_11_1_11_2_watches_are_counted_over_all_sets_and_given_back) {
  EventPoll::configure({.max_user_watches = 3});
  EventPoll& one = new_set();
  EventPoll& two = new_set();
  FakeFile a, b, c;
  ASSERT_EQ(add(one, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(two, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(two, b, 'B', EPOLLIN), 0);
  EXPECT_EQ(add(one, c, 'C', EPOLLIN), ENOSPC);
  EXPECT_EQ(del(two, b, 'B'), 0);
  EXPECT_EQ(add(one, c, 'C', EPOLLIN), 0);
  a.close();
  EXPECT_EQ(EventPoll::watches_used(), 1u);
  close(one);
  EXPECT_EQ(EventPoll::watches_used(), 0u);
}

TEST_F(EpollTest, single_mode_from_add_to_close) {
  EventPoll::configure({.threads = ThreadMode::single});
  EventPoll& outer = new_set();
  EventPoll& inner = new_set();
  FakeFile a, b(kIn);
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(outer, b, 'B', EPOLLIN | EPOLLONESHOT), 0);
  EXPECT_EQ(letters(outer), "B");
  context.at(Duration::ms(1), [&] { a.data_arrives(); });
  EXPECT_EQ(letters(outer, 8, Duration::ms(10)), "I");
  EXPECT_EQ(letters(inner), "A");
  ASSERT_EQ(mod(outer, b, 'B', EPOLLIN), 0);
  EXPECT_EQ(letters(outer), "IB");
  close(inner);
  ASSERT_EQ(del(outer, b, 'B'), 0);
  EXPECT_EQ(EventPoll::watches_used(), 0u);
}

TEST_F(EpollTest, single_mode_refuses_what_belongs_to_another_thread) {
  EventPoll::configure({.threads = ThreadMode::single});
  EventPoll& set = new_set();
  Entry foreign(ThreadMode::single);
  std::thread([&] { Entered entered(foreign); }).join();
  class Foreign final : public File {
   public:
    explicit Foreign(Entry& entry) : File(FileType::socket, entry, &entry, 0) {}
    PollEvents poll() override { return {}; }
    void on_last_close() override {}
  } file(foreign);
  EXPECT_EQ(ctl(set, EPOLL_CTL_ADD, {&file, 1}, EPOLLIN), EINVAL);
  FakeFile own;
  EXPECT_EQ(add(set, own, 'O', EPOLLIN), 0);  // now the set is this thread's
  epoll_event event;
  RealPollContext real;
  Result<int> elsewhere = 0;
  std::thread([&] { elsewhere = set.wait({&event, 1}, Instant(), nullptr, real); }).join();
  EXPECT_EQ(elsewhere.error(), Errno::invalid);
}

}  // namespace
}  // namespace pollux
