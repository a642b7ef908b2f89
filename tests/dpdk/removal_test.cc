// removal_test.cc - a device is taken away while threads wait for it, through the public calls.
#define ALLOW_EXPERIMENTAL_API  // rte_dev_event_callback_process
#include <gtest/gtest.h>
#include <poll.h>
#include <rte_dev.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pollux/pollux.h"
#include "tests/support/blocked_thread.h"
#include "tests/support/ipv4_name.h"

namespace pollux {
namespace {

using testing_support::Blocked;
using testing_support::ipv4_name;

const sockaddr* as_sockaddr(const sockaddr_in& in) {
  return reinterpret_cast<const sockaddr*>(&in);
}

int bound(int type, const char* address, std::uint16_t port) {
  const int fd = plx_socket(AF_INET, type, 0);
  const sockaddr_in name = ipv4_name(address, port);
  EXPECT_EQ(plx_bind(fd, as_sockaddr(name), sizeof name), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(plx_listen(fd, 8), 0);
  }
  return fd;
}

void expect_network_down(ssize_t result) {
  EXPECT_EQ(result, -1);
  EXPECT_EQ(errno, ENETDOWN);
}

// Both ends inside the stack.
void expect_loopback_works() {
  const int listener = bound(SOCK_STREAM, "127.0.0.1", 7);
  const int client = plx_socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in name = ipv4_name("127.0.0.1", 7);
  EXPECT_EQ(plx_connect(client, as_sockaddr(name), sizeof name), 0);
  const int server = plx_accept(listener, nullptr, nullptr);
  char octet = 'x';
  EXPECT_EQ(plx_write(client, &octet, 1), 1);
  EXPECT_EQ(plx_read(server, &octet, 1), 1);
  for (const int fd : {server, client, listener}) EXPECT_EQ(plx_close(fd), 0);
}

// net_ring gives back what it is sent: there is nobody at the other end, as after a cable is cut.
TEST(Removal, every_call_that_waits_ends_and_the_process_lives) {
  const char* const settings[] = {"stack.hugepages=false", "stack.packets=4095",
                                  "port.r.device=net_ring0", "port.r.addresses=[\"198.18.0.2/24\"]",
                                  nullptr};
  ASSERT_EQ(plx_init("", settings), 0) << plx_error();
  const int listener = bound(SOCK_STREAM, "0.0.0.0", 80);
  const int datagrams = bound(SOCK_DGRAM, "198.18.0.2", 81);
  const int watched = bound(SOCK_DGRAM, "198.18.0.2", 82);
  const int connecting = plx_socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in peer = ipv4_name("198.18.0.1", 80);
  {
    std::vector<std::unique_ptr<Blocked>> threads;
    const auto block = [&](std::function<void()> act) {
      threads.push_back(std::make_unique<Blocked>(std::move(act)));
    };
    block([&] { expect_network_down(plx_accept(listener, nullptr, nullptr)); });
    block([&] {
      char octet;
      expect_network_down(plx_recv(datagrams, &octet, 1, 0));
    });
    block([&] {
      const int set = plx_epoll_create1(0);
      epoll_event event{.events = EPOLLIN, .data = {}};
      EXPECT_EQ(plx_epoll_ctl(set, EPOLL_CTL_ADD, watched, &event), 0);
      EXPECT_EQ(plx_epoll_wait(set, &event, 1, -1), 1);
      EXPECT_EQ(event.events, std::uint32_t{EPOLLERR | EPOLLHUP});
      EXPECT_EQ(plx_close(set), 0);
    });
    block([&] { expect_network_down(plx_connect(connecting, as_sockaddr(peer), sizeof peer)); });
    rte_dev_event_callback_process("net_ring0", RTE_DEV_EVENT_REMOVE);
  }
  int error = 0;
  socklen_t size = sizeof error;
  EXPECT_EQ(plx_getsockopt(watched, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ENETDOWN);
  const int fresh = plx_socket(AF_INET, SOCK_STREAM, 0);
  expect_network_down(plx_connect(fresh, as_sockaddr(peer), sizeof peer));
  expect_network_down(plx_sendto(datagrams, "x", 1, 0, as_sockaddr(peer), sizeof peer));
  expect_loopback_works();
  for (const int fd : {listener, datagrams, watched, connecting, fresh}) {
    EXPECT_EQ(plx_close(fd), 0);
  }
  plx_exit();
}

}  // namespace
}  // namespace pollux
