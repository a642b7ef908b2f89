// ping.cc - `pollux ping`: ICMP echo through a ping socket, or the time a TCP connect takes.

#include <fmt/format.h>
#include <netinet/ip_icmp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "apps/pollux/commands.h"
#include "apps/pollux/load.h"

namespace pollux::tool {

namespace {

constexpr unsigned kMaxSize = 65000;
constexpr int kMaxWaitMs = 100;

std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

// One probe after another to one address. Owns its epoll set and, for ICMP, the one socket.
class Ping {
 public:
  Ping(const SocketCalls& calls, const PingCommand& command, const sockaddr_in& to)
      : calls_(calls), command_(command), to_(to), times_(std::make_unique<Histogram>()) {}
  ~Ping();
  Ping(const Ping&) = delete;
  Ping& operator=(const Ping&) = delete;

  bool open();
  bool run();
  void summary() const;
  bool answered() const { return times_->count() != 0; }

 private:
  bool probe(unsigned sequence);
  bool probe_icmp(std::uint16_t sequence);
  bool probe_tcp(unsigned sequence);
  bool read_reply(std::uint16_t sequence, std::uint64_t start, bool& answered);
  bool wait_for(int fd, std::uint64_t until) const;
  bool watch(int fd, std::uint32_t events) const;
  void answer(unsigned sequence, std::uint64_t ns, const char* note);
  bool fail(const char* what) const;

