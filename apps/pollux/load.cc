// load.cc - Load: connecting, the event loop, warm-up, progress.

#include "apps/pollux/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace pollux::tool {

volatile std::sig_atomic_t g_stop = 0;

namespace {

constexpr unsigned kSpinsPerClockRead = 64;
constexpr int kLongestWaitMs = 50;
constexpr std::uint64_t kTickNs = 50'000'000;
constexpr std::uint64_t kProgressNs = 250'000'000;
constexpr std::uint64_t kConnectNs = 10'000'000'000;
constexpr std::size_t kBufferBytes = 256 * 1024;

}  // namespace

std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Load::Load(const SocketCalls& calls, const LoadOptions& options)
    : calls_(calls), options_(options), flows_(options.connections) {
  pattern_.resize(options_.size);
  for (std::size_t i = 0; i < pattern_.size(); ++i) {
    pattern_[i] = static_cast<char>('!' + i % 89);
  }
  buffer_.resize(kBufferBytes);
}

Load::~Load() {
  for (const Flow& flow : flows_) {
    if (flow.fd >= 0) calls_.close(flow.fd);
  }
  if (epoll_ >= 0) calls_.close(epoll_);
}

bool Load::run(LoadResult& result) {
  result_ = &result;
  epoll_ = calls_.epoll_create1(0);
  if (epoll_ < 0) return fail("epoll_create1");
  if (!open_flows() || !await_connections()) return false;

  const std::uint64_t begin = monotonic_ns();
  measure_from_ = begin + to_ns(options_.warmup_s);
  measure_until_ =
      options_.count != 0 ? ~std::uint64_t{0} : measure_from_ + to_ns(options_.duration_s);
  next_tick_ = begin + kTickNs;
  next_progress_ = begin + kProgressNs;
  const bool done = loop();
  const std::uint64_t end = std::min(monotonic_ns(), measure_until_);
  result.seconds = end > measure_from_ ? static_cast<double>(end - measure_from_) / 1e9 : 0.0;
  if (options_.progress) fmt::print(stderr, "\r{:78}\r", "");
  return done;
}

bool Load::open_flows() {
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    if (!open_flow(i)) return false;
  }
  return true;
}

