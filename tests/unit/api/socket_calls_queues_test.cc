// socket_calls_queues_test.cc - several stacks in one process, without a device: threads whose
// sockets are different stacks', listeners heard in all of them, sets that watch several.
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "tests/unit/api/public_world.h"

namespace pollux {
namespace testing_support {
const char* const kQueuesSetting = "stack.queues=4";
const char* const kPacketsSetting = "stack.packets=8191";
}
namespace {

using testing_support::as_sockaddr;
using testing_support::Fd;
using testing_support::listening;
using testing_support::loopback;
using testing_support::name_of;

constexpr unsigned kThreads = 4;  // and stacks: each thread's sockets are the next one's

// Runs act(i) in threads of their own, so that each has sockets of another stack.
template <typename Act>
void in_threads(unsigned count, Act&& act) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) threads.emplace_back([&act, i] { act(i); });
  for (std::thread& thread : threads) thread.join();
}

Fd connected_to(const sockaddr_in& name) {
  Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(plx_connect(fd, as_sockaddr(name), sizeof name), 0) << errno;
  return fd;
}

void watch(int set, int fd, std::uint32_t events = EPOLLIN) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  ASSERT_EQ(plx_epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

void echo_once(int fd) {
  std::array<char, 16> text;
  const ssize_t n = plx_recv(fd, text.data(), text.size(), 0);
  ASSERT_GT(n, 0);
  ASSERT_EQ(plx_send(fd, text.data(), static_cast<std::size_t>(n), 0), n);
}

void ask(int fd) {
  std::array<char, 16> text{"question"};
  ASSERT_EQ(plx_send(fd, text.data(), 8, 0), 8);
  ASSERT_EQ(plx_recv(fd, text.data(), text.size(), 0), 8);
}

// Serves in one set whatever comes, until `connections` have ended.
void serve(int listener, unsigned connections) {
  const Fd set(plx_epoll_create1(0));
  watch(set, listener);
  std::vector<Fd> open;
  for (unsigned ended = 0; ended < connections;) {
    std::array<epoll_event, 8> events;
    const int n = plx_epoll_wait(set, events.data(), events.size(), 30'000);
    ASSERT_GT(n, 0);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        open.emplace_back(plx_accept(listener, nullptr, nullptr));
        ASSERT_GE(open.back(), 0);
        watch(set, open.back());
        continue;
      }
      char octet;
      if (plx_recv(fd, &octet, 1, MSG_PEEK) == 0) {
        std::erase_if(open, [fd](const Fd& one) { return one == fd; });
        ++ended;
      } else {
        echo_once(fd);
      }
    }
  }
}

TEST(Queues, one_listener_serves_the_threads_of_all_stacks) {
  constexpr unsigned kRounds = 20;
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  std::thread server([&] { serve(listener, kThreads * kRounds); });
  in_threads(kThreads, [&](unsigned) {
    for (unsigned i = 0; i < kRounds; ++i) {
      const Fd fd = connected_to(name);
      ask(fd);
      ask(fd);
    }
  });
  server.join();
}

TEST(Queues, threads_accept_at_one_listener) {
  constexpr unsigned kRounds = 20;
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  in_threads(2 * kThreads, [&](unsigned i) {
    for (unsigned round = 0; round < kRounds; ++round) {
      if (i % 2 == 0) {
        const Fd fd(plx_accept(listener, nullptr, nullptr));
        ASSERT_GE(fd, 0);
        echo_once(fd);
      } else {
        ask(connected_to(name));
      }
    }
  });
}

// The port is free as soon as close returns, in whatever stack the next one binds it.
TEST(Queues, listeners_come_and_go_at_one_port) {
  const sockaddr_in name = [] { return name_of(listening()); }();
  for (unsigned round = 0; round < 40; ++round) {
    in_threads(1, [&](unsigned) {
      Fd listener(plx_socket(AF_INET, SOCK_STREAM, 0));
      ASSERT_EQ(plx_bind(listener, as_sockaddr(name), sizeof name), 0) << round << ' ' << errno;
      ASSERT_EQ(plx_listen(listener, 8), 0);
      in_threads(1, [&](unsigned) {
        const Fd other = connected_to(name);
        std::thread closer([&] { listener.close(); });
        char octet;
        EXPECT_ERRNO(plx_recv(other, &octet, 1, 0), ECONNRESET);
        closer.join();
      });
    });
  }
}

// Each thread's listener stops while others connect to it: a connect ends one way or the other.
TEST(Queues, connects_race_with_close) {
  for (unsigned round = 0; round < 20; ++round) {
    Fd listener = listening();
    const sockaddr_in name = name_of(listener);
    in_threads(kThreads, [&](unsigned i) {
      if (i == 0) {
        listener.close();
        return;
      }
      const Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
      char octet;
      if (plx_connect(fd, as_sockaddr(name), sizeof name) == 0) {
        EXPECT_ERRNO(plx_recv(fd, &octet, 1, 0), ECONNRESET);
      } else {
        EXPECT_TRUE(errno == ECONNREFUSED || errno == ECONNRESET) << errno;
      }
    });
  }
}

// A SO_REUSEPORT listener has no parts: what loops back in other stacks is passed on.
TEST(Queues, connections_between_two_stacks) {
  Fd listener(plx_socket(AF_INET, SOCK_STREAM, 0));
  const int on = 1;
  ASSERT_EQ(plx_setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
  const sockaddr_in any = loopback(0);
  ASSERT_EQ(plx_bind(listener, as_sockaddr(any), sizeof any), 0);
  ASSERT_EQ(plx_listen(listener, 8), 0);
  const sockaddr_in name = name_of(listener);
  std::thread server([&] { serve(listener, kThreads); });
  in_threads(kThreads, [&](unsigned) {
    const Fd fd = connected_to(name);
    for (unsigned i = 0; i < 20; ++i) ask(fd);
  });
  server.join();
}

// Sockets that it watches from before they listen, while it waits.
TEST(Queues, a_set_that_sleeps_hears_of_listeners_of_several_stacks) {
  const Fd set(plx_epoll_create1(0));
  std::array<Fd, kThreads> listeners;
  std::thread waiter([&] {
    std::vector<int> heard;
    while (heard.size() < kThreads) {
      epoll_event event{};
      ASSERT_EQ(plx_epoll_wait(set, &event, 1, 30'000), 1);
      if ((event.events & EPOLLIN) == 0) continue;  // does not listen yet
      const bool is_new = std::find(heard.begin(), heard.end(), event.data.fd) == heard.end();
      if (is_new) heard.push_back(event.data.fd);
    }
  });
  in_threads(kThreads, [&](unsigned i) {
    Fd& listener = listeners[i] = Fd(plx_socket(AF_INET, SOCK_STREAM, 0));
    watch(set, listener, EPOLLIN | EPOLLET);
    const sockaddr_in any = loopback(0);
    ASSERT_EQ(plx_bind(listener, as_sockaddr(any), sizeof any), 0);
    ASSERT_EQ(plx_listen(listener, 8), 0);
    const sockaddr_in name = name_of(listener);
    in_threads(1, [&](unsigned) { static_cast<void>(connected_to(name)); });
  });
  waiter.join();
}

}  // namespace
}  // namespace pollux
