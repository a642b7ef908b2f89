// kernel_half_test.cc - sets that have adopted an epoll of the kernel's: both halves are delivered.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;

// An eventfd in an epoll of the kernel's that a set adopts.
class Half {
 public:
  Half() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), event_(::eventfd(0, EFD_NONBLOCK)) {}
  Half(const Half&) = delete;
  Half& operator=(const Half&) = delete;
  ~Half() {
    ::close(epoll_);
    ::close(event_);
  }
  void add(char letter, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = static_cast<unsigned char>(letter)}};
    EXPECT_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event), 0);
  }
  int duplicate() const { return ::fcntl(epoll_, F_DUPFD_CLOEXEC, 0); }
  void write() { EXPECT_EQ(::eventfd_write(event_, 1), 0); }
  void read() {
    eventfd_t value;
    EXPECT_EQ(::eventfd_read(event_, &value), 0);
  }

 private:
  const int epoll_, event_;
};

class KernelHalfTest : public EpollTest {
 protected:
  KernelHalfTest() { set.adopt(half.duplicate()); }
  void add_to_half(char letter, std::uint32_t events) {
    half.add(letter, events);
    set.count_kernel_files(1);
  }
  EventPoll& set = new_set();
  Half half;
};

TEST_F(KernelHalfTest, both_halves_are_delivered) {
  FakeFile file(kIn);
  add_to_half('K', EPOLLIN);
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  EXPECT_EQ(letters(set), "F");
  half.write();
  const std::string both = letters(set);
  EXPECT_TRUE(both == "FK" || both == "KF") << both;
  half.read();
  EXPECT_EQ(letters(set), "F");
}

TEST_F(KernelHalfTest, neither_starves_the_other_in_a_small_array) {
  FakeFile file(kIn);
  add_to_half('K', EPOLLIN);
  half.write();
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  const std::string two = letters(set, 1) + letters(set, 1);
  EXPECT_TRUE(two == "FK" || two == "KF") << two;
}

TEST_F(KernelHalfTest, the_kernels_edge_and_one_shot_are_the_kernels) {
  add_to_half('K', std::uint32_t{EPOLLIN} | EPOLLET | EPOLLONESHOT);
  half.write();
  EXPECT_EQ(letters(set), "K");
  half.write();
  EXPECT_EQ(letters(set), "");
}

TEST_F(KernelHalfTest, a_sleep_is_ended_by_the_kernels_half) {
  add_to_half('K', EPOLLIN);
  context.at(Duration::ms(3), [this] {
    half.write();
    context.end_sleep(SleepEnd::kernel);
  });
  EXPECT_EQ(letters(set, 64, Duration::ms(50)), "K");
  ASSERT_EQ(context.last_sleep.kernel.size(), 1u);
}

// Another process may have registered them, whose set it is too.
TEST_F(KernelHalfTest, those_that_nobody_told_of_are_found_within_32_waits_and_then_at_once) {
  half.add('K', EPOLLIN);
  half.write();
  int waits = 1;
  while (letters(set) != "K" && waits < 100) ++waits;
  EXPECT_EQ(waits, 32);
  EXPECT_EQ(letters(set), "K");
}

TEST_F(KernelHalfTest, those_that_nobody_told_of_end_a_sleep) {
  half.add('K', EPOLLIN);
  context.at(Duration::ms(3), [this] {
    half.write();
    context.end_sleep(SleepEnd::kernel);
  });
  EXPECT_EQ(letters(set, 64, Duration::ms(50)), "K");
}

TEST_F(KernelHalfTest, with_nothing_registered_any_more_it_is_not_asked) {
  add_to_half('K', EPOLLIN);
  half.write();
  EXPECT_EQ(letters(set), "K");
  set.count_kernel_files(-1);
  EXPECT_EQ(letters(set), "");
}

TEST_F(KernelHalfTest, hints_are_dropped) {
  add_to_half('K', EPOLLIN);
  Half other;
  epoll_event hint{.events = EPOLLIN, .data = EventPoll::hint()};
  const int inner = other.duplicate(), outer = set.companion_fd();
  ASSERT_EQ(::epoll_ctl(outer, EPOLL_CTL_ADD, inner, &hint), 0);
  other.add('X', EPOLLIN);
  other.write();
  EXPECT_EQ(letters(set), "");
  half.write();
  EXPECT_EQ(letters(set), "K");
  ::close(inner);
}

TEST_F(KernelHalfTest, an_outer_set_hears_the_inner_ones_kernel_half) {
  EventPoll& outer = new_set();
  Half outers;
  outer.adopt(outers.duplicate());
  add_to_half('K', EPOLLIN);
  ASSERT_EQ(add(outer, set, 'I', EPOLLIN), 0);
  EXPECT_EQ(letters(outer), "");
  half.write();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "I");
  half.read();
  EXPECT_EQ(letters(outer), "");
}

TEST_F(KernelHalfTest, an_outer_edge_comes_once) {
  EventPoll& outer = new_set();
  Half outers;
  outer.adopt(outers.duplicate());
  add_to_half('K', EPOLLIN);
  ASSERT_EQ(add(outer, set, 'I', std::uint32_t{EPOLLIN} | EPOLLET), 0);
  half.write();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "");
}

TEST_F(KernelHalfTest, polled_it_is_readable_for_either_half) {
  FakeFile file;
  add_to_half('K', EPOLLIN);
  ASSERT_EQ(add(set, file, 'F', EPOLLIN), 0);
  EXPECT_FALSE(set.poll());
  half.write();
  EXPECT_TRUE(set.poll().has(kIn));
  half.read();
  EXPECT_FALSE(set.poll());
  file.data_arrives();
  EXPECT_TRUE(set.poll().has(kIn));
}

}  // namespace
}  // namespace pollux
