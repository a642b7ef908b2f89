// thread_echo.cc - an ordinary echo server: N threads, one listening socket, an epoll set for each.
//
// usage: thread_echo PORT THREADS
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

void watch(int set, int fd, unsigned events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

void take(int set, int listener) {
  const int connection = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (connection < 0) return;  // another thread has it
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  watch(set, connection, EPOLLIN);
}

void echo(int connection) {
  char text[16384];
  const ssize_t got = read(connection, text, sizeof text);
  if (got <= 0 || write(connection, text, static_cast<std::size_t>(got)) != got) close(connection);
}

void serve(int listener) {
  const int set = epoll_create1(0);
  // Linux otherwise wakes every thread for each connection; so does Pollux.
  watch(set, listener, EPOLLIN | EPOLLEXCLUSIVE);
  epoll_event events[64];
  for (;;) {
    const int count = epoll_wait(set, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      fd == listener ? take(set, listener) : echo(fd);
    }
  }
}

int listen_at(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool listens = bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 &&
                       listen(listener, 1024) == 0;
  return listens ? listener : -1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: thread_echo PORT THREADS\n"), 2;
  const int listener = listen_at(std::atoi(argv[1]));
  if (listener < 0) return std::perror("listen"), 1;
  std::puts("listening");
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(argv[2]); ++i) threads.emplace_back(serve, listener);
  threads.front().join();
}
