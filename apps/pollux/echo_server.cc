// echo_server.cc - TCP and UDP echo over either table of calls; one thread, one epoll set.

#include "apps/pollux/echo_server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "apps/pollux/load.h"

namespace pollux::tool {

namespace {

constexpr int kWaitMs = 200;
constexpr std::size_t kReadBytes = 256 * 1024;

// Owner of the descriptors of one run. A connection with unsent text is not read from.
class EchoServer {
 public:
  explicit EchoServer(const SocketCalls& calls) : calls_(calls), buffer_(kReadBytes) {}
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  bool open(const sockaddr_in& address);
  bool run(bool spin);

 private:
  bool watch(int fd, std::uint32_t events, int operation) const;
  void dispatch(const epoll_event& event);
  void accept_all();
  void echo_datagrams();
  void echo_text(int fd);
  void send_unsent(int fd);
  void close_connection(int fd);

  const SocketCalls& calls_;
  int epoll_ = -1;
  int listener_ = -1;
  int datagrams_ = -1;
  bool accepting_ = true;
  std::vector<bool> open_;           // by descriptor
  std::vector<std::string> unsent_;  // by descriptor
  std::vector<char> buffer_;
};

EchoServer::~EchoServer() {
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (open_[i]) calls_.close(static_cast<int>(i));
  }
  for (const int fd : {datagrams_, listener_, epoll_}) {
    if (fd >= 0) calls_.close(fd);
  }
}

bool EchoServer::open(const sockaddr_in& address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  epoll_ = calls_.epoll_create1(0);
  listener_ = calls_.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  datagrams_ = calls_.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (epoll_ < 0 || listener_ < 0 || datagrams_ < 0) return false;
  const int on = 1;
  calls_.setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return calls_.bind(listener_, generic, sizeof address) == 0 &&
         calls_.listen(listener_, 1024) == 0 &&
         calls_.bind(datagrams_, generic, sizeof address) == 0 &&
         watch(listener_, EPOLLIN, EPOLL_CTL_ADD) && watch(datagrams_, EPOLLIN, EPOLL_CTL_ADD);
}

bool EchoServer::run(bool spin) {
  epoll_event events[kMaxEvents];
  const int timeout_ms = spin ? 0 : kWaitMs;
  while (g_stop == 0) {
    const int n = calls_.epoll_wait(epoll_, events, kMaxEvents, timeout_ms);
    if (n < 0 && errno != EINTR) return false;
    for (int i = 0; i < n; ++i) dispatch(events[i]);
  }
  return true;
}

bool EchoServer::watch(int fd, std::uint32_t events, int operation) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return calls_.epoll_ctl(epoll_, operation, fd, &event) == 0;
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
    const int fd = calls_.accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) {
      // Out of descriptors or memory: the rest waits in the backlog until a connection ends.
      const bool full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (full && watch(listener_, 0, EPOLL_CTL_MOD)) accepting_ = false;
      return;
    }
    const int on = 1;
    calls_.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto index = static_cast<std::size_t>(fd);
    if (open_.size() <= index) {
      open_.resize(index + 1);
      unsent_.resize(index + 1);
    }
    open_[index] = watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    if (!open_[index]) calls_.close(fd);
  }
}

void EchoServer::echo_datagrams() {
  for (unsigned i = 0; i < kDatagramsPerWake; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    auto* address = reinterpret_cast<sockaddr*>(&from);
    const ssize_t n =
        calls_.recvfrom(datagrams_, buffer_.data(), buffer_.size(), 0, address, &length);
    if (n < 0) return;
    calls_.sendto(datagrams_, buffer_.data(), static_cast<std::size_t>(n), 0, address, length);
  }
}

void EchoServer::echo_text(int fd) {
  const ssize_t n = calls_.recv(fd, buffer_.data(), buffer_.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close_connection(fd);
  const auto length = static_cast<std::size_t>(n);
  const ssize_t sent = calls_.send(fd, buffer_.data(), length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return close_connection(fd);
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (done == length) return;
  unsent_[static_cast<std::size_t>(fd)].assign(buffer_.data() + done, length - done);
  watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
}

void EchoServer::send_unsent(int fd) {
  std::string& unsent = unsent_[static_cast<std::size_t>(fd)];
  const ssize_t sent = calls_.send(fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (sent < 0) return close_connection(fd);
  unsent.erase(0, static_cast<std::size_t>(sent));
  if (unsent.empty()) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

void EchoServer::close_connection(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  open_[index] = false;
  unsent_[index] = {};
  calls_.close(fd);
  if (!accepting_) accepting_ = watch(listener_, EPOLLIN, EPOLL_CTL_MOD);
}

}  // namespace

std::string serve_echo(const SocketCalls& calls, const ServeOptions& options,
                       const std::string& ready) {
  EchoServer server(calls);
  if (!server.open(options.address)) return fmt::format("{}: {}", ready, std::strerror(errno));
  fmt::print("listening on {}\n", ready);
  std::fflush(stdout);
  if (!server.run(options.spin)) return fmt::format("epoll_wait: {}", std::strerror(errno));
  return "";
}

}  // namespace pollux::tool
