// companion_test.cc - kernel descriptors in sets: level, edge, one-shot, nesting, sleep.
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "epoll/fd_table.h"
#include "epoll/kernel_files.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::Event;
using testing_support::FakeFile;
using testing_support::kEdgeIn;

// A descriptor of the kernel's and the KernelFile that stands for it.
class Kernel {
 public:
  explicit Kernel(int fd) : fd_(fd), file_(*KernelFile::create(fd)) {}
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel() {
    file_ = FileRef();
    ::close(fd_);
  }
  int fd() const { return fd_; }
  File& file() const { return *file_; }
  void write() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(fd_, &one, sizeof one), 8);
  }
  void read() {
    std::uint64_t value;
    EXPECT_EQ(::read(fd_, &value, sizeof value), 8);
  }

 private:
  int fd_;
  FileRef file_;
};

int new_eventfd() { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

class CompanionTest : public EpollTest {
 protected:
  EventPoll& set = new_set();
  Kernel a{new_eventfd()}, b{new_eventfd()};
};

TEST_F(CompanionTest, sets_without_kernel_files_have_no_descriptor) {
  FakeFile file;
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  EXPECT_EQ(set.companion_fd(), -1);
}

TEST_F(CompanionTest, epoll_4_1_level) {
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(set), "");
  a.write();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "A");
  a.read();
  EXPECT_EQ(letters(set), "");
}

TEST_F(CompanionTest, epoll_4_3_rotation_among_kernel_files_and_others) {
  FakeFile file(kIn);
  a.write();
  b.write();
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  ASSERT_EQ(add(set, b.file(), 'B', EPOLLIN), 0);
  EXPECT_EQ(letters(set, 2), "AF");
  EXPECT_EQ(letters(set, 2), "BA");
  EXPECT_EQ(letters(set, 2), "FB");
}

TEST_F(CompanionTest, epoll_5_13_each_write_to_an_eventfd_is_an_edge) {
  ASSERT_EQ(add(set, a.file(), 'A', kEdgeIn), 0);
  a.write();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
  a.write();  // unread
  EXPECT_EQ(letters(set), "A");
  a.write();
  a.read();
  EXPECT_EQ(letters(set), "");
}

TEST_F(CompanionTest, epoll_5_1_5_5_add_and_mod_of_a_ready_one_is_one_edge) {
  a.write();
  ASSERT_EQ(add(set, a.file(), 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
  ASSERT_EQ(mod(set, a.file(), 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(set), "");
}

TEST_F(CompanionTest, epoll_6_one_shot) {
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN | EPOLLONESHOT), 0);
  a.write();
  EXPECT_EQ(letters(set), "A");
  a.write();
  EXPECT_EQ(letters(set), "");
  ASSERT_EQ(mod(set, a.file(), 'A', EPOLLIN | EPOLLONESHOT), 0);
  EXPECT_EQ(letters(set), "A");
}

TEST_F(CompanionTest, epoll_5_6_the_whole_readiness_is_reported) {
  ASSERT_EQ(add(set, a.file(), 'A', kEdgeIn | EPOLLOUT), 0);
  EXPECT_EQ(events(set).at(0).mask, std::uint32_t{EPOLLOUT});
  a.write();
  EXPECT_EQ(events(set).at(0).mask, std::uint32_t{EPOLLIN | EPOLLOUT});
}

TEST_F(CompanionTest, hang_up_of_a_kernel_socket) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Kernel one(ends[0]);
  ASSERT_EQ(add(set, one.file(), 'S', EPOLLRDHUP | EPOLLET), 0);
  ::close(ends[1]);
  EXPECT_EQ(events(set).at(0).mask, std::uint32_t{EPOLLRDHUP | EPOLLHUP});
}

TEST_F(CompanionTest, epoll_9_1_last_close_and_del_silence_it) {
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  ASSERT_EQ(add(set, b.file(), 'B', EPOLLIN), 0);
  a.write();
  b.write();
  ASSERT_EQ(del(set, a.file(), 'A'), 0);
  EXPECT_EQ(letters(set), "B");
  {
    Kernel c(new_eventfd());
    ASSERT_EQ(add(set, c.file(), 'C', EPOLLIN), 0);
    c.write();
  }
  EXPECT_EQ(letters(set), "B");
}

TEST_F(CompanionTest, a_registration_gone_stale_behind_our_back_is_harmless) {
  const int fd = new_eventfd();
  const int twin = ::dup(fd);  // keeps the kernel's registration alive
  FileRef file(*KernelFile::create(fd));
  ASSERT_EQ(add(set, *file, 'S', EPOLLIN), 0);
  ::close(fd);
  file = FileRef();
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(twin, &one, sizeof one), 8);
  EXPECT_EQ(letters(set), "");
  ::close(twin);
}

