// kernel_files_test.cc - KernelFile: what the kernel says about its descriptors.
#include "epoll/kernel_files.h"

#include <fcntl.h>
#include <unistd.h>

#include "epoll/fd_table.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;

TEST_F(EpollTest, kernel_file_of_an_unopened_descriptor_is_ebadf) {
  EXPECT_EQ(KernelFile::create(-1).error(), Errno::bad_descriptor);
  EXPECT_EQ(KernelFile::create(1'000'000).error(), Errno::bad_descriptor);
}

TEST_F(EpollTest, kernel_file_does_not_own_its_descriptor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  FileRef file(*KernelFile::create(ends[0]));
  EXPECT_EQ(file->kernel_fd(), ends[0]);
  EXPECT_EQ(file->poll(), PollEvents());
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  EXPECT_EQ(file->poll(), kIn | kRdNorm);
  file = FileRef();
  EXPECT_EQ(::close(ends[0]), 0);
  EXPECT_EQ(::close(ends[1]), 0);
}

TEST_F(EpollTest, epoll_2_4_kernel_files_that_the_kernel_would_not_watch) {
  EventPoll& set = new_set();
  for (const char* path : {"/", "/dev/null", "/proc/self/exe"}) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    FileRef file(*KernelFile::create(fd));
    EXPECT_FALSE(file->is_pollable()) << path;
    for (const int op : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL}) {
      EXPECT_EQ(ctl(set, op, {file.get(), 1}, EPOLLIN), EPERM) << path;
    }
    ::close(fd);
  }
}

TEST_F(EpollTest, kernel_files_run_out_as_enfile) {
  EventPoll::configure({.max_kernel_files = 1});
  FileRef file(*KernelFile::create(0));
  EXPECT_EQ(KernelFile::create(0).error(), Errno::system_files);
}

}  // namespace
}  // namespace pollux
