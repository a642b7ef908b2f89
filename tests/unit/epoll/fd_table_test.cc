// fd_table_test.cc - FdTable: lowest free number, dup, dup2, close-on-exec, references.
#include "epoll/fd_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::FakeFile;

TEST(FdTable, installs_at_the_lowest_free_number) {
  FdTable table(8);
  FakeFile a, b, c;
  EXPECT_EQ(*table.install(a.give(), false), 0);
  EXPECT_EQ(*table.install(b.give(), false), 1);
  EXPECT_TRUE(table.close(0).ok());
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(*table.install(c.give(), false), 0);
  EXPECT_EQ(table.used(), 2u);
  EXPECT_TRUE(table.close(0).ok());
  EXPECT_TRUE(table.close(1).ok());
  EXPECT_EQ(table.used(), 0u);
}

TEST(FdTable, installs_at_or_above_from) {
  FdTable table(8);
  FakeFile a, b;
  EXPECT_EQ(*table.install(a.give(), false, 5), 5);
  EXPECT_EQ(*table.install(b.give(), false, 5), 6);
  EXPECT_EQ(table.install(&a, false, 8).error(), Errno::invalid);
  EXPECT_EQ(table.install(&a, false, -1).error(), Errno::invalid);
  EXPECT_TRUE(table.close(5).ok());
  EXPECT_TRUE(table.close(6).ok());
}

TEST(FdTable, full_is_emfile_and_leaves_the_reference) {
  FdTable table(1);
  FakeFile a, b;
  ASSERT_TRUE(table.install(a.give(), false).ok());
  EXPECT_EQ(table.install(&b, false).error(), Errno::process_files);
  EXPECT_FALSE(b.closed());
  EXPECT_TRUE(table.close(0).ok());
}

TEST(FdTable, a_reserved_number_is_in_use_but_refers_to_nothing) {
  FdTable table(2);
  FakeFile a, b;
  EXPECT_EQ(*table.reserve(), 0);
  EXPECT_EQ(*table.reserve(), 1);
  EXPECT_EQ(table.reserve().error(), Errno::process_files);
  EXPECT_EQ(table.install(&a, false).error(), Errno::process_files);
  EXPECT_EQ(table.install_at(&a, false, 0).error(), Errno::busy);
  EXPECT_EQ(table.close(0).error(), Errno::bad_descriptor);
  EXPECT_FALSE(table.get(0));
  EXPECT_EQ(table.used(), 2u);
  table.fill(1, a.give(), true);
  EXPECT_EQ(table.get(1).get(), &a);
  EXPECT_TRUE(*table.close_on_exec(1));
  table.cancel(0);
  EXPECT_EQ(*table.install(b.give(), false), 0);
  EXPECT_TRUE(table.close(0).ok());
  EXPECT_TRUE(table.close(1).ok());
  EXPECT_EQ(table.used(), 0u);
}

TEST(FdTable, unknown_numbers_are_ebadf) {
  FdTable table(4);
  for (const int number : {-1, 0, 3, 4, INT32_MAX}) {
    EXPECT_EQ(table.close(number).error(), Errno::bad_descriptor);
    EXPECT_FALSE(table.get(number));
    EXPECT_EQ(table.peek(number), nullptr);
    EXPECT_EQ(table.close_on_exec(number).error(), Errno::bad_descriptor);
    EXPECT_EQ(table.set_close_on_exec(number, true).error(), Errno::bad_descriptor);
  }
}

// V27: who looked a number up keeps the file it had then.
TEST(FdTable, a_reference_outlives_its_number) {
  FdTable table(4);
  FakeFile a;
  const int number = *table.install(a.give(), false);
  {
    FileRef ref = table.get(number);
    EXPECT_TRUE(table.close(number).ok());
    EXPECT_FALSE(a.closed());
    EXPECT_EQ(ref.get(), &a);
  }
  EXPECT_TRUE(a.closed());
}

TEST(FdTable, epoll_9_6_install_at_replaces_and_ends) {
  FdTable table(4);
  FakeFile a, b;
  ASSERT_EQ(*table.install(a.give(), false), 0);
  EXPECT_TRUE(table.install_at(b.give(), true, 0).ok());
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(table.peek(0), &b);
  EXPECT_EQ(table.used(), 1u);
  EXPECT_EQ(table.install_at(&b, false, 4).error(), Errno::bad_descriptor);
  EXPECT_TRUE(table.close(0).ok());
}