bool Load::open_flow(std::size_t index) {
  Flow& flow = flows_[index];
  flow.requests.resize(options_.depth);
  const int type = (options_.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  flow.fd = calls_.socket(AF_INET, type, 0);
  if (flow.fd < 0) return fail("socket");
  const int on = 1;
  if (!options_.udp) calls_.setsockopt(flow.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* server = reinterpret_cast<const sockaddr*>(&options_.server);
  const int answer = calls_.connect(flow.fd, server, sizeof options_.server);
  if (answer != 0 && errno != EINPROGRESS) return fail("connect");
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = index;
  return calls_.epoll_ctl(epoll_, EPOLL_CTL_ADD, flow.fd, &event) == 0 || fail("epoll_ctl");
}

bool Load::await_connections() {
  const std::uint64_t give_up = monotonic_ns() + kConnectNs;
  std::size_t connected = 0;
  epoll_event events[kMaxEvents];
  while (connected < flows_.size() && g_stop == 0) {
    const int n = calls_.epoll_wait(epoll_, events, kMaxEvents, kLongestWaitMs);
    if (n < 0 && errno != EINTR) return fail("epoll_wait");
    for (int i = 0; i < n; ++i) {
      Flow& flow = flows_[events[i].data.u64];
      if (flow.connected) continue;
      if (!finish_connect(flow)) return false;
      ++connected;
    }
    if (monotonic_ns() < give_up) continue;
    errno = ETIMEDOUT;
    return fail("connect");
  }
  return true;
}

bool Load::finish_connect(Flow& flow) {
  int error = 0;
  socklen_t length = sizeof error;
  if (calls_.getsockopt(flow.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
    return fail("getsockopt");
  }
  if (error != 0) {
    errno = error;
    return fail("connect");
  }
  flow.connected = true;
  flow.wants_write = true;
  want_write(flow, false);
  return true;
}

bool Load::loop() {
  for (Flow& flow : flows_) {
    const std::uint64_t now = monotonic_ns();
    if (g_stop != 0) return true;
    const bool started =
        options_.udp ? udp_start_all(flow, now) : tcp_start(flow, options_.depth, now);
    if (!started) return false;
  }
  unsigned empty_spins = 0;
  epoll_event events[kMaxEvents];
  while (g_stop == 0) {
    const int n = calls_.epoll_wait(epoll_, events, kMaxEvents, wait_ms());
    if (n < 0 && errno != EINTR) return fail("epoll_wait");
    if (n > 0 && !serve(events, n)) return false;
    if (options_.spin && n <= 0 && ++empty_spins < kSpinsPerClockRead) continue;
    empty_spins = 0;
    const std::uint64_t now = monotonic_ns();
    if (finished(now)) return true;
    if (!tcp_start_rested(now)) return false;
    if (now >= next_tick_) tick(now);
    if (tick_failed_) return false;
  }
  return true;
}

int Load::wait_ms() const {
  if (options_.spin) return 0;
  if (resting_.empty()) return kLongestWaitMs;
  const std::uint64_t now = monotonic_ns(), until = std::max(resting_.front().until, now);
  return std::min(kLongestWaitMs, static_cast<int>((until - now + 999'999) / 1'000'000));
}

bool Load::serve(const epoll_event* events, int count) {
  for (int i = 0; i < count; ++i) {
    Flow& flow = flows_[events[i].data.u64];
    if ((events[i].events & EPOLLOUT) != 0) {
      const bool sent = options_.udp ? udp_send_unsent(flow) : tcp_push(flow);
      if (!sent) return false;
    }
    if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) continue;
    const bool received = options_.udp ? udp_readable(flow) : tcp_readable(flow);
    if (!received) return false;
  }
  return true;
}

void Load::tick(std::uint64_t now) {
  next_tick_ = now + kTickNs;
  for (Flow& flow : flows_) {
    if (options_.udp && !udp_resend_lost(flow, now)) tick_failed_ = true;
  }
  if (options_.progress && now >= next_progress_) show_progress(now);
}

void Load::show_progress(std::uint64_t now) {
  next_progress_ = now + kProgressNs;
  if (now < measure_from_) {
    fmt::print(stderr, "\r  warming up {:60}", "");
    return;
  }
  const double seconds = static_cast<double>(now - measure_from_) / 1e9;
  const Histogram& h = result_->latency;
  fmt::print(stderr, "\r  {:5.1f} s   {:>11.0f} requests/s   p50 {:8.1f} us   p99 {:8.1f} us  ",
             seconds, static_cast<double>(h.count()) / std::max(seconds, 1e-3),
             static_cast<double>(h.percentile(50)) / 1e3,
             static_cast<double>(h.percentile(99)) / 1e3);
  std::fflush(stderr);
}

bool Load::finished(std::uint64_t now) const {
  return now >= measure_until_ ||
         (options_.count != 0 && result_->latency.count() >= options_.count);
}

void Load::complete(std::uint64_t start, std::uint64_t now) {
  if (now >= measure_from_ && now < measure_until_) result_->latency.record(now - start);
}

void Load::want_write(Flow& flow, bool wanted) {
  if (flow.wants_write == wanted) return;
  flow.wants_write = wanted;
  epoll_event event{};
  event.events = EPOLLIN;
  if (wanted) event.events |= EPOLLOUT;
  event.data.u64 = static_cast<std::uint64_t>(&flow - flows_.data());
  calls_.epoll_ctl(epoll_, EPOLL_CTL_MOD, flow.fd, &event);
}

bool Load::fail(const char* what) {
  const int error = errno;
  char host[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &options_.server.sin_addr, host, sizeof host);
  error_ = fmt::format("{} {}:{}: {}", what, host, ntohs(options_.server.sin_port),
                       std::strerror(error));
  if (error == ECONNREFUSED || error == ETIMEDOUT) {
    error_ += "; is an echo server there? `pollux latency --serve` starts one";
  }
  return false;
}

}  // namespace pollux::tool
