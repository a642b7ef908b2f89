// poll_select_test.cc - poll(2), select(2) and waiting for one file (7.7, 9.13, 14, 15).
#include "epoll/poll_select.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <list>

#include "epoll/kernel_files.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;

class PollTest : public EpollTest {
 protected:
  ~PollTest() override {
    for (int i = 0; i < static_cast<int>(table.capacity()); ++i) {
      const bool is_open = table.peek(i) != nullptr;
      EXPECT_EQ(table.close(i).ok(), is_open);
    }
  }
  FakeFile& new_file(PollEvents ready = {}, NapiSet napis = 0) {
    return files.emplace_back(ready, napis);
  }
  int install(FakeFile& file, int at = 0) { return *table.install(file.give(), false, at); }
  int poll(std::span<pollfd> fds, Duration timeout = {}) {
    const Instant deadline = timeout == Duration() ? Instant() : context.now() + timeout;
    const Result<int> n = poll_files(table, fds, {deadline, nullptr, context, params});
    return n.ok() ? *n : -static_cast<int>(n.error());
  }
  int select(int n, SelectSets sets, Duration timeout = {}) {
    const Instant deadline = timeout == Duration() ? Instant() : context.now() + timeout;
    const Result<int> found = select_files(table, n, sets, {deadline, nullptr, context, params});
    return found.ok() ? *found : -static_cast<int>(found.error());
  }

  std::list<FakeFile> files;  // they outlive their descriptors
  FdTable table{200};
  BusyPollParams params;
};

TEST_F(PollTest, epoll_14_1_readiness_and_interest_and_err_hup) {
  FakeFile& a = new_file(kIn | kOut | kHup);
  pollfd fds[] = {{install(a), POLLIN | POLLNVAL, 0}};
  EXPECT_EQ(poll(fds), 1);
  EXPECT_EQ(fds[0].revents, POLLIN | POLLHUP);
}

TEST_F(PollTest, epoll_14_2_14_3_negative_is_ignored_and_duplicates_count) {
  FakeFile& a = new_file(kIn);
  const int fd = install(a);
  pollfd fds[] = {{-1, POLLIN, 77}, {fd, POLLIN, 0}, {fd, POLLIN, 0}, {fd, POLLOUT, 1}};
  EXPECT_EQ(poll(fds), 2);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[3].revents, 0);
}

TEST_F(PollTest, epoll_14_4_unopened_is_nval_at_once) {
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), POLLIN, 0}, {150, POLLIN, 0}};
  EXPECT_EQ(poll(fds, Duration::seconds(100)), 1);
  EXPECT_EQ(fds[1].revents, POLLNVAL);
  EXPECT_EQ(context.sleeps, 0u);
}

TEST_F(PollTest, epoll_14_5_events_0_still_hears_err_and_hup) {
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), 0, 0}};
  context.at(Duration::ms(1), [&] { a.becomes_for_all(kIn | kErr | kHup); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  EXPECT_EQ(fds[0].revents, POLLERR | POLLHUP);
}

TEST_F(PollTest, epoll_14_6_15_9_regular_files_are_always_ready) {
  const int kernel = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const int fd = *table.install(*KernelFile::create(kernel), false);
  pollfd fds[] = {{fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0}};
  EXPECT_EQ(poll(fds), 1);
  EXPECT_EQ(fds[0].revents, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
  unsigned long read = 1ul << fd, write = 1ul << fd, except = 1ul << fd;
  EXPECT_EQ(select(fd + 1, {&read, &write, &except}), 2);
  EXPECT_EQ(except, 0u);
  ::close(kernel);
}

TEST_F(PollTest, epoll_14_7_more_than_the_table_is_einval) {
  std::vector<pollfd> fds(201, {-1, 0, 0});
  EXPECT_EQ(poll(fds), -EINVAL);
  EXPECT_EQ(poll(std::span(fds).first(200)), 0);
  EXPECT_EQ(poll({}, Duration::ms(5)), 0);
}

TEST_F(PollTest, epoll_14_9_sleeps_until_the_deadline) {
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), POLLIN, 0}};
  const Instant deadline = context.now() + Duration::ms(5);
  EXPECT_EQ(poll(fds, Duration::ms(5)), 0);
  EXPECT_EQ(context.now(), deadline);
}

