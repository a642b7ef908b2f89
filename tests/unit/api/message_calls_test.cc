// message_calls_test.cc - calls that move octets and wait: whole counts, parts, limits, signals.
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
namespace {

TEST(MessageCalls, a_blocking_receive_waits_for_text) {
  Connected pair = connected();
  std::thread other([&] { EXPECT_EQ(plx_write(pair.client, "text", 4), 4); });
  char text[8] = {};
  EXPECT_EQ(plx_read(pair.server, text, sizeof text), 4);
  EXPECT_STREQ(text, "text");
  other.join();
}

TEST(MessageCalls, waitall_gathers_pieces_and_ends_with_the_stream) {
  Connected pair = connected();
  std::thread other([&] {
    for (const char* piece : {"ab", "cd", "ef"}) EXPECT_EQ(plx_write(pair.client, piece, 2), 2);
    EXPECT_EQ(plx_shutdown(pair.client, SHUT_WR), 0);
  });
  char text[8] = {};
  EXPECT_EQ(plx_recv(pair.server, text, 4, MSG_WAITALL), 4);
  EXPECT_EQ(std::string_view(text, 4), "abcd");
  EXPECT_EQ(plx_recv(pair.server, text, 4, MSG_WAITALL), 2);
  EXPECT_EQ(plx_recv(pair.server, text, 4, MSG_WAITALL), 0);
  other.join();
}

TEST(MessageCalls, waitall_over_a_vector_keeps_its_place) {
  Connected pair = connected();
  std::thread other([&] {
    for (const char* piece : {"a", "bc", "d", "ef"}) {
      EXPECT_EQ(plx_write(pair.client, piece, strlen(piece)), static_cast<ssize_t>(strlen(piece)));
    }
  });
  char a[1], b[3], c[2];
  iovec vector[] = {{a, 1}, {b, 3}, {c, 2}};
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = 3;
  EXPECT_EQ(plx_recvmsg(pair.server, &message, MSG_WAITALL), 6);
  EXPECT_EQ(std::string(a, 1) + std::string(b, 3) + std::string(c, 2), "abcdef");
  other.join();
}

TEST(MessageCalls, a_blocking_send_sends_everything) {
  Connected pair = connected();
  const std::string much(4 << 20, 'm');
  std::thread other([&] {
    EXPECT_EQ(plx_send(pair.client, much.data(), much.size(), 0),
              static_cast<ssize_t>(much.size()));
    pair.client.close();
  });
  std::vector<char> room(100000);
  std::size_t total = 0;
  ssize_t n;
  while ((n = plx_read(pair.server, room.data(), room.size())) > 0) {
    total += static_cast<std::size_t>(n);
  }
  EXPECT_EQ(n, 0);
  EXPECT_EQ(total, much.size());
  other.join();
}

TEST(MessageCalls, limits_say_eagain_or_what_was_moved) {
  Connected pair = connected();
  const timeval limit{0, 1000};
  EXPECT_EQ(plx_setsockopt(pair.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  EXPECT_EQ(plx_setsockopt(pair.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
  char text[8];
  EXPECT_ERRNO(plx_read(pair.server, text, sizeof text), EAGAIN);
  EXPECT_EQ(plx_write(pair.client, "ab", 2), 2);
  EXPECT_EQ(plx_recv(pair.server, text, sizeof text, MSG_WAITALL), 2);
  const std::string much(64 << 20, 'm');
  const ssize_t sent = plx_write(pair.client, much.data(), much.size());
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, static_cast<ssize_t>(much.size()));
  EXPECT_ERRNO(plx_write(pair.client, much.data(), much.size()), EAGAIN);
}

TEST(MessageCalls, calls_that_never_wait) {
  Connected pair = connected();
  char text[8];
  EXPECT_ERRNO(plx_recv(pair.server, text, 8, MSG_DONTWAIT), EAGAIN);
  EXPECT_ERRNO(plx_recv(pair.server, text, 8, MSG_ERRQUEUE), EAGAIN);
  EXPECT_ERRNO(plx_recv(pair.server, text, 8, MSG_OOB), EINVAL);
  EXPECT_EQ(plx_fcntl(pair.server, F_SETFL, O_NONBLOCK), 0);
  EXPECT_ERRNO(plx_read(pair.server, text, 8), EAGAIN);
  EXPECT_EQ(plx_read(pair.server, text, 0), 0);
}

TEST(MessageCalls, a_broken_pipe_raises_sigpipe_unless_told_not_to) {
  const Handling handling(SIGPIPE);
  Connected pair = connected();
  EXPECT_EQ(plx_shutdown(pair.client, SHUT_WR), 0);
  EXPECT_ERRNO(plx_send(pair.client, "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_EQ(signals_seen, 0);
  EXPECT_ERRNO(plx_write(pair.client, "x", 1), EPIPE);
  EXPECT_EQ(signals_seen, 1);
}

TEST(MessageCalls, a_handler_interrupts_a_wait) {
  const Handling handling(SIGUSR1);
  Connected pair = connected();
  const pthread_t self = pthread_self();
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      pthread_kill(self, SIGUSR1);
      std::this_thread::yield();
    }
  });
  char text[8];
  EXPECT_ERRNO(plx_read(pair.server, text, sizeof text), EINTR);
  done = true;
  other.join();
  EXPECT_GT(signals_seen, 0);
}

TEST(MessageCalls, kernel_descriptors_and_sets) {
  const int kernel = eventfd(3, EFD_NONBLOCK);
  ASSERT_GE(kernel, 0);
  {
    const Fd fd(plx_kernel_fd(kernel));
    std::uint64_t value = 0;
    EXPECT_EQ(plx_read(fd, &value, sizeof value), 8);
    EXPECT_EQ(value, 3u);
    EXPECT_EQ(plx_write(fd, &value, sizeof value), 8);
    EXPECT_ERRNO(plx_recv(fd, &value, sizeof value, 0), ENOTSOCK);
  }
  close(kernel);
  const Fd set(plx_epoll_create1(0));
  char octet;
  EXPECT_ERRNO(plx_read(set, &octet, 1), EINVAL);
  EXPECT_ERRNO(plx_read(999, &octet, 1), EBADF);
}

TEST(MessageCalls, datagrams_with_names) {
  const Fd a(plx_socket(AF_INET, SOCK_DGRAM, 0));
  const Fd b(plx_socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in name = loopback(0);
  EXPECT_EQ(plx_bind(b, as_sockaddr(name), sizeof name), 0);
  name = name_of(b);
  EXPECT_EQ(plx_sendto(a, "dg", 2, 0, as_sockaddr(name), sizeof name), 2);
  name.sin_family = AF_UNSPEC;  // Linux takes it for AF_INET
  EXPECT_EQ(plx_sendto(a, "dh", 2, 0, as_sockaddr(name), sizeof name), 2);
  char text[4];
  sockaddr_in from{};
  socklen_t length = sizeof from;
  EXPECT_EQ(plx_recvfrom(b, text, 4, 0, reinterpret_cast<sockaddr*>(&from), &length), 2);
  EXPECT_EQ(from.sin_port, name_of(a).sin_port);
  EXPECT_EQ(plx_recv(b, text, 4, 0), 2);
  EXPECT_ERRNO(plx_send(a, "x", 1, 0), EDESTADDRREQ);
  EXPECT_ERRNO(plx_sendto(a, "x", 1, 0, as_sockaddr(from), 3), EINVAL);
}

TEST(MessageCalls, a_stream_takes_no_notice_of_a_destination) {
  Connected pair = connected();
  sockaddr_in nonsense{};
  nonsense.sin_family = AF_UNIX;
  EXPECT_EQ(plx_sendto(pair.client, "x", 1, 0, as_sockaddr(nonsense), sizeof nonsense), 1);
  char octet;
  sockaddr_in from{};
  socklen_t length = sizeof from;
  EXPECT_EQ(plx_recvfrom(pair.server, &octet, 1, 0, reinterpret_cast<sockaddr*>(&from), &length),
            1);
  EXPECT_EQ(length, 0u);
}

// RFC 7413; the listener takes no text with a SYN, so it goes again behind the handshake.
class FastOpenCalls : public testing::Test {
 protected:
  static Fd client() {
    Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
    const int on = 1;
    EXPECT_EQ(plx_setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on), 0);
    return fd;
  }
  static ssize_t send_open(int fd, const std::string& text, const sockaddr_in& to) {
    return plx_sendto(fd, text.data(), text.size(), MSG_FASTOPEN, as_sockaddr(to), sizeof to);
  }
  // A listener at which no handshake ends any more.
  static Fd full(std::vector<Fd>& filling) {
    Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in any = loopback(0);
    EXPECT_EQ(plx_bind(fd, as_sockaddr(any), sizeof any), 0);
    EXPECT_EQ(plx_listen(fd, 0), 0);
    const sockaddr_in name = name_of(fd);
    filling.emplace_back(plx_socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(plx_connect(filling.back(), as_sockaddr(name), sizeof name), 0);
    return fd;
  }
};

TEST_F(FastOpenCalls, a_send_that_blocks_opens_and_sends_everything) {
  const Fd listener = listening();
  Fd fd = client();
  const std::string much(300'000, 'm');
  std::thread other([&] {
    const Fd server(plx_accept(listener, nullptr, nullptr));
    std::vector<char> room(much.size());
    EXPECT_EQ(plx_recv(server, room.data(), room.size(), MSG_WAITALL),
              static_cast<ssize_t>(much.size()));
  });
  EXPECT_EQ(send_open(fd, much, name_of(listener)), static_cast<ssize_t>(much.size()));
  other.join();
  EXPECT_ERRNO(send_open(fd, "x", name_of(listener)), EISCONN);
}

TEST_F(FastOpenCalls, nothing_to_send_opens_too) {
  const Fd listener = listening();
  Fd fd = client();
  EXPECT_EQ(send_open(fd, "", name_of(listener)), 0);
  sockaddr_in peer{};
  socklen_t length = sizeof peer;
  EXPECT_EQ(plx_getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length), 0);
}

TEST_F(FastOpenCalls, a_refusal_is_the_sends) {
  sockaddr_in nobody{};
  {
    const Fd listener = listening();
    nobody = name_of(listener);
  }
  EXPECT_ERRNO(send_open(client(), "x", nobody), ECONNREFUSED);
}

TEST_F(FastOpenCalls, a_limit_leaves_what_the_syn_has) {
  std::vector<Fd> filling;
  const Fd listener = full(filling);
  const timeval limit{0, 1000};
  const Fd fd = client();
  EXPECT_EQ(plx_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
  EXPECT_EQ(send_open(fd, "text", name_of(listener)), 4);
  EXPECT_ERRNO(send_open(fd, "text", name_of(listener)), EALREADY);
  const Fd empty = client();
  EXPECT_EQ(plx_setsockopt(empty, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
  EXPECT_ERRNO(send_open(empty, "", name_of(listener)), EINPROGRESS);
}

TEST_F(FastOpenCalls, a_destination_is_looked_at) {
  const Fd listener = listening();
  sockaddr_in to = name_of(listener);
  EXPECT_ERRNO(plx_sendto(client(), "x", 1, MSG_FASTOPEN, as_sockaddr(to), 1), EINVAL);
  EXPECT_ERRNO(plx_sendto(client(), "x", 1, MSG_FASTOPEN, as_sockaddr(to), 8), EINVAL);
  to.sin_family = AF_UNSPEC;
  EXPECT_ERRNO(send_open(client(), "x", to), EOPNOTSUPP);
  to.sin_family = AF_UNIX;
  EXPECT_ERRNO(send_open(client(), "x", to), EAFNOSUPPORT);
  EXPECT_ERRNO(plx_send(client(), "x", 1, MSG_FASTOPEN), EINVAL);
}

TEST(MessageCalls, null_pointers) {
  Connected pair = connected();
  EXPECT_ERRNO(plx_write(pair.client, nullptr, 1), EFAULT);
  EXPECT_ERRNO(plx_recv(pair.server, nullptr, 1, MSG_DONTWAIT), EAGAIN);
  EXPECT_EQ(plx_write(pair.client, "abc", 3), 3);
  EXPECT_ERRNO(plx_recv(pair.server, nullptr, 1, 0), EFAULT);
  EXPECT_EQ(plx_recv(pair.server, nullptr, 3, MSG_TRUNC), 3);
  EXPECT_ERRNO(plx_readv(pair.server, nullptr, 1), EFAULT);
  EXPECT_ERRNO(plx_readv(pair.server, nullptr, -1), EINVAL);
  EXPECT_ERRNO(plx_recvmsg(pair.server, nullptr, 0), EFAULT);
}

}  // namespace
}  // namespace pollux::testing_support
