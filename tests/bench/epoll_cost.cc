// epoll_cost.cc - what epoll_ctl and epoll_wait cost, on the kernel's sockets or on Pollux's.
//
//   epoll_cost HOST kernel
//   epoll_cost HOST CONFIG [KEY=VALUE]...
//
// HOST runs `pollux latency --serve`, whose answers make sockets ready. Prints "NAME<tab>NS" for
// each measurement: nanoseconds per call, the median of its batches. tests/bench/epoll reads it.

#include <arpa/inet.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/pollux/calls.h"

namespace {

using pollux::tool::SocketCalls;

constexpr std::array<std::size_t, 5> kSizes = {10, 1'000, 16'000, 100'000, 1'000'000};
constexpr std::size_t kMany = 1'000;   // the size of the sets that are not about size
constexpr std::size_t kReady = 64;     // as many sockets hold an unread datagram
constexpr std::size_t kSpare = 1'500;  // descriptors beside those of the largest set
constexpr std::size_t kBatches = 101;
constexpr std::size_t kCallsPerBatch = 300;
constexpr int kMaxEvents = 128;
constexpr int kAnswerTries = 50;
constexpr int kAnswerMs = 100;
constexpr std::uint16_t kEchoPort = 7;

double now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "epoll_cost: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One reading of the clock: as much passes between two in a row.
double clock_cost() {
  std::vector<double> costs(kBatches);
  for (double& cost : costs) {
    const double start = now_ns();
    for (std::size_t i = 0; i < kCallsPerBatch; ++i) now_ns();
    cost = (now_ns() - start) / kCallsPerBatch;
  }
  return median(costs);
}

// One side. Everything stays open until the process ends: what is measured last is the largest set.
class Bench {
 public:
  Bench(const SocketCalls& calls, const sockaddr_in& server, std::size_t descriptors)
      : calls_(calls), server_(server), descriptors_(descriptors), clock_cost_(clock_cost()) {}
  void run();

 private:
  int new_set() const;
  int new_socket() const;
  int ready_socket() const;
  int event_fd(bool is_ready) const;
  int number_of(int kernel_fd) const;
  void ctl(int set, int operation, int fd, std::uint32_t events = EPOLLIN) const;
  void add(int set, std::size_t begin, std::size_t end, const std::vector<int>& fds) const;
  void wait(int set, int wanted) const;

  void measure_wait(const std::string& name, int set, int ready) const;
  void measure_random(const std::string& name, int set);
  void measure_ctl(const std::string& of, int set);
  void measure_special_sets();
  void measure_mixed();

  const SocketCalls& calls_;
  const sockaddr_in server_;
  const std::size_t descriptors_;
  const double clock_cost_;
  std::vector<int> ready_;  // connected, with an unread datagram
  std::vector<int> idle_;   // never readable, always writable
  std::mt19937 random_{1};
};

int Bench::new_set() const {
  const int set = calls_.epoll_create1(0);
  return set >= 0 ? set : (die("epoll_create1"), -1);
}

int Bench::new_socket() const {
  const int fd = calls_.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  return fd >= 0 ? fd : (die("socket"), -1);
}

int Bench::ready_socket() const {
  const int fd = new_socket(), set = new_set();
  if (calls_.connect(fd, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0) {
    die("connect");
  }
  ctl(set, EPOLL_CTL_ADD, fd);
  for (int i = 0; i < kAnswerTries; ++i) {
    epoll_event event;
    calls_.send(fd, "?", 1, 0);
    if (calls_.epoll_wait(set, &event, 1, kAnswerMs) == 1) {
      calls_.close(set);
      return fd;
    }
  }
  errno = ETIMEDOUT;
  die("an answer of the echo server");
}

int Bench::number_of(int kernel_fd) const {
  return calls_.socket == ::socket ? kernel_fd : plx_kernel_fd(kernel_fd);
}

int Bench::event_fd(bool is_ready) const {
  const int fd = number_of(::eventfd(is_ready ? 1 : 0, EFD_NONBLOCK));
  return fd >= 0 ? fd : (die("eventfd"), -1);
}

void Bench::ctl(int set, int operation, int fd, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (calls_.epoll_ctl(set, operation, fd, &event) != 0) die("epoll_ctl");
}

void Bench::add(int set, std::size_t begin, std::size_t end, const std::vector<int>& fds) const {
  for (std::size_t i = begin; i < end; ++i) ctl(set, EPOLL_CTL_ADD, fds[i]);
}

void Bench::wait(int set, int wanted) const {
  epoll_event events[kMaxEvents];
  if (calls_.epoll_wait(set, events, kMaxEvents, 0) != wanted) die("epoll_wait");
}

void print(const std::string& name, double ns) { std::printf("%s\t%.1f\n", name.c_str(), ns); }

void Bench::measure_wait(const std::string& name, int set, int ready) const {
  std::vector<double> batches(kBatches);
  for (double& batch : batches) {
    const double start = now_ns();
    for (std::size_t i = 0; i < kCallsPerBatch; ++i) wait(set, ready);
    batch = (now_ns() - start) / kCallsPerBatch;
  }
  print(name, median(batches));
}

// Each time another one is made ready, by being asked for OUT once.
void Bench::measure_random(const std::string& name, int set) {
  const std::size_t watched = idle_.size();
  std::vector<double> batches(kBatches);
  for (double& batch : batches) {
    double total = 0;
    for (std::size_t i = 0; i < kCallsPerBatch; ++i) {
      const int fd = idle_[random_() % watched];
      ctl(set, EPOLL_CTL_MOD, fd, std::uint32_t{EPOLLOUT} | EPOLLONESHOT);
      const double start = now_ns();
      wait(set, 1);
      total += now_ns() - start - clock_cost_;
      ctl(set, EPOLL_CTL_MOD, fd);
    }
    batch = total / kCallsPerBatch;
  }
  print(name, median(batches));
}

void Bench::measure_ctl(const std::string& of, int set) {
  std::vector<double> adds(kBatches), mods(kBatches), dels(kBatches);
  for (std::size_t batch = 0; batch < kBatches; ++batch) {
    for (std::size_t i = 0; i < kCallsPerBatch; ++i) {
      std::swap(idle_[i], idle_[i + random_() % (idle_.size() - i)]);
    }
    const std::span some(idle_.data(), kCallsPerBatch);
    const double start = now_ns();
    for (const int fd : some) ctl(set, EPOLL_CTL_MOD, fd);
    const double modified = now_ns();
    for (const int fd : some) ctl(set, EPOLL_CTL_DEL, fd);
    const double deleted = now_ns();
    for (const int fd : some) ctl(set, EPOLL_CTL_ADD, fd);
    const double added = now_ns();
    mods[batch] = (modified - start) / kCallsPerBatch;
    dels[batch] = (deleted - modified) / kCallsPerBatch;
    adds[batch] = (added - deleted) / kCallsPerBatch;
  }
  print("ADD, " + of, median(adds));
  print("MOD, " + of, median(mods));
  print("DEL, " + of, median(dels));
}

void Bench::measure_special_sets() {
  const int set = new_set(), outer = new_set();
  add(set, 0, kMany - kReady, idle_);
  measure_wait("0 ready of 1000", set, 0);
  ctl(outer, EPOLL_CTL_ADD, set);
  ctl(set, EPOLL_CTL_ADD, ready_[0]);
  measure_wait("1 ready of 1000, in a set in the set", outer, 1);
  calls_.close(outer);
  add(set, 1, kReady, ready_);
  measure_wait("64 ready of 1000", set, kReady);
  calls_.close(set);
}

// Half of the set is the kernel's: eventfds.
void Bench::measure_mixed() {
  const int set = new_set();
  add(set, 0, kMany / 2, idle_);
  for (std::size_t i = 0; i < kMany / 2; ++i) ctl(set, EPOLL_CTL_ADD, event_fd(false));
  ctl(set, EPOLL_CTL_ADD, ready_[0]);
  measure_wait("1 ready of 1000, half of them the kernel's: a socket", set, 1);
  std::vector<int> kernel(kReady / 2);
  for (int& fd : kernel) fd = event_fd(true);
  add(set, 0, kernel.size(), kernel);
  add(set, 1, kReady / 2, ready_);
  measure_wait("64 ready of 1000, half of them the kernel's", set, kReady);
  for (std::size_t i = 0; i < kReady / 2; ++i) ctl(set, EPOLL_CTL_DEL, ready_[i]);
  for (std::size_t i = 1; i < kReady / 2; ++i) ctl(set, EPOLL_CTL_DEL, kernel[i]);
  measure_wait("1 ready of 1000, half of them the kernel's: an eventfd", set, 1);
  calls_.close(set);
}

void Bench::run() {
  for (std::size_t i = 0; i < kReady; ++i) ready_.push_back(ready_socket());
  const int set = new_set();
  for (const std::size_t size : kSizes) {
    if (size + kSpare > descriptors_) break;
    const std::size_t before = idle_.size();
    while (idle_.size() < size) idle_.push_back(new_socket());
    add(set, before, size, idle_);
    const std::string of = "of " + std::to_string(size);
    if (size >= kMany) measure_ctl(of, set);
    measure_random("1 ready " + of + ", at random", set);
    ctl(set, EPOLL_CTL_ADD, ready_[0]);
    measure_wait("1 ready " + of + ", always the same", set, 1);
    ctl(set, EPOLL_CTL_DEL, ready_[0]);
    if (size != kMany) continue;
    measure_special_sets();
    measure_mixed();
  }
}

// As many as the hard limit allows.
std::size_t kernel_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(kEchoPort);
  if (argc < 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
    std::fprintf(stderr, "usage: epoll_cost HOST kernel|CONFIG [KEY=VALUE]...\n");
    return 2;
  }
  const std::size_t descriptors = kernel_descriptors();
  if (std::string_view(argv[2]) == "kernel") {
    Bench(pollux::tool::kKernelCalls, server, descriptors).run();
    return 0;
  }
  if (plx_init(argv[2], argv + 3) != 0) {
    std::fprintf(stderr, "epoll_cost: %s\n", plx_error());
    return 1;
  }
  Bench(pollux::tool::kPolluxCalls, server, SIZE_MAX).run();
  std::fflush(stdout);
  plx_exit();
  return 0;
}
