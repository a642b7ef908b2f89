// public_world.h - the public calls on a stack without devices; started once, ended at the end.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "pollux/pollux.h"

namespace pollux::testing_support {

// Of the program; 2,047 packets for each queue, which tests fill.
extern const char* const kQueuesSetting;
extern const char* const kPacketsSetting;

class StartedStack final : public testing::Environment {
 public:
  void SetUp() override {
    const char* const settings[] = {"stack.hugepages=false", "stack.descriptors=64",
                                    kPacketsSetting, kQueuesSetting, nullptr};
    ASSERT_EQ(plx_init("", settings), 0) << plx_error();
  }
  void TearDown() override { plx_exit(); }
};
inline testing::Environment* const started_stack =
    testing::AddGlobalTestEnvironment(std::make_unique<StartedStack>().release());

// Owns one descriptor.
class Fd {
 public:
  explicit Fd(int number = -1) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd() { close(); }
  operator int() const { return number_; }  // NOLINT: implicit, as descriptors are
  void close() {
    if (number_ < 0) return;
    EXPECT_EQ(plx_close(std::exchange(number_, -1)), 0);
  }

 private:
  int number_;
};

inline std::atomic<int> signals_seen{0};

// A handler for one test.
class Handling {
 public:
  explicit Handling(int signal) : signal_(signal) {
    struct sigaction action {};
    action.sa_handler = [](int) { ++signals_seen; };
    sigaction(signal, &action, &before_);
    signals_seen = 0;
  }
  Handling(const Handling&) = delete;
  Handling& operator=(const Handling&) = delete;
  ~Handling() { sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_ {};
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return in;
}
inline const sockaddr* as_sockaddr(const sockaddr_in& in) {
  return reinterpret_cast<const sockaddr*>(&in);
}
inline sockaddr_in name_of(int fd) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  EXPECT_EQ(plx_getsockname(fd, reinterpret_cast<sockaddr*>(&in), &length), 0);
  return in;
}

inline Fd listening() {
  Fd fd(plx_socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in any = loopback(0);
  EXPECT_EQ(plx_bind(fd, as_sockaddr(any), sizeof any), 0);
  EXPECT_EQ(plx_listen(fd, 8), 0);
  return fd;
}
struct Connected {
  Fd client;
  Fd server;
};
inline Connected connected() {
  const Fd listener = listening();
  const sockaddr_in name = name_of(listener);
  Connected pair{Fd(plx_socket(AF_INET, SOCK_STREAM, 0)), Fd()};
  EXPECT_EQ(plx_connect(pair.client, as_sockaddr(name), sizeof name), 0);
  pair.server = Fd(plx_accept(listener, nullptr, nullptr));
  EXPECT_GE(pair.server, 0);
  return pair;
}

// -1 with this errno.
#define EXPECT_ERRNO(call, error) \
  do {                            \
    errno = 0;                    \
    EXPECT_EQ(call, -1);          \
    EXPECT_EQ(errno, error);      \
  } while (false)

}  // namespace pollux::testing_support
