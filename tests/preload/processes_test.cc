// processes_test.cc - children, numbers and signals in quantity, on both sides alike.
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/preload/pairs.h"

extern char** environ;

namespace preload_test {
namespace {

using ProcessTest = BothSides;

// Octets that go round without a pause, until the end of scope; each turn is checked.
class Traffic {
 public:
  explicit Traffic(const Pair& pair) : thread_([this, &pair] { run(pair); }) {}
  ~Traffic() {
    ends_ = true;
    thread_.join();
    EXPECT_GT(turns_, 10u);
  }

 private:
  void run(const Pair& pair) {
    for (; !ends_; ++turns_) {
      const std::string text(1000, static_cast<char>('a' + turns_ % 26));
      write_text(pair.client, text);
      ASSERT_EQ(read_text(pair.server, text.size()), text);
    }
  }
  std::atomic<bool> ends_{false};
  unsigned turns_ = 0;
  std::thread thread_;
};

// fault-fork.
TEST_P(ProcessTest, a_transfer_goes_on_while_children_come_and_go) {
  const Traffic traffic(pair);
  for (int i = 0; i < 100; ++i) {
    const pid_t child = i % 2 == 0 ? fork() : vfork();
    if (child == 0) {
      close(pair.client);
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  const char* const arguments[] = {"true", nullptr};
  for (int i = 0; i < 10; ++i) {
    pid_t child = 0;
    ASSERT_EQ(
        posix_spawnp(&child, "true", nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
}

// Numbers that are duplicated, replaced and closed in whatever order are what they should be.
class Numbers {
 public:
  static constexpr int kFirst = 300, kCount = 16;
  enum class Kind : std::uint8_t { closed, socket, file };

  Numbers(const Pair& pair, unsigned seed) : pair_(pair), random_(seed) {}
  ~Numbers() { close_range(kFirst, kFirst + kCount - 1, 0); }

  void act() {
    const int to = any();
    switch (random_() % 6) {
      case 0:
        return set(to, Kind::socket, dup2(pair_.client, to));
      case 1:
        return set(to, Kind::file, dup3(file_, to, O_CLOEXEC));
      case 2:
        return copy(any(), to);
      case 3:
        EXPECT_EQ(close(to), kind(to) == Kind::closed ? -1 : 0);
        return set(to, Kind::closed, to);
      case 4:
        return close_some(to, std::min(to + 3, kFirst + kCount - 1));
      default:
        return least(any());
    }
  }
  void check() {
    for (int fd = kFirst; fd < kFirst + kCount; ++fd) {
      struct stat status;
      const bool is_open = fstat(fd, &status) == 0;
      ASSERT_EQ(is_open, kind(fd) != Kind::closed) << fd;
      if (!is_open) continue;
      ASSERT_EQ(S_ISSOCK(status.st_mode), kind(fd) == Kind::socket) << fd;
      if (kind(fd) == Kind::file) continue;
      write_text(fd, "x");
      ASSERT_EQ(read_text(pair_.server, 1), "x");
    }
  }

 private:
  int any() { return kFirst + static_cast<int>(random_() % kCount); }
  Kind& kind(int fd) { return kinds_[static_cast<std::size_t>(fd - kFirst)]; }
  void set(int fd, Kind now, int result) {
    EXPECT_EQ(result, fd);
    kind(fd) = now;
  }
  void copy(int from, int to) {
    const int result = dup2(from, to);
    if (kind(from) != Kind::closed) return set(to, kind(from), result);
    EXPECT_EQ(result, -1);
  }
  void close_some(int first, int last) {
    EXPECT_EQ(close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0), 0);
    for (int fd = first; fd <= last; ++fd) kind(fd) = Kind::closed;
  }
  // F_DUPFD takes the lowest number that is free.
  void least(int from) {
    int lowest = kFirst;
    while (lowest < kFirst + kCount && kind(lowest) != Kind::closed) ++lowest;
    if (kind(from) == Kind::closed || lowest == kFirst + kCount) return;
    set(lowest, kind(from), fcntl(from, F_DUPFD, kFirst));
  }

  const Pair& pair_;
  const Fd file_{open("/dev/null", O_RDWR)};
  std::minstd_rand random_;
  Kind kinds_[kCount]{};
};

TEST_P(ProcessTest, numbers_in_whatever_order) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Numbers numbers(pair, seed);
    for (int i = 0; i < 100; ++i) {
      numbers.act();
      numbers.check();
      if (HasFatalFailure()) return;
    }
  }
}

// select's sets end at FD_SETSIZE; Linux takes longer ones.
TEST_P(ProcessTest, a_number_beyond_select) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t before = std::exchange(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 4096));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const Fd high(fcntl(pair.server, F_DUPFD, 3000));
  ASSERT_EQ(high, 3000);
  write_text(pair.client, "x");
  pollfd fd{high, POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 5000), 1);
  std::vector<unsigned long> words(4096 / 64);
  words[3000 / 64] = 1ul << 3000 % 64;
  auto* const set = reinterpret_cast<fd_set*>(words.data());
  EXPECT_EQ(select(3001, set, nullptr, nullptr, nullptr), 1);
  EXPECT_EQ(words[3000 / 64], 1ul << 3000 % 64);
  const Fd epoll(epoll_create1(0));
  epoll_event event{.events = EPOLLIN, .data = {}};
  EXPECT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, high, &event), 0);
  EXPECT_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
  EXPECT_EQ(read_text(high, 1), "x");
  limit.rlim_cur = before;
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

volatile sig_atomic_t pipes_broken = 0;
void count_broken_pipe(int) { pipes_broken = pipes_broken + 1; }

TEST_P(ProcessTest, sigpipe_once_for_each_write_that_wants_it) {
  signal(SIGPIPE, count_broken_pipe);
  pipes_broken = 0;
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_ERRNO(write(pair.client, "x", 1), EPIPE);
  EXPECT_EQ(pipes_broken, 1);
  EXPECT_ERRNO(send(pair.client, "x", 1, 0), EPIPE);
  EXPECT_EQ(pipes_broken, 2);
  EXPECT_ERRNO(send(pair.client, "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_EQ(pipes_broken, 2);
  signal(SIGPIPE, SIG_DFL);
}

ON_BOTH_SIDES(ProcessTest);

// Whatever the rules say of internet addresses.
TEST(Owner, other_families_are_the_kernels) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Fd one(ends[0]), other(ends[1]);
  ucred peer{};
  socklen_t length = sizeof peer;
  EXPECT_EQ(getsockopt(one, SOL_SOCKET, SO_PEERCRED, &peer, &length), 0);
  EXPECT_EQ(peer.pid, getpid()) << "only the kernel knows that";
  const Fd bound(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;  // an abstract name of the kernel's choice
  EXPECT_EQ(bind(bound, reinterpret_cast<sockaddr*>(&name), sizeof name.sun_family), 0);
  EXPECT_EQ(listen(bound, 1), 0);
  const Fd netlink(socket(AF_NETLINK, SOCK_RAW, 0));
  EXPECT_GE(netlink, 0);
}

}  // namespace
}  // namespace preload_test