TEST(FdTable, close_on_exec_belongs_to_the_number) {
  FdTable table(4);
  FakeFile a;
  ASSERT_EQ(*table.install(a.give(), true), 0);
  a.get();
  ASSERT_EQ(*table.install(&a, false), 1);
  EXPECT_TRUE(*table.close_on_exec(0));
  EXPECT_FALSE(*table.close_on_exec(1));
  EXPECT_TRUE(table.set_close_on_exec(1, true).ok());
  EXPECT_TRUE(*table.close_on_exec(1));
  EXPECT_TRUE(table.close(0).ok());
  EXPECT_FALSE(a.closed());
  EXPECT_TRUE(table.close(1).ok());
}

TEST(FdTable, epoll_15_4_table_grows_like_linux) {
  FdTable table(100'000);
  FakeFile a, b, c;
  EXPECT_EQ(table.table_size(), 64u);
  ASSERT_TRUE(table.install(a.give(), false, 63).ok());
  EXPECT_EQ(table.table_size(), 64u);
  ASSERT_TRUE(table.install(b.give(), false, 64).ok());
  EXPECT_EQ(table.table_size(), 128u);
  ASSERT_TRUE(table.install(c.give(), false, 3000).ok());
  EXPECT_EQ(table.table_size(), 4096u);
  for (const int number : {63, 64, 3000}) EXPECT_TRUE(table.close(number).ok());
}

// A giver of numbers: the next ones to give, and those that came back.
std::vector<int> to_give, given_back;
constexpr ForeignNumbers kGiver{.take =
                                    [] {
                                      if (to_give.empty()) return errno = EMFILE, -1;
                                      const int number = to_give.front();
                                      to_give.erase(to_give.begin());
                                      return number;
                                    },
                                .give_back = [](int number) { given_back.push_back(number); }};

class ForeignFdTable : public testing::Test {
 protected:
  ForeignFdTable() { to_give = given_back = {}; }
  FdTable table{16, kGiver};
};

TEST_F(ForeignFdTable, numbers_come_from_the_giver_and_go_back) {
  FakeFile a;
  to_give = {7};
  EXPECT_EQ(*table.install(a.give(), false), 7);
  EXPECT_EQ(table.peek(7), &a);
  EXPECT_EQ(table.peek(0), nullptr);
  EXPECT_TRUE(table.close(7).ok());
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(given_back, std::vector{7});
}

TEST_F(ForeignFdTable, what_the_giver_says_is_the_answer) {
  FakeFile a;
  EXPECT_EQ(table.install(&a, false).error(), Errno::process_files);
  to_give = {16};
  EXPECT_EQ(table.install(&a, false).error(), Errno::process_files);
  EXPECT_EQ(given_back, std::vector{16});
  to_give = {3};
  EXPECT_EQ(*table.reserve(), 3);
  table.cancel(3);
  EXPECT_EQ(given_back.back(), 3);
}

TEST_F(ForeignFdTable, a_forgotten_number_does_not_go_back) {
  FakeFile a;
  to_give = {2};
  ASSERT_EQ(*table.install(a.give(), false), 2);
  EXPECT_TRUE(table.forget(2).ok());
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(table.forget(2).error(), Errno::bad_descriptor);
  EXPECT_TRUE(given_back.empty());
}

TEST_F(ForeignFdTable, a_number_given_twice_was_closed_behind_its_back) {
  FakeFile a, b;
  to_give = {2, 2};
  ASSERT_EQ(*table.install(a.give(), false), 2);
  ASSERT_EQ(*table.install(b.give(), false), 2);
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(table.peek(2), &b);
  EXPECT_EQ(table.used(), 1u);
  EXPECT_TRUE(table.close(2).ok());
}

TEST_F(ForeignFdTable, install_at_takes_a_number_that_is_open_already) {
  FakeFile a;
  EXPECT_TRUE(table.install_at(a.give(), false, 5).ok());
  EXPECT_EQ(table.peek(5), &a);
  EXPECT_TRUE(table.close(5).ok());
  EXPECT_EQ(given_back, std::vector{5});
}

}  // namespace
}  // namespace pollux