  const SocketCalls& calls_;
  const PingCommand& command_;
  const sockaddr_in to_;
  int epoll_ = -1;
  int icmp_ = -1;
  unsigned sent_ = 0;
  std::vector<char> reply_ = std::vector<char>(sizeof(icmphdr) + kMaxSize);
  std::unique_ptr<Histogram> times_;
};

Ping::~Ping() {
  for (const int fd : {icmp_, epoll_}) {
    if (fd >= 0) calls_.close(fd);
  }
}

bool Ping::open() {
  epoll_ = calls_.epoll_create1(0);
  if (epoll_ < 0) return fail("epoll_create1");
  if (command_.tcp_port != 0) return true;
  icmp_ = calls_.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
  if (icmp_ < 0) return fail("ping socket");
  return watch(icmp_, EPOLLIN) || fail("epoll_ctl");
}

bool Ping::run() {
  for (unsigned i = 1; g_stop == 0 && (command_.count == 0 || i <= command_.count); ++i) {
    const std::uint64_t next = monotonic_ns() + to_ns(command_.interval_s);
    ++sent_;
    if (!probe(i)) return false;
    if (i == command_.count) return true;
    while (g_stop == 0 && monotonic_ns() < next) wait_for(-1, next);
  }
  return true;
}

bool Ping::probe(unsigned sequence) {
  if (command_.tcp_port != 0) return probe_tcp(sequence);
  return probe_icmp(static_cast<std::uint16_t>(sequence));
}

// The socket sets the identifier and the checksum, and delivers only answers to its identifier.
bool Ping::probe_icmp(std::uint16_t sequence) {
  std::vector<char> message(sizeof(icmphdr) + command_.size);
  for (std::size_t i = sizeof(icmphdr); i < message.size(); ++i) {
    message[i] = static_cast<char>(i);
  }
  icmphdr header{};
  header.type = ICMP_ECHO;
  header.un.echo.sequence = htons(sequence);
  std::memcpy(message.data(), &header, sizeof header);
  const auto* to = reinterpret_cast<const sockaddr*>(&to_);
  const std::uint64_t start = monotonic_ns();
  const ssize_t n = calls_.sendto(icmp_, message.data(), message.size(), 0, to, sizeof to_);
  if (n < 0 && errno != EHOSTUNREACH && errno != ENOBUFS && errno != EAGAIN) return fail("send");
  const std::uint64_t until = start + to_ns(command_.timeout_s);
  bool answered = false;
  while (!answered && g_stop == 0) {
    if (!wait_for(icmp_, until)) break;
    if (!read_reply(sequence, start, answered)) return false;
  }
  if (!answered && !command_.quiet && g_stop == 0) {
    fmt::print("no answer to seq {} in {:g} s\n", sequence, command_.timeout_s);
  }
  return true;
}

bool Ping::read_reply(std::uint16_t sequence, std::uint64_t start, bool& answered) {
  const ssize_t n = calls_.recv(icmp_, reply_.data(), reply_.size(), 0);
  const std::uint64_t now = monotonic_ns();
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n < 0) {
    answered = true;  // an ICMP error came back: an answer, if not the one hoped for
    fmt::print("seq {}: {}\n", sequence, std::strerror(errno));
    return true;
  }
  if (static_cast<std::size_t>(n) < sizeof(icmphdr)) return true;
  icmphdr header{};
  std::memcpy(&header, reply_.data(), sizeof header);
  if (header.type != ICMP_ECHOREPLY || header.un.echo.sequence != htons(sequence)) return true;
  const std::size_t octets = static_cast<std::size_t>(n) - sizeof header;
  bool intact = octets == command_.size;
  for (std::size_t i = 0; intact && i < octets; ++i) {
    intact = reply_[sizeof header + i] == static_cast<char>(sizeof header + i);
  }
  answered = true;
  answer(sequence, now - start, intact ? "" : ", DIFFERS from what was sent");
  return true;
}

// A refusal is an answer too: the reset made the same round trip.
bool Ping::probe_tcp(unsigned sequence) {
  const int fd = calls_.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail("socket");
  const std::uint64_t start = monotonic_ns();
  const int connected = calls_.connect(fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
  int error = connected == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    watch(fd, EPOLLOUT);
    socklen_t length = sizeof error;
    if (!wait_for(fd, start + to_ns(command_.timeout_s))) {
      error = ETIMEDOUT;
    } else if (calls_.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
      error = errno;
    }
  }
  const std::uint64_t taken = monotonic_ns() - start;
  calls_.close(fd);
  if (error == 0 || error == ECONNREFUSED) {
    answer(sequence, taken, error == 0 ? "" : ", refused");
  } else if (!command_.quiet && g_stop == 0) {
    fmt::print("seq {}: {}\n", sequence, std::strerror(error));
  }
  return true;
}

// True: something happened on `fd`. Also the way to sleep: the stack works while it is waited for.
bool Ping::wait_for(int fd, std::uint64_t until) const {
  while (g_stop == 0) {
    const std::uint64_t now = monotonic_ns();
    if (now >= until) return false;
    const std::uint64_t left_ms = (until - now + 999'999) / 1'000'000;
    const int timeout_ms = left_ms < kMaxWaitMs ? static_cast<int>(left_ms) : kMaxWaitMs;
    epoll_event event{};
    const int n = calls_.epoll_wait(epoll_, &event, 1, timeout_ms);
    if (n > 0 && event.data.fd == fd) return true;
    if (n > 0 && fd < 0) return false;
  }
  return false;
}

bool Ping::watch(int fd, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return calls_.epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Ping::answer(unsigned sequence, std::uint64_t ns, const char* note) {
  times_->record(ns);
  if (command_.quiet) return;
  const double us = static_cast<double>(ns) / 1e3;
  if (command_.tcp_port != 0) {
    fmt::print("connect to {}:{}: seq {}, {:.1f} us{}\n", command_.host, command_.tcp_port,
               sequence, us, note);
  } else {
    fmt::print("{} octets from {}: seq {}, {:.1f} us{}\n", command_.size, command_.host, sequence,
               us, note);
  }
  std::fflush(stdout);
}

void Ping::summary() const {
  const auto received = static_cast<unsigned>(times_->count());
  const double loss = sent_ == 0 ? 0.0 : 100.0 * (sent_ - received) / sent_;
  fmt::print("{} sent, {} answered, {:.1f} % lost", sent_, received, loss);
  if (received == 0) {
    fmt::print("\n");
    return;
  }
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e3; };
  fmt::print("; min {:.1f}, p50 {:.1f}, p99 {:.1f}, max {:.1f} us\n", us(times_->min()),
             us(times_->percentile(50)), us(times_->percentile(99)), us(times_->max()));
}

bool Ping::fail(const char* what) const {
  const int error = errno;
  fmt::print(stderr, "pollux ping: {} {}: {}\n", what, command_.host, std::strerror(error));
  if (error == EACCES && command_.stack.kernel) {
    fmt::print(stderr, "the kernel grants ping sockets by sysctl net.ipv4.ping_group_range\n");
  }
  return false;
}

}  // namespace

int ping_main(const PingCommand& command) {
  sockaddr_in to{};
  if (!parse_address(command.host, command.tcp_port, to)) {
    fmt::print(stderr, "pollux ping: HOST must be a numeric IPv4 address\n");
    return 2;
  }
  const StackSession session(command.stack);
  if (!session.started()) {
    fmt::print(stderr, "pollux ping: {}\n", session.error());
    return 1;
  }
  Ping ping(session.calls(), command, to);
  if (!ping.open() || !ping.run()) return 1;
  ping.summary();
  return ping.answered() ? 0 : 1;
}

}  // namespace pollux::tool
