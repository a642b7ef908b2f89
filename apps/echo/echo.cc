// echo.cc - the smallest useful server: TCP and UDP echo with epoll on Pollux's public header.

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "pollux/pollux.h"

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr unsigned kDatagramsPerWake = 64;

volatile sig_atomic_t g_stop = 0;

struct Options {
  const char* config = nullptr;
  std::vector<const char*> settings;  // ended by a null pointer, as plx_init wants it
  const char* address = "0.0.0.0";
  int port = 7;
};

// What a client sent faster than it reads. A connection with unsent text is not read from.
struct Connection {
  std::string unsent;
};

class EchoServer {
 public:
  bool open(const sockaddr_in& address);
  void run(const sigset_t& mask_while_waiting);

 private:
  bool watch(int fd, std::uint32_t events, int operation = EPOLL_CTL_ADD) const;
  void dispatch(const epoll_event& event);
  void accept_all();
  void echo_datagrams();
  void echo_text(int fd);
  void send_unsent(int fd);
  void close_connection(int fd);

  int epoll_ = -1;
  int listener_ = -1;
  int datagrams_ = -1;
  bool accepting_ = true;
  std::vector<Connection> connections_;  // by descriptor: Pollux's are dense from 0
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
};

bool EchoServer::open(const sockaddr_in& address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  epoll_ = plx_epoll_create1(0);
  listener_ = plx_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  datagrams_ = plx_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (epoll_ < 0 || listener_ < 0 || datagrams_ < 0) return false;
  const int on = 1;
  plx_setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return plx_bind(listener_, generic, sizeof address) == 0 && plx_listen(listener_, 1024) == 0 &&
         plx_bind(datagrams_, generic, sizeof address) == 0 && watch(listener_, EPOLLIN) &&
         watch(datagrams_, EPOLLIN);
}

void EchoServer::run(const sigset_t& mask_while_waiting) {
  epoll_event events[256];
  while (g_stop == 0) {
    const int n = plx_epoll_pwait(epoll_, events, 256, -1, &mask_while_waiting);
    for (int i = 0; i < n; ++i) dispatch(events[i]);
    if (n < 0 && errno != EINTR) {
      perror("echo: epoll_wait");
      return;
    }
  }
}

bool EchoServer::watch(int fd, std::uint32_t events, int operation) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return plx_epoll_ctl(epoll_, operation, fd, &event) == 0;
}

void EchoServer::dispatch(const epoll_event& event) {
  const int fd = event.data.fd;
  if (fd == listener_) return accept_all();
  if (fd == datagrams_) return echo_datagrams();
  if ((event.events & EPOLLOUT) != 0) return send_unsent(fd);
  echo_text(fd);
}

void EchoServer::accept_all() {
  for (;;) {
    const int fd = plx_accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) {
      // Out of descriptors or memory: leave the rest in the backlog until a connection ends.
      const bool full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (full && watch(listener_, 0, EPOLL_CTL_MOD)) accepting_ = false;
      return;
    }
    const int on = 1;
    plx_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto index = static_cast<std::size_t>(fd);
    if (connections_.size() <= index) connections_.resize(index + 1);
    if (!watch(fd, EPOLLIN)) plx_close(fd);
  }
}

void EchoServer::echo_datagrams() {
  for (unsigned i = 0; i < kDatagramsPerWake; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    auto* address = reinterpret_cast<sockaddr*>(&from);
    const ssize_t n = plx_recvfrom(datagrams_, buffer_.data(), buffer_.size(), 0, address, &length);
    if (n < 0) return;
    plx_sendto(datagrams_, buffer_.data(), static_cast<std::size_t>(n), 0, address, length);
  }
}

void EchoServer::echo_text(int fd) {
  const ssize_t n = plx_read(fd, buffer_.data(), buffer_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close_connection(fd);
  const auto length = static_cast<std::size_t>(n);
  const ssize_t sent = plx_send(fd, buffer_.data(), length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return close_connection(fd);
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (done == length) return;
  connections_[static_cast<std::size_t>(fd)].unsent.assign(buffer_.data() + done, length - done);
  watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
}

void EchoServer::send_unsent(int fd) {
  std::string& unsent = connections_[static_cast<std::size_t>(fd)].unsent;
  const ssize_t sent = plx_send(fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (sent < 0) return close_connection(fd);
  unsent.erase(0, static_cast<std::size_t>(sent));
  if (unsent.empty()) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

void EchoServer::close_connection(int fd) {
  connections_[static_cast<std::size_t>(fd)] = {};
  plx_close(fd);
  if (!accepting_) accepting_ = watch(listener_, EPOLLIN, EPOLL_CTL_MOD);
}

bool parse(int argc, char** argv, Options& options) {
  const option long_options[] = {{"config", required_argument, nullptr, 'c'},
                                 {"set", required_argument, nullptr, 's'},
                                 {"address", required_argument, nullptr, 'a'},
                                 {"port", required_argument, nullptr, 'p'},
                                 {nullptr, 0, nullptr, 0}};
  for (int c; (c = getopt_long(argc, argv, "c:", long_options, nullptr)) != -1;) {
    if (c == 'c') options.config = optarg;
    if (c == 's') options.settings.push_back(optarg);
    if (c == 'a') options.address = optarg;
    if (c == 'p') options.port = atoi(optarg);
    if (c == '?') return false;
  }
  options.settings.push_back(nullptr);
  return optind == argc && options.port > 0 && options.port < 65536;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (!parse(argc, argv, options) || inet_pton(AF_INET, options.address, &address.sin_addr) != 1) {
    fprintf(stderr, "usage: echo -c FILE [--set KEY=VALUE]... [--address A] [--port N]\n");
    return 2;
  }
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  // The two signals arrive only while waiting, so none is missed between a check and a wait.
  sigset_t stop_signals, before;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop_signals, &before);
  for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { g_stop = 1; });
  if (plx_init(options.config, options.settings.data()) != 0) {
    fprintf(stderr, "echo: %s\n", plx_error());
    return 1;
  }
  EchoServer server;
  const bool opened = server.open(address);
  if (!opened) fprintf(stderr, "echo: %s:%d: %s\n", options.address, options.port, strerror(errno));
  if (opened) {
    printf("listening on %s:%d\n", options.address, options.port);
    fflush(stdout);
    server.run(before);
  }
  plx_exit();
  return opened ? 0 : 1;
}
