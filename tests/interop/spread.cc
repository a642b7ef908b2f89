// spread.cc - many connections with Pollux at this end, on several threads; what each stack
// counted.
//
// usage: spread CONFIG listen|connect ADDRESS PORT CONNECTIONS [SETTING ...]
//
// listen: four threads accept at one socket and echo until the peers have closed. connect: four
// threads share the connections; each says a line on all of its own and reads it back, ten times.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "pollux/pollux.h"
#include "tests/interop/spread.h"

namespace {

constexpr unsigned kThreads = 4, kRounds = 10;
constexpr size_t kLine = 600;

std::atomic<bool> has_failed{false};

void complain(const char* what) {
  fprintf(stderr, "spread: %s: %s\n", what, strerror(errno));
  has_failed = true;
}

sockaddr_in address_of(const char* address, const char* port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<uint16_t>(atoi(port)));
  inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

// All that can be read now goes back. False: the peer has closed.
bool echo(int fd) {
  std::array<char, 8192> text;
  const ssize_t n = plx_recv(fd, text.data(), text.size(), 0);
  if (n > 0 && plx_send(fd, text.data(), static_cast<size_t>(n), MSG_NOSIGNAL) == n) return true;
  if (n != 0) complain("echo");
  plx_close(fd);
  return false;
}

bool watch(int set, int fd, uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  return plx_epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

// A set of its own for each thread, and the listener in all of them.
void serve(int listener, std::atomic<int>& left) {
  const int set = plx_epoll_create1(0);
  if (set < 0 || !watch(set, listener, EPOLLIN | EPOLLEXCLUSIVE)) return complain("watch");
  while (left > 0) {
    std::array<epoll_event, 16> events;
    const int count = plx_epoll_wait(set, events.data(), events.size(), 50);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd != listener) {
        if (!echo(fd)) --left;
        continue;
      }
      const int accepted = plx_accept4(listener, nullptr, nullptr, 0);
      if (accepted >= 0 && !watch(set, accepted, EPOLLIN)) complain("watch a connection");
    }
  }
  plx_close(set);
}

void listen_at(const sockaddr_in& address, int connections) {
  const int listener = plx_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (plx_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      plx_listen(listener, 256) != 0) {
    return complain("bind and listen");
  }
  puts("listening");
  fflush(stdout);
  std::atomic<int> left = connections;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(serve, listener, std::ref(left));
  for (std::thread& thread : threads) thread.join();
  plx_close(listener);
}

bool read_back(int fd, std::string_view line) {
  std::string got(line.size(), ' ');
  for (size_t done = 0; done < got.size();) {
    const ssize_t n = plx_recv(fd, got.data() + done, got.size() - done, 0);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return got == line;
}

void converse(const sockaddr_in& address, int connections) {
  std::vector<int> own;
  for (int i = 0; i < connections; ++i) {
    own.push_back(plx_socket(AF_INET, SOCK_STREAM, 0));
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (plx_connect(own.back(), generic, sizeof address) != 0) return complain("connect");
  }
  for (unsigned round = 0; round < kRounds; ++round) {
    const auto line_of = [&](int fd) {
      return std::string(kLine, static_cast<char>('a' + (fd + static_cast<int>(round)) % 26));
    };
    for (const int fd : own) {
      if (plx_send(fd, line_of(fd).data(), kLine, MSG_NOSIGNAL) != ssize_t{kLine}) complain("send");
    }
    for (const int fd : own) {
      if (!read_back(fd, line_of(fd))) complain("read back");
    }
  }
  for (const int fd : own) plx_close(fd);
}

void connect_to(const sockaddr_in& address, int connections) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back(converse, address, connections / static_cast<int>(kThreads));
  }
  for (std::thread& thread : threads) thread.join();
}

void print_counter(void*, const char* name, const char*, uint64_t value) {
  printf("%s %llu\n", name, static_cast<unsigned long long>(value));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fprintf(stderr, "usage: spread CONFIG listen|connect ADDRESS PORT CONNECTIONS [SETTING ...]\n");
    return 2;
  }
  if (plx_init(argv[1], argv + 6) != 0) return fprintf(stderr, "spread: %s\n", plx_error()), 1;
  if (!before_traffic()) return 1;
  const sockaddr_in address = address_of(argv[3], argv[4]);
  const int connections = atoi(argv[5]);
  std::string_view(argv[2]) == "listen" ? listen_at(address, connections)
                                        : connect_to(address, connections);
  plx_counters(print_counter, nullptr);
  plx_exit();
  return has_failed ? 1 : 0;
}
