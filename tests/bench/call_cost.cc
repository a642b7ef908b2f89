// call_cost.cc - what a call on a kernel descriptor costs, and how soon a first connection is made:
// run alone and under `pollux run`, the difference is the preload library's.
//
// usage: call_cost calls    nanoseconds of write + read on a pipe, and of epoll_wait(0) on it
//        call_cost connect  milliseconds to the process's first connection, to its own 127.0.0.1
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCalls = 20'000;
constexpr int kRounds = 25;

// The least of all rounds: whatever disturbs only adds.
template <typename Call>
double nanoseconds(Call call) {
  double least = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < kCalls; ++i) {
      if (!call()) return -1;
    }
    const std::chrono::duration<double, std::nano> spent = Clock::now() - start;
    least = std::min(least, spent.count() / kCalls);
  }
  return least;
}

int measure_calls() {
  int ends[2];
  const int set = epoll_create1(0);
  if (pipe(ends) != 0 || set < 0) return perror("pipe"), 1;
  epoll_event event{.events = EPOLLIN, .data = {.fd = ends[0]}};
  epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
  char octet = 0;
  const double pair =
      nanoseconds([&] { return write(ends[1], &octet, 1) == 1 && read(ends[0], &octet, 1) == 1; });
  const double wait = nanoseconds([&] { return epoll_wait(set, &event, 1, 0) == 0; });
  std::printf("%.1f %.1f\n", pair, wait);
  return pair > 0 && wait > 0 ? 0 : 1;
}

int measure_connect() {
  const Clock::time_point start = Clock::now();
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, any, length) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, any, &length) != 0) {
    return perror("listen"), 1;
  }
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client, any, length) != 0) return perror("connect"), 1;
  const std::chrono::duration<double, std::milli> spent = Clock::now() - start;
  std::printf("%.3f\n", spent.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "calls") == 0) return measure_calls();
  if (argc == 2 && std::strcmp(argv[1], "connect") == 0) return measure_connect();
  std::fprintf(stderr, "usage: call_cost calls|connect\n");
  return 2;
}