TEST_F(CompanionTest, epoll_9_4_two_numbers_of_one_kernel_file) {
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&a.file(), 1}, kEdgeIn, '1'), 0);
  ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, {&a.file(), 2}, kEdgeIn, '2'), 0);
  a.write();
  EXPECT_EQ(letters(set).size(), 2u);
  ASSERT_EQ(ctl(set, EPOLL_CTL_DEL, {&a.file(), 1}, 0), 0);
  a.write();
  EXPECT_EQ(letters(set), "2");
}

TEST_F(CompanionTest, one_kernel_file_in_two_sets) {
  EventPoll& other = new_set();
  ASSERT_EQ(add(set, a.file(), 'A', kEdgeIn), 0);
  ASSERT_EQ(add(other, a.file(), 'A', kEdgeIn), 0);
  a.write();
  EXPECT_EQ(letters(set), "A");
  EXPECT_EQ(letters(other), "A");
  EXPECT_EQ(letters(other), "");
}

TEST_F(CompanionTest, a_sleep_ends_with_the_kernels_event) {
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { a.write(); });
  EXPECT_EQ(letters(set, 4, Duration::ms(10)), "A");
  EXPECT_EQ(context.last_sleep.kernel.size(), 1u);
}

TEST_F(CompanionTest, a_kernel_file_added_while_asleep_is_slept_on) {
  context.at(Duration::ms(1), [&] { ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0); });
  context.at(Duration::ms(2), [&] { a.write(); });
  EXPECT_EQ(letters(set, 4, Duration::ms(10)), "A");
  EXPECT_EQ(context.sleeps, 2u);
}

TEST_F(CompanionTest, the_kernel_is_asked_while_spinning) {
  set.set_busy_poll({.busy_poll_usecs = 1000});
  FakeFile socket({}, 1);  // or there is nothing to spin on (13.8)
  ASSERT_EQ(add(set, socket, 'S', EPOLLIN), 0);
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  context.on_next_poll([&] { context.on_next_poll([&] { a.write(); }); });
  EXPECT_EQ(letters(set, 4, Duration::ms(10)), "A");
  EXPECT_EQ(context.sleeps, 0u);
  EXPECT_LT(context.budgets.size(), 20u);
}

TEST_F(CompanionTest, many_kernel_files_in_one_wait) {
  std::vector<std::unique_ptr<Kernel>> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(std::make_unique<Kernel>(new_eventfd()));
    const Watched target{&many.back()->file(), 300 + i};
    ASSERT_EQ(ctl(set, EPOLL_CTL_ADD, target, EPOLLIN, static_cast<std::uint64_t>(i)), 0);
    if (i % 3) many.back()->write();
  }
  const std::vector<Event> found = events(set, 200);
  EXPECT_EQ(found.size(), 66u);
  for (const Event& event : found) EXPECT_NE(event.data % 3, 0u);
}

TEST_F(CompanionTest, nested_whichever_side_came_first) {
  for (const bool kernel_first : {true, false}) {
    EventPoll &outer = new_set(), &middle = new_set(), &inner = new_set();
    Kernel k(new_eventfd());
    if (kernel_first) {
      ASSERT_EQ(add(inner, k.file(), 'K', kEdgeIn), 0);
    }
    ASSERT_EQ(add(middle, inner, 'I', EPOLLIN), 0);
    ASSERT_EQ(add(outer, middle, 'M', EPOLLIN), 0);
    if (!kernel_first) {
      ASSERT_EQ(add(inner, k.file(), 'K', kEdgeIn), 0);
    }
    k.write();
    EXPECT_EQ(letters(outer), "M");
    EXPECT_EQ(letters(inner), "K");
    EXPECT_EQ(letters(outer), "");
    context.at(Duration::ms(1), [&] { k.write(); });
    EXPECT_EQ(letters(outer, 4, Duration::ms(10)), "M");
    ASSERT_EQ(del(middle, inner, 'I'), 0);
    EXPECT_EQ(letters(outer), "");
  }
}

TEST_F(CompanionTest, nested_kernel_file_added_while_the_outer_sleeps) {
  EventPoll& outer = new_set();
  ASSERT_EQ(add(outer, set, 'I', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0); });
  context.at(Duration::ms(2), [&] { a.write(); });
  EXPECT_EQ(letters(outer, 4, Duration::ms(10)), "I");
}

TEST_F(CompanionTest, epoll_8_4_outer_edge_on_a_kernel_file_below) {
  EventPoll& outer = new_set();
  ASSERT_EQ(add(outer, set, 'I', kEdgeIn), 0);
  ASSERT_EQ(add(set, a.file(), 'A', EPOLLIN), 0);
  a.write();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "");
  a.write();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "");
}

TEST_F(CompanionTest, a_kernel_epoll_in_a_set) {
  Kernel epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_EQ(::epoll_ctl(epoll.fd(), EPOLL_CTL_ADD, a.fd(), &event), 0);
  ASSERT_EQ(add(set, epoll.file(), 'E', EPOLLIN), 0);
  EXPECT_EQ(letters(set), "");
  a.write();
  EXPECT_EQ(letters(set), "E");
  a.read();
  EXPECT_EQ(letters(set), "");
}

}  // namespace
}  // namespace pollux
