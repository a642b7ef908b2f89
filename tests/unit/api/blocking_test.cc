// blocking_test.cc - calls that wait: on the socket they began with, and never at full speed.
#include <netinet/in.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/blocked_thread.h"
#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
namespace {

enum class Reuse { close_and_open, dup2 };
class NumberReused : public testing::TestWithParam<Reuse> {
 protected:
  // Another connection, one end of which has `number` from now on.
  static Connected take(Fd& number) {
    if (GetParam() == Reuse::close_and_open) {
      const int freed = number;
      number.close();
      Connected other = connected();
      EXPECT_EQ(other.client, freed);
      return other;
    }
    Connected other = connected();
    EXPECT_EQ(plx_dup2(other.client, number), number);
    return other;
  }
};

// V27.
TEST_P(NumberReused, a_receive_goes_on_with_its_own_socket) {
  Connected pair = connected();
  char text[8] = {};
  Blocked reader([&, fd = int{pair.server}] { EXPECT_EQ(plx_read(fd, text, sizeof text), 5); });
  const Connected other = take(pair.server);
  EXPECT_EQ(plx_write(other.server, "wrong", 5), 5);
  EXPECT_EQ(plx_write(pair.client, "right", 5), 5);
  reader.join();
  EXPECT_STREQ(text, "right");
  EXPECT_EQ(plx_read(other.client, text, sizeof text), 5);
  EXPECT_STREQ(text, "wrong");
}

// V27.
TEST_P(NumberReused, a_send_goes_on_with_its_own_socket) {
  Connected pair = connected();
  const std::string much(2 << 20, 'm');
  Blocked writer([&, fd = int{pair.client}] {
    EXPECT_EQ(plx_write(fd, much.data(), much.size()), static_cast<ssize_t>(much.size()));
  });
  const Connected other = take(pair.client);
  std::vector<char> room(100'000);
  for (std::size_t total = 0; total < much.size();) {
    const ssize_t n = plx_read(pair.server, room.data(), room.size());
    ASSERT_GT(n, 0);
    total += static_cast<std::size_t>(n);
  }
  writer.join();
  EXPECT_ERRNO(plx_recv(other.server, room.data(), 1, MSG_DONTWAIT), EAGAIN);
}
INSTANTIATE_TEST_SUITE_P(Blocking, NumberReused,
                         testing::Values(Reuse::close_and_open, Reuse::dup2));

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
void set_limit(int fd, int name, long ms) {
  const timeval limit{ms / 1000, ms % 1000 * 1000};
  EXPECT_EQ(plx_setsockopt(fd, SOL_SOCKET, name, &limit, sizeof limit), 0);
}

TEST(Blocking, an_unread_error_queue_is_no_reason_to_look_again_and_again) {
  const Fd fd(plx_socket(AF_INET, SOCK_DGRAM, 0));
  const int on = 1;
  EXPECT_EQ(plx_setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
  const sockaddr_in nobody = loopback(9);
  EXPECT_EQ(plx_connect(fd, as_sockaddr(nobody), sizeof nobody), 0);
  EXPECT_EQ(plx_send(fd, "x", 1, 0), 1);
  char octet;
  EXPECT_ERRNO(plx_recv(fd, &octet, 1, 0), ECONNREFUSED);
  pollfd poll{fd, POLLIN, 0};
  EXPECT_EQ(plx_poll(&poll, 1, 0), 1);
  EXPECT_EQ(poll.revents, POLLERR);
  set_limit(fd, SO_RCVTIMEO, 300);
  const double before = cpu_seconds();
  EXPECT_ERRNO(plx_recv(fd, &octet, 1, 0), EAGAIN);
  EXPECT_LT(cpu_seconds() - before, 0.1);
}

std::uint64_t counter(std::string_view wanted) {
  struct Search {
    std::string_view wanted;
    std::uint64_t value = 0;
  } search{wanted};
  plx_counters(
      [](void* argument, const char* name, const char*, std::uint64_t value) {
        auto& found = *static_cast<Search*>(argument);
        if (found.wanted == name) found.value = value;
      },
      &search);
  return search.value;
}
std::uint64_t own_polls() { return counter("polls") - counter("softirq_polls"); }

TEST(Blocking, epoll_13_10_a_receive_spins_by_its_sockets_busy_poll) {
  const Connected pair = connected();
  const int ten_seconds = 10'000'000;
  EXPECT_EQ(plx_setsockopt(pair.server, SOL_SOCKET, SO_BUSY_POLL, &ten_seconds, sizeof(int)), 0);
  const std::uint64_t polls = own_polls(), spun = counter("waits_spun");
  char octet = 0;
  std::thread reader([&] { EXPECT_EQ(plx_read(pair.server, &octet, 1), 1); });
  for (int i = 0; i < 5000 && own_polls() < polls + 1000; ++i) ::usleep(1000);
  EXPECT_GE(own_polls(), polls + 1000);
  EXPECT_EQ(plx_write(pair.client, "x", 1), 1);
  reader.join();
  EXPECT_EQ(counter("waits_spun"), spun + 1);
}

TEST(Blocking, epoll_13_10_a_receive_does_not_spin_without) {
  const Connected pair = connected();
  const int none = 0;
  EXPECT_EQ(plx_setsockopt(pair.server, SOL_SOCKET, SO_BUSY_POLL, &none, sizeof none), 0);
  const std::uint64_t polls = own_polls();
  Blocked reader([&] {
    char octet;
    EXPECT_EQ(plx_read(pair.server, &octet, 1), 1);
  });
  EXPECT_LE(own_polls(), polls + 4);  // of its first look, and before it slept
  EXPECT_EQ(plx_write(pair.client, "x", 1), 1);
  reader.join();
}

// Datagrams that nobody reads, until the pool has nothing left but its reserve.
std::vector<Fd> all_memory_taken() {
  std::vector<Fd> taken;
  const Fd sender(plx_socket(AF_INET, SOCK_DGRAM, 0));
  const std::string datagram(1400, 'd');
  for (int i = 0; i < 40; ++i) {
    taken.emplace_back(plx_socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in name = loopback(0);
    EXPECT_EQ(plx_bind(taken.back(), as_sockaddr(name), sizeof name), 0);
    name = name_of(taken.back());
    for (int n = 0; n < 150; ++n) {
      plx_sendto(sender, datagram.data(), datagram.size(), 0, as_sockaddr(name), sizeof name);
    }
  }
  return taken;
}

TEST(Blocking, a_send_without_memory_waits_and_goes_on_when_there_is_some) {
  const Handling handling(SIGUSR1);
  Connected pair = connected();
  std::vector<Fd> taken = all_memory_taken();
  pollfd poll{pair.client, POLLOUT, 0};
  EXPECT_EQ(plx_poll(&poll, 1, 0), 1);  // room, but nothing to put there
  EXPECT_ERRNO(plx_send(pair.client, "x", 1, MSG_DONTWAIT), EAGAIN);
  set_limit(pair.client, SO_SNDTIMEO, 300);
  const double used = cpu_seconds();
  EXPECT_ERRNO(plx_write(pair.client, "x", 1), EAGAIN);
  EXPECT_LT(cpu_seconds() - used, 0.1);
  set_limit(pair.client, SO_SNDTIMEO, 0);
  Blocked interrupted([&] { EXPECT_ERRNO(plx_write(pair.client, "x", 1), EINTR); });
  interrupted.interrupt();
  interrupted.join();

  const Fd set(plx_epoll_create1(0));
  epoll_event event{.events = EPOLLOUT | EPOLLET, .data = {}};
  EXPECT_EQ(plx_epoll_ctl(set, EPOLL_CTL_ADD, pair.client, &event), 0);
  EXPECT_EQ(plx_epoll_wait(set, &event, 1, 0), 1);
  EXPECT_ERRNO(plx_send(pair.client, "x", 1, MSG_DONTWAIT), EAGAIN);
  EXPECT_EQ(plx_epoll_wait(set, &event, 1, 50), 0);
  Blocked writer([&] { EXPECT_EQ(plx_write(pair.client, "x", 1), 1); });
  taken.clear();
  writer.join();
  EXPECT_EQ(plx_epoll_wait(set, &event, 1, 10'000), 1);
  char octet;
  EXPECT_EQ(plx_read(pair.server, &octet, 1), 1);
}

// so-linger; Linux: sk_stream_wait_close(). What was written arrives all the same.
TEST(Blocking, a_signal_ends_a_lingering_close) {
  const Handling handling(SIGUSR1);
  Connected pair = connected();
  const linger long_time{1, 600};
  EXPECT_EQ(plx_setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &long_time, sizeof long_time), 0);
  std::vector<char> text(1 << 16);
  ssize_t written = 0;
  for (ssize_t n = 0; n >= 0;) {  // until the window is closed
    written += n;
    n = plx_send(pair.client, text.data(), text.size(), MSG_DONTWAIT);
  }
  Blocked closing([&] { pair.client.close(); });
  closing.interrupt();
  closing.join();
  ssize_t arrived = 0;
  for (ssize_t n = 0; (n = plx_read(pair.server, text.data(), text.size())) > 0;) arrived += n;
  EXPECT_EQ(arrived, written);
}

TEST(Blocking, a_peek_waits_for_all_too) {
  const Connected pair = connected();
  EXPECT_EQ(plx_write(pair.client, "ab", 2), 2);
  char text[8] = {};
  Blocked peeker([&] { EXPECT_EQ(plx_recv(pair.server, text, 4, MSG_PEEK | MSG_WAITALL), 4); });
  EXPECT_EQ(plx_write(pair.client, "cd", 2), 2);
  peeker.join();
  EXPECT_STREQ(text, "abcd");
  Blocked second([&] { EXPECT_EQ(plx_recv(pair.server, text, 8, MSG_PEEK | MSG_WAITALL), 4); });
  EXPECT_EQ(plx_shutdown(pair.client, SHUT_WR), 0);
  second.join();
  EXPECT_EQ(plx_recv(pair.server, text, 8, MSG_WAITALL), 4);
}

TEST(Blocking, a_peek_waits_for_the_low_water_mark) {
  const Connected pair = connected();
  const int four = 4;
  EXPECT_EQ(plx_setsockopt(pair.server, SOL_SOCKET, SO_RCVLOWAT, &four, sizeof four), 0);
  EXPECT_EQ(plx_write(pair.client, "ab", 2), 2);
  char text[8] = {};
  Blocked peeker([&] { EXPECT_EQ(plx_recv(pair.server, text, 8, MSG_PEEK), 4); });
  EXPECT_EQ(plx_write(pair.client, "cd", 2), 2);
  peeker.join();
}

TEST(Blocking, accept_has_its_number_before_it_waits) {
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  const Fd client(plx_socket(AF_INET, SOCK_STREAM, 0));
  Fd server;
  Blocked waiting([&] { server = Fd(plx_accept(listener, nullptr, nullptr)); });
  std::vector<Fd> all;
  for (int fd = 0; (fd = plx_dup(listener)) >= 0;) all.emplace_back(fd);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(plx_connect(client, as_sockaddr(name), sizeof name), 0);
  waiting.join();
  EXPECT_GE(server, 0);
}

}  // namespace
}  // namespace pollux::testing_support
