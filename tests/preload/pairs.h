// pairs.h - connected sockets of the kernel's and of the stack's in one unmodified program.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ostream>
#include <string>
#include <utility>

// The program knows nothing of Pollux; the rules of its environment (run_test.sh) say that
// 127.0.0.2 is the kernel's and the rest of the world the stack's.
namespace preload_test {

enum class Side { kernel, stack };
inline void PrintTo(Side side, std::ostream* out) {
  *out << (side == Side::kernel ? "kernel" : "stack");
}

class Fd {
 public:
  explicit Fd(int number = -1) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd() { close(); }
  operator int() const { return number_; }  // NOLINT: implicit, as descriptors are
  int release() { return std::exchange(number_, -1); }
  void close() {
    if (number_ < 0) return;
    EXPECT_EQ(::close(release()), 0);
  }

 private:
  int number_;
};

inline sockaddr_in address_of(Side side, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(side == Side::kernel ? 0x7f000002 : 0x7f000001);
  return in;
}
inline sockaddr* as_sockaddr(sockaddr_in& in) { return reinterpret_cast<sockaddr*>(&in); }

inline sockaddr_in name_of(int fd) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  EXPECT_EQ(getsockname(fd, as_sockaddr(in), &length), 0) << strerror(errno);
  return in;
}

inline Fd bound(Side side, int type) {
  Fd fd(socket(AF_INET, type, 0));
  sockaddr_in any = address_of(side, 0);
  EXPECT_EQ(bind(fd, as_sockaddr(any), sizeof any), 0) << strerror(errno);
  return fd;
}
inline Fd listening(Side side) {
  Fd fd = bound(side, SOCK_STREAM);
  EXPECT_EQ(listen(fd, 8), 0) << strerror(errno);
  return fd;
}

struct Pair {
  Fd client, server;
};
inline Pair connected(Side side) {
  const Fd listener = listening(side);
  sockaddr_in name = name_of(listener);
  Pair pair{Fd(socket(AF_INET, SOCK_STREAM, 0)), Fd()};
  EXPECT_EQ(connect(pair.client, as_sockaddr(name), sizeof name), 0) << strerror(errno);
  pair.server = Fd(accept(listener, nullptr, nullptr));
  EXPECT_GE(pair.server, 0) << strerror(errno);
  return pair;
}

inline void write_text(int fd, const std::string& text) {
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()))
      << strerror(errno);
}
// Exactly so many octets.
inline std::string read_text(int fd, std::size_t length) {
  std::string text(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const ssize_t n = read(fd, &text[done], length - done);
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

// A socket of datagrams whose owner is known when it sends: it asks, and is answered.
inline void ask_and_answer(Side side, int client) {
  const Fd server = bound(side, SOCK_DGRAM);
  sockaddr_in to = name_of(server), from{};
  EXPECT_EQ(sendto(client, "question", 8, 0, as_sockaddr(to), sizeof to), 8) << strerror(errno);
  char buffer[16];
  socklen_t length = sizeof from;
  EXPECT_EQ(recvfrom(server, buffer, sizeof buffer, 0, as_sockaddr(from), &length), 8);
  EXPECT_EQ(sendto(server, "answer", 6, 0, as_sockaddr(from), length), 6) << strerror(errno);
}

#define EXPECT_ERRNO(call, error)                              \
  do {                                                         \
    errno = 0;                                                 \
    EXPECT_EQ(call, -1);                                       \
    EXPECT_EQ(errno, error) << "that is: " << strerror(errno); \
  } while (false)

class BothSides : public testing::TestWithParam<Side> {
 protected:
  Pair pair = connected(GetParam());
};

#define ON_BOTH_SIDES(Suite)                                    \
  INSTANTIATE_TEST_SUITE_P(                                     \
      Sides, Suite, testing::Values(Side::kernel, Side::stack), \
      [](const auto& tested) { return tested.param == Side::kernel ? "kernel" : "stack"; })

}  // namespace preload_test
