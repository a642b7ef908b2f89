// waits_test.cc - poll, select and sets of both kinds of descriptors.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/preload/pairs.h"

namespace preload_test {
namespace {

constexpr int kLongMs = 5000;  // never reached

class WaitTest : public BothSides {
 protected:
  const Fd event{eventfd(0, EFD_NONBLOCK)};
  const Fd set{epoll_create1(EPOLL_CLOEXEC)};

  void ring() const { EXPECT_EQ(eventfd_write(event, 1), 0); }
  void add(int to, int fd, char letter, std::uint32_t events = EPOLLIN) const {
    epoll_event wanted{.events = events, .data = {.u64 = static_cast<unsigned char>(letter)}};
    EXPECT_EQ(epoll_ctl(to, EPOLL_CTL_ADD, fd, &wanted), 0) << strerror(errno);
  }
  // The letters of what is ready, sorted.
  std::string wait(int from, int timeout_ms = 0) const {
    epoll_event events[8];
    const int n = epoll_wait(from, events, 8, timeout_ms);
    std::string letters;
    for (int i = 0; i < n; ++i) letters += static_cast<char>(events[i].data.u64);
    std::sort(letters.begin(), letters.end());
    return letters;
  }
};

TEST_P(WaitTest, poll_of_both_kinds) {
  pollfd fds[] = {{pair.server, POLLIN, 0}, {event, POLLIN, 0}, {-1, POLLIN, 0}, {999, POLLIN, 0}};
  EXPECT_EQ(poll(fds, 3, 0), 0);
  ring();
  EXPECT_EQ(poll(fds, 3, kLongMs), 1);
  EXPECT_EQ(fds[1].revents, POLLIN);
  write_text(pair.client, "x");
  const timespec limit{5, 0};
  for (int i = 0; i < 100 && fds[0].revents == 0; ++i) {
    EXPECT_GE(ppoll(fds, 3, &limit, nullptr), 1);
  }
  EXPECT_EQ(fds[0].revents, POLLIN);
  EXPECT_EQ(poll(fds, 4, 0), 3);
  EXPECT_EQ(fds[3].revents, POLLNVAL);
}

TEST_P(WaitTest, select_of_both_kinds) {
  fd_set read_set;
  const auto fill = [&] {
    FD_ZERO(&read_set);
    FD_SET(pair.server, &read_set);
    FD_SET(event, &read_set);
  };
  const int n = std::max<int>(pair.server, event) + 1;
  fill();
  timeval none{0, 0};
  EXPECT_EQ(select(n, &read_set, nullptr, nullptr, &none), 0);
  write_text(pair.client, "x");
  fill();
  EXPECT_EQ(select(n, &read_set, nullptr, nullptr, nullptr), 1);
  EXPECT_TRUE(FD_ISSET(pair.server, &read_set));
  ring();
  fill();
  EXPECT_EQ(pselect(n, &read_set, nullptr, nullptr, nullptr, nullptr), 2);
  fill();
  const int closed = Fd(dup(event));
  FD_SET(closed, &read_set);
  EXPECT_ERRNO(select(closed + 1, &read_set, nullptr, nullptr, nullptr), EBADF);
}

TEST_P(WaitTest, who_waits_before_anybody_has_sent_hears_the_answer) {
  const auto hears = [](const auto& waits) {
    const Fd client(socket(AF_INET, SOCK_DGRAM, 0));
    std::thread waiter([&] {
      char buffer[16];
      ssize_t n = -1;
      for (int i = 0; n < 0 && i < 100; ++i) {
        waits(client);
        n = recv(client, buffer, sizeof buffer, MSG_DONTWAIT);
      }
      EXPECT_EQ(n, 6) << strerror(errno);
    });
    usleep(20000);  // it most likely sleeps by then
    ask_and_answer(GetParam(), client);
    waiter.join();
  };
  hears([](int fd) {
    pollfd one{fd, POLLIN, 0};
    EXPECT_EQ(poll(&one, 1, kLongMs), 1);
  });
  hears([](int fd) {
    fd_set wanted;
    FD_ZERO(&wanted);
    FD_SET(fd, &wanted);
    timeval limit{5, 0};
    EXPECT_EQ(select(fd + 1, &wanted, nullptr, nullptr, &limit), 1);
  });
}

TEST_P(WaitTest, a_set_made_early_keeps_what_it_has) {
  add(set, event, 'E');
  ring();
  EXPECT_EQ(wait(set), "E");
  add(set, pair.server, 'S');
  EXPECT_EQ(wait(set), "E");
  write_text(pair.client, "x");
  std::string seen;
  for (int i = 0; i < 100 && seen != "ES"; ++i) seen = wait(set, kLongMs);
  EXPECT_EQ(seen, "ES");
  const Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  add(set, timer, 'T');
  const itimerspec soon{{0, 0}, {0, 1'000'000}};
  timerfd_settime(timer, 0, &soon, nullptr);
  eventfd_t value;
  EXPECT_EQ(eventfd_read(event, &value), 0);
  EXPECT_EQ(read_text(pair.server, 1), "x");
  EXPECT_EQ(wait(set, kLongMs), "T");
}

TEST_P(WaitTest, errors_are_the_kernels) {
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  EXPECT_ERRNO(epoll_ctl(set, EPOLL_CTL_MOD, pair.server, &wanted), ENOENT);
  add(set, pair.server, 'S');
  EXPECT_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, pair.server, &wanted), EEXIST);
  EXPECT_ERRNO(epoll_ctl(event, EPOLL_CTL_ADD, pair.server, &wanted), EINVAL);
  EXPECT_ERRNO(epoll_ctl(997, EPOLL_CTL_ADD, pair.server, &wanted), EBADF);
  EXPECT_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, set, &wanted), EINVAL);
  EXPECT_ERRNO(epoll_ctl(set, EPOLL_CTL_DEL, event, nullptr), ENOENT);
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_DEL, pair.server, nullptr), 0);
  epoll_event events[1];
  EXPECT_ERRNO(epoll_wait(set, events, 0, 0), EINVAL);
  EXPECT_ERRNO(epoll_wait(event, events, 1, 0), EINVAL);
}