TEST_F(PollTest, epoll_14_11_a_sleeping_poll_is_woken_by_its_key_alone) {
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), POLLPRI, 0}};
  context.at(Duration::ms(1), [&] { a.becomes(kIn, kIn | kRdNorm); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 0);
  EXPECT_EQ(context.sleeps, 1u);
}

TEST_F(PollTest, epoll_14_12_every_ready_one_is_reported) {
  FakeFile &a = new_file(kIn), &b = new_file(), &c = new_file(kIn);
  pollfd fds[] = {{install(a), POLLIN, 0}, {install(b), POLLIN, 0}, {install(c), POLLIN, 0}};
  EXPECT_EQ(poll(fds), 2);
  EXPECT_EQ(fds[2].revents, POLLIN);
}

TEST_F(PollTest, epoll_9_13_closed_while_polled_is_nval_at_the_end) {
  FakeFile& a = new_file();
  const int fd = install(a);
  pollfd fds[] = {{fd, POLLIN, 0}};
  context.at(Duration::ms(1), [&] { EXPECT_TRUE(table.close(fd).ok()); });
  const Instant deadline = context.now() + Duration::ms(10);
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  EXPECT_EQ(fds[0].revents, POLLNVAL);
  EXPECT_EQ(context.now(), deadline);
  EXPECT_TRUE(a.closed());
}

