// descriptor_calls_test.cc - numbers: close, dup, fcntl, ioctl.
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
namespace {

TEST(DescriptorCalls, numbers_are_the_lowest_free) {
  Fd a(plx_socket(AF_INET, SOCK_STREAM, 0));
  const Fd b(plx_socket(AF_INET, SOCK_DGRAM, 0));
  const int number = a;
  EXPECT_EQ(b, number + 1);
  a.close();
  const Fd c(plx_dup(b));
  EXPECT_EQ(c, number);
  EXPECT_ERRNO(plx_close(999), EBADF);
  EXPECT_ERRNO(plx_dup(999), EBADF);
}

TEST(DescriptorCalls, a_duplicate_is_the_same_socket) {
  Connected pair = connected();
  const Fd copy(plx_fcntl(pair.client, F_DUPFD_CLOEXEC, 30));
  EXPECT_EQ(copy, 30);
  EXPECT_EQ(plx_fcntl(copy, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(plx_fcntl(pair.client, F_GETFD), 0);
  EXPECT_EQ(plx_fcntl(pair.client, F_SETFL, O_NONBLOCK), 0);
  EXPECT_NE(plx_fcntl(copy, F_GETFL) & O_NONBLOCK, 0);
  pair.client.close();
  EXPECT_EQ(plx_write(copy, "x", 1), 1);
  char octet;
  EXPECT_EQ(plx_read(pair.server, &octet, 1), 1);
}

TEST(DescriptorCalls, dup2_and_dup3) {
  const Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(plx_dup2(fd, fd), fd);
  EXPECT_ERRNO(plx_dup3(fd, fd, 0), EINVAL);
  EXPECT_ERRNO(plx_dup3(fd, 20, O_NONBLOCK), EINVAL);
  EXPECT_ERRNO(plx_dup2(fd, -1), EBADF);
  EXPECT_ERRNO(plx_dup2(fd, 64), EBADF);  // beyond the table
  EXPECT_ERRNO(plx_dup2(999, 20), EBADF);
  const Fd copy(plx_dup3(fd, 20, O_CLOEXEC));
  EXPECT_EQ(copy, 20);
  EXPECT_EQ(plx_fcntl(copy, F_GETFD), FD_CLOEXEC);
}

TEST(DescriptorCalls, ioctl_requests) {
  Connected pair = connected();
  int on = 1;
  EXPECT_EQ(plx_ioctl(pair.server, FIONBIO, &on), 0);
  EXPECT_NE(plx_fcntl(pair.server, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(plx_ioctl(pair.server, FIOCLEX), 0);
  EXPECT_EQ(plx_fcntl(pair.server, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(plx_write(pair.client, "abc", 3), 3);
  int n = 0;
  EXPECT_EQ(plx_ioctl(pair.server, FIONREAD, &n), 0);
  EXPECT_EQ(n, 3);
  EXPECT_ERRNO(plx_ioctl(pair.server, FIONREAD, nullptr), EFAULT);
  EXPECT_ERRNO(plx_ioctl(pair.server, TCGETS, &n), ENOTTY);
  EXPECT_ERRNO(plx_ioctl(999, FIONREAD, &n), EBADF);
  const Fd set(plx_epoll_create1(0));
  EXPECT_ERRNO(plx_ioctl(set, FIONREAD, &n), EINVAL);  // 1.8
}

}  // namespace
}  // namespace pollux::testing_support
