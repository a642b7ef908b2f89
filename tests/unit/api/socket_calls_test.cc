// socket_calls_test.cc - the calls' own checks, and accept and connect that wait.
#include <thread>

#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
namespace {

TEST(SocketCalls, flags_of_socket) {
  const Fd fd(plx_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  EXPECT_EQ(plx_fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_NE(plx_fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_ERRNO(plx_socket(AF_INET, SOCK_STREAM | 0x10, 0), EINVAL);
  EXPECT_ERRNO(plx_socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
}

TEST(SocketCalls, numbers_that_are_no_sockets) {
  const Fd set(plx_epoll_create1(0));
  const sockaddr_in in = loopback(1);
  EXPECT_ERRNO(plx_bind(999, as_sockaddr(in), sizeof in), EBADF);
  EXPECT_ERRNO(plx_bind(set, as_sockaddr(in), sizeof in), ENOTSOCK);
  EXPECT_ERRNO(plx_listen(-1, 1), EBADF);
  EXPECT_ERRNO(plx_accept4(999, nullptr, nullptr, 1), EBADF);
  EXPECT_ERRNO(plx_accept4(set, nullptr, nullptr, 1), EINVAL);
  EXPECT_ERRNO(plx_accept4(set, nullptr, nullptr, 0), ENOTSOCK);
  EXPECT_ERRNO(plx_shutdown(set, 0), ENOTSOCK);
  EXPECT_ERRNO(plx_getsockname(999, nullptr, nullptr), EBADF);
}

TEST(SocketCalls, pointers_and_lengths) {
  const Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in in = loopback(1);
  int value = 1;
  socklen_t negative = static_cast<socklen_t>(-1);
  EXPECT_ERRNO(plx_bind(fd, nullptr, sizeof in), EFAULT);
  EXPECT_ERRNO(plx_bind(fd, as_sockaddr(in), 3), EINVAL);
  EXPECT_ERRNO(plx_connect(fd, nullptr, sizeof in), EFAULT);
  EXPECT_ERRNO(plx_connect(fd, as_sockaddr(in), 1), EINVAL);
  EXPECT_ERRNO(plx_getsockname(fd, nullptr, nullptr), EFAULT);
  EXPECT_ERRNO(plx_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nullptr, 4), EFAULT);
  EXPECT_ERRNO(plx_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, negative), EINVAL);
  EXPECT_ERRNO(plx_getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, nullptr), EFAULT);
  EXPECT_ERRNO(plx_getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &negative), EINVAL);
  EXPECT_ERRNO(plx_getpeername(fd, nullptr, nullptr), ENOTCONN);
}

TEST(SocketCalls, bind_takes_zeros_without_a_family) {
  const Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in in{};
  EXPECT_EQ(plx_bind(fd, as_sockaddr(in), sizeof in), 0);
  const Fd other(plx_socket(AF_INET, SOCK_STREAM, 0));
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_ERRNO(plx_bind(other, as_sockaddr(in), sizeof in), EAFNOSUPPORT);
}

TEST(SocketCalls, accept_waits_for_another_thread) {
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  std::thread other([&] {
    const Fd client(plx_socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(plx_connect(client, as_sockaddr(name), sizeof name), 0);
    char octet;
    EXPECT_EQ(plx_read(client, &octet, 1), 0);  // until the other end is closed
  });
  sockaddr_in peer{};
  socklen_t length = sizeof peer;
  Fd server(plx_accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
  EXPECT_GE(server, 0);
  EXPECT_EQ(length, sizeof peer);
  EXPECT_EQ(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
  EXPECT_EQ(plx_fcntl(server, F_GETFD), FD_CLOEXEC);
  server.close();
  other.join();
}

TEST(SocketCalls, accept_gives_up_at_its_timeout) {
  const Fd listener = listening();
  const timeval limit{0, 1000};
  EXPECT_EQ(plx_setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  EXPECT_ERRNO(plx_accept(listener, nullptr, nullptr), EAGAIN);
}

TEST(SocketCalls, a_blocking_connect_tells_of_the_refusal) {
  const Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in nobody = loopback(9);
  EXPECT_ERRNO(plx_connect(fd, as_sockaddr(nobody), sizeof nobody), ECONNREFUSED);
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  EXPECT_EQ(plx_connect(fd, as_sockaddr(name), sizeof name), 0);
  EXPECT_ERRNO(plx_connect(fd, as_sockaddr(name), sizeof name), EISCONN);
}

// fault-no-descriptors.
TEST(SocketCalls, accept_without_a_free_number_keeps_the_connection) {
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  const Fd client(plx_socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(plx_connect(client, as_sockaddr(name), sizeof name), 0);
  std::vector<Fd> all;
  for (int fd = 0; (fd = plx_dup(listener)) >= 0;) all.emplace_back(fd);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_ERRNO(plx_accept(listener, nullptr, nullptr), EMFILE);
  all.clear();
  const Fd server(plx_accept(listener, nullptr, nullptr));
  EXPECT_GE(server, 0);
}

// so-linger.
TEST(SocketCalls, close_lingers_until_all_is_acknowledged) {
  Connected pair = connected();
  const linger wait{1, 5};
  EXPECT_EQ(plx_setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &wait, sizeof wait), 0);
  EXPECT_EQ(plx_write(pair.client, "bye", 3), 3);
  pair.client.close();
  char text[8];
  EXPECT_EQ(plx_read(pair.server, text, sizeof text), 3);
  EXPECT_EQ(plx_read(pair.server, text, sizeof text), 0);
}

}  // namespace
}  // namespace pollux::testing_support