TEST_F(PollTest, epoll_8_1_8_6_poll_of_a_set) {
  EventPoll& set = new_set();
  set.get();
  const int fd = *table.install(&set, false);
  FakeFile& a = new_file();
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  pollfd fds[] = {{fd, POLLIN | POLLOUT | POLLRDNORM, 0}};
  EXPECT_EQ(poll(fds), 0);
  context.at(Duration::ms(1), [&] { a.data_arrives(); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  EXPECT_EQ(fds[0].revents, POLLIN | POLLRDNORM);
  a.is_drained();
  fds[0].events = POLLRDNORM;  // 8.6: not woken, though ready when looked at
  const Instant deadline = context.now() + Duration::ms(10);
  context.at(Duration::ms(1), [&] { a.data_arrives(); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  EXPECT_EQ(context.now(), deadline);
}

TEST_F(PollTest, kernel_files_among_others) {
  const int kernel = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int fd = *table.install(*KernelFile::create(kernel), false);
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), POLLIN, 0}, {fd, POLLIN, 0}};
  EXPECT_EQ(poll(fds), 0);
  const std::uint64_t one = 1;
  context.at(Duration::ms(1), [&] { ASSERT_EQ(::write(kernel, &one, sizeof one), 8); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  EXPECT_EQ(fds[1].revents, POLLIN);
  ::close(kernel);
}

TEST_F(PollTest, kernel_files_below_a_polled_set) {
  EventPoll& set = new_set();
  set.get();
  const int fd = *table.install(&set, false);
  const int kernel = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  FileRef file(*KernelFile::create(kernel));
  pollfd fds[] = {{fd, POLLIN, 0}};
  const std::uint64_t one = 1;
  context.at(Duration::ms(1), [&] { ASSERT_EQ(add(set, *file, 'K', EPOLLIN), 0); });
  context.at(Duration::ms(2), [&] { ASSERT_EQ(::write(kernel, &one, sizeof one), 8); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), 1);
  file = FileRef();
  ::close(kernel);
}

TEST_F(PollTest, epoll_10_1_eintr) {
  FakeFile& a = new_file();
  pollfd fds[] = {{install(a), POLLIN, 0}};
  context.at(Duration::ms(1), [&] { context.signal_now(); });
  EXPECT_EQ(poll(fds, Duration::ms(10)), -EINTR);
}

TEST_F(PollTest, epoll_15_1_15_2_15_3_what_each_set_means) {
  struct Row {
    PollEvents ready;
    int found;
    bool read, write, except;
  };
  FakeFile& a = new_file();
  const int fd = install(a);
  for (const Row& row : {Row{kErr, 2, true, true, false},
                         {kHup, 1, true, false, false},
                         {kPri, 1, false, false, true},
                         {kOut | kHup, 2, true, true, false},
                         {kIn | kRdNorm | kRdHup, 1, true, false, false},
                         {kIn | kOut | kPri, 3, true, true, true},
                         {kRdHup, 0, false, false, false},
                         {kRdBand, 1, true, false, false},
                         {kWrBand, 1, false, true, false}}) {
    a.quietly_becomes(row.ready);
    unsigned long read = 1ul << fd, write = 1ul << fd, except = 1ul << fd;
    EXPECT_EQ(select(fd + 1, {&read, &write, &except}), row.found) << row.ready.bits();
    EXPECT_EQ(read != 0, row.read) << row.ready.bits();
    EXPECT_EQ(write != 0, row.write) << row.ready.bits();
    EXPECT_EQ(except != 0, row.except) << row.ready.bits();
  }
}

TEST_F(PollTest, epoll_15_4_bad_descriptors) {
  FakeFile& a = new_file(kIn);
  const int fd = install(a);
  unsigned long read[16] = {1ul << fd | 1ul << 9};
  EXPECT_EQ(select(-1, {read, nullptr, nullptr}), -EINVAL);
  EXPECT_EQ(select(64, {read, nullptr, nullptr}), -EBADF);
  EXPECT_EQ(read[0], 1ul << fd | 1ul << 9);  // untouched
  read[0] = 1ul << fd;
  read[15] = 1ul << 39;  // 999: beyond the table of a small process
  EXPECT_EQ(select(1000, {read, nullptr, nullptr}), 1);
  EXPECT_EQ(read[15], 1ul << 39);
}

TEST_F(PollTest, epoll_15_5_numbers_beyond_one_word) {
  FakeFile &a = new_file(kIn), &b = new_file();
  const int high = install(a, 130), low = install(b, 70);
  unsigned long read[4] = {};
  read[high / 64] |= 1ul << high % 64;
  read[low / 64] |= 1ul << low % 64;
  EXPECT_EQ(select(high + 1, {read, nullptr, nullptr}), 1);
  EXPECT_EQ(read[2], 1ul << 2);
  EXPECT_EQ(read[1], 0u);
}

TEST_F(PollTest, epoll_15_8_sets_are_cleared_when_nothing_is_ready) {
  FakeFile& a = new_file();
  const int fd = install(a);
  unsigned long read = 1ul << fd, write = 1ul << fd;
  EXPECT_EQ(select(fd + 1, {&read, &write, nullptr}, Duration::ms(1)), 0);
  EXPECT_EQ(read, 0u);
  EXPECT_EQ(write, 0u);
}

TEST_F(PollTest, epoll_10_7_eintr_leaves_the_sets) {
  FakeFile& a = new_file();
  const int fd = install(a);
  unsigned long read = 1ul << fd;
  context.at(Duration::ms(1), [&] { context.signal_now(); });
  EXPECT_EQ(select(fd + 1, {&read, nullptr, nullptr}, Duration::ms(10)), -EINTR);
  EXPECT_EQ(read, 1ul << fd);
}

TEST_F(PollTest, select_is_not_ended_by_what_no_set_asks_for) {
  FakeFile& a = new_file(kHup);
  const int fd = install(a);
  unsigned long write = 1ul << fd;
  context.at(Duration::ms(1), [&] { a.becomes(kOut | kHup, kWritableKey); });
  EXPECT_EQ(select(fd + 1, {nullptr, &write, nullptr}, Duration::ms(10)), 1);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int reader = *table.install(*KernelFile::create(ends[0]), false);
  ::close(ends[1]);  // HUP
  unsigned long except = 1ul << reader;
  const unsigned before = context.sleeps;
  EXPECT_EQ(select(reader + 1, {nullptr, nullptr, &except}, Duration::ms(10)), 0);
  EXPECT_EQ(context.sleeps, before + 1);
  ::close(ends[0]);
}

TEST_F(PollTest, wait_for_one_file) {
  FakeFile& a = new_file();
  const auto wait = [&](PollEvents events) {
    return wait_for(a, events, context.now() + Duration::ms(5), context, params);
  };
  EXPECT_EQ(wait(kIn).error(), Errno::again);
  context.at(Duration::ms(1), [&] { a.becomes(kIn | kOut, kReadableKey); });
  EXPECT_EQ(*wait(kIn), kIn);
  a.quietly_becomes(kHup);
  EXPECT_EQ(*wait(kIn), kHup);
  a.quietly_becomes({});
  context.at(Duration::ms(1), [&] { context.signal_now(); });
  EXPECT_EQ(wait(kIn).error(), Errno::interrupted);
  EXPECT_FALSE(a.is_heard());
}

TEST_F(PollTest, epoll_13_9_spins_if_a_socket_wants_it_as_long_as_the_machine_says) {
  params.busy_poll_usecs = 5;
  FakeFile& a = new_file({}, 4);
  FakeFile& b = new_file({}, 4);
  b.spins = {.busy_poll_usecs = 1000, .busy_poll_budget = 16};
  pollfd fds[] = {{install(a), POLLIN, 0}, {install(b), POLLIN, 0}};
  EXPECT_EQ(poll(fds, Duration::ms(1)), 0);
  const std::vector<unsigned> wanted{kFirstPollBudget, 16, 16, 16, 16, 16};
  EXPECT_EQ(context.budgets, wanted);
  EXPECT_EQ(context.polled, 4u);
}

TEST_F(PollTest, epoll_13_9_does_not_spin_if_no_socket_wants_it) {
  params.busy_poll_usecs = 5;
  pollfd fds[] = {{install(new_file({}, 4)), POLLIN, 0}};
  EXPECT_EQ(poll(fds, Duration::ms(1)), 0);
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(PollTest, epoll_13_9_does_not_spin_if_the_machine_does_not) {
  FakeFile& a = new_file({}, 4);
  a.spins.busy_poll_usecs = 1000;
  pollfd fds[] = {{install(a), POLLIN, 0}};
  EXPECT_EQ(poll(fds, Duration::ms(1)), 0);
  EXPECT_EQ(context.budgets.size(), 1u);
}

TEST_F(PollTest, epoll_13_9_spins_once_in_each_call) {
  params.busy_poll_usecs = 5;
  FakeFile& a = new_file({}, 4);
  a.spins.busy_poll_usecs = 1;
  pollfd fds[] = {{install(a), POLLIN, 0}};
  context.at(Duration::us(100), [&] { a.becomes({}, kReadableKey); });  // for nothing
  EXPECT_EQ(poll(fds, Duration::ms(1)), 0);
  EXPECT_EQ(context.sleeps, 2u);
  EXPECT_EQ(context.budgets.size(), 6u);
}

// With foreign numbers what the table does not know is asked of the kernel.
class ForeignPollTest : public EpollTest {
 protected:
  ~ForeignPollTest() override {
    ::close(kernels);
    static_cast<void>(table.forget(kOurs));
  }
  static constexpr int kOurs = 150;
  FakeFile file{kIn};
  FdTable table{200, {.take = [] { return kOurs; }, .give_back = [](int) {}}};
  const int kernels = ::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  BusyPollParams params;
};

TEST_F(ForeignPollTest, both_kinds_in_one_poll) {
  ASSERT_EQ(*table.install(file.give(), false), kOurs);
  pollfd fds[] = {{kernels, POLLIN, 0}, {kOurs, POLLIN, 0}, {149, POLLIN, 0}};
  EXPECT_EQ(*poll_files(table, fds, {Instant(), nullptr, context, params}), 3);
  EXPECT_EQ(fds[0].revents, POLLIN);
  EXPECT_EQ(fds[1].revents, POLLIN);
  EXPECT_EQ(fds[2].revents, POLLNVAL);
}

TEST_F(ForeignPollTest, both_kinds_in_one_select) {
  ASSERT_EQ(*table.install(file.give(), false), kOurs);
  unsigned long set[4] = {};
  const auto put = [&set](int n) { set[n / 64] |= 1ul << n % 64; };
  put(kernels);
  put(kOurs);
  const SelectSets sets{set, nullptr, nullptr};
  const Blocking how{Instant(), nullptr, context, params};
  EXPECT_EQ(*select_files(table, 200, sets, how), 2);
  put(149);
  EXPECT_EQ(select_files(table, 200, sets, how).error(), Errno::bad_descriptor);
}

}  // namespace
}  // namespace pollux