TEST_P(WaitTest, edge_and_one_shot) {
  add(set, pair.server, 'S', std::uint32_t{EPOLLIN} | EPOLLET);
  write_text(pair.client, "x");
  EXPECT_EQ(wait(set, kLongMs), "S");
  EXPECT_EQ(wait(set), "");
  epoll_event wanted{.events = std::uint32_t{EPOLLIN} | EPOLLONESHOT, .data = {.u64 = 'O'}};
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_MOD, pair.server, &wanted), 0);
  EXPECT_EQ(wait(set, kLongMs), "O");
  write_text(pair.client, "y");
  EXPECT_EQ(wait(set, 20), "");
}

TEST_P(WaitTest, a_sleeper_hears_of_a_socket_added_meanwhile) {
  add(set, event, 'E');
  std::atomic<int> heard{0};
  const auto sleep = [&] {
    if (wait(set, kLongMs) == "S") ++heard;
  };
  std::thread one(sleep), two(sleep);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  add(set, pair.server, 'S');
  write_text(pair.client, "x");
  one.join();
  two.join();
  EXPECT_EQ(heard, 2);
}

TEST_P(WaitTest, a_closed_socket_leaves_and_a_set_can_be_duplicated) {
  const Fd early(dup(set));
  add(early, pair.server, 'S');
  write_text(pair.client, "x");
  const Fd duplicate(dup(set));
  EXPECT_EQ(wait(duplicate, kLongMs), "S");
  EXPECT_EQ(wait(set), "S");
  pair.server.close();
  EXPECT_EQ(wait(duplicate), "");
  EXPECT_EQ(wait(set), "");
}

TEST_P(WaitTest, a_set_in_poll) {
  add(set, event, 'E');
  add(set, pair.server, 'S');
  pollfd fd{set, POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 0), 0);
  write_text(pair.client, "x");
  EXPECT_EQ(poll(&fd, 1, kLongMs), 1);
  EXPECT_EQ(read_text(pair.server, 1), "x");
  EXPECT_EQ(poll(&fd, 1, 0), 0);
  ring();
  EXPECT_EQ(poll(&fd, 1, kLongMs), 1);
}

TEST_P(WaitTest, a_set_in_a_set) {
  const Fd outer(epoll_create1(0));
  add(set, event, 'E');
  add(set, pair.server, 'S');
  add(outer, set, 'I');
  EXPECT_EQ(wait(outer), "");
  write_text(pair.client, "x");
  EXPECT_EQ(wait(outer, kLongMs), "I");
  EXPECT_EQ(wait(set, kLongMs), "S");
  EXPECT_EQ(read_text(pair.server, 1), "x");
  EXPECT_EQ(wait(outer), "");
  ring();
  EXPECT_EQ(wait(outer, kLongMs), "I");
}

TEST_P(WaitTest, an_inner_set_that_gets_its_socket_later) {
  const Fd outer(epoll_create1(0));
  add(outer, set, 'I');
  EXPECT_EQ(wait(outer), "");
  add(set, pair.server, 'S');
  EXPECT_EQ(wait(outer), "");
  write_text(pair.client, "x");
  EXPECT_EQ(wait(outer, kLongMs), "I");
}

TEST_P(WaitTest, an_outer_edge_comes_once_for_each_half) {
  const Fd outer(epoll_create1(0));
  add(set, event, 'E');
  add(set, pair.server, 'S');
  add(outer, set, 'I', std::uint32_t{EPOLLIN} | EPOLLET);
  ring();
  EXPECT_EQ(wait(outer, kLongMs), "I");
  EXPECT_EQ(wait(outer), "");
  write_text(pair.client, "x");
  EXPECT_EQ(wait(outer, kLongMs), "I");
  EXPECT_EQ(wait(outer), "");
}

TEST_P(WaitTest, other_forms) {
  add(set, pair.server, 'S');
  write_text(pair.client, "x");
  epoll_event events[2];
  sigset_t none;
  sigemptyset(&none);
  const timespec limit{5, 0};
  EXPECT_EQ(epoll_pwait(set, events, 2, kLongMs, &none), 1);
  EXPECT_EQ(epoll_pwait2(set, events, 2, &limit, nullptr), 1);
  EXPECT_EQ(syscall(SYS_epoll_pwait, int{set}, events, 2, 0, &none, 8), 1);
  pollfd fd{pair.server, POLLIN, 0};
  EXPECT_EQ(syscall(SYS_poll, &fd, 1, 0), 1);
  EXPECT_EQ(syscall(SYS_ppoll, &fd, 1, &limit, nullptr, 8), 1);
}

ON_BOTH_SIDES(WaitTest);

}  // namespace
}  // namespace preload_test
