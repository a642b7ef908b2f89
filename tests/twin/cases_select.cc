// cases_select.cc - behaviours 15.x: select and pselect.
#include <arpa/inet.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr timeval kAtOnce{.tv_sec = 0, .tv_usec = 0};

// In which of the three sets select reports `fd`, and the return value: "2 rw-".
std::string select_one(const Twin& t, int fd) {
  fd_set sets[3];
  for (fd_set& set : sets) {
    FD_ZERO(&set);
    FD_SET(fd, &set);
  }
  timeval timeout = kAtOnce;
  std::string text = to_text(t.calls.select(fd + 1, &sets[0], &sets[1], &sets[2], &timeout)) + " ";
  for (int i = 0; i < 3; ++i) text += FD_ISSET(fd, &sets[i]) ? "rwx"[i] : '-';
  return text;
}

void b15_1_which_set(Twin& t) {
  const Pair pair = t.pair();
  t.expect("established", select_one(t, pair.passive), "1 -w-");
  t.send(pair.active, "x");
  t.expect("data", select_one(t, pair.passive), "2 rw-");
  t.drain(pair.passive);
  t.calls.shutdown(pair.active, SHUT_WR);
  t.settle();
  t.expect("FIN: not except", select_one(t, pair.passive), "2 rw-");
}

void b15_2_errors(Twin& t) {
  t.expect("fresh socket", select_one(t, t.tcp()), "2 rw-");
  t.expect("refused", select_one(t, t.refused()), "2 rw-");
  t.expect("listener", select_one(t, t.listener().fd), "0 ---");
  const Pair pair = t.pair();
  t.reset(pair.active);
  t.expect("RST", select_one(t, pair.passive), "2 rw-");
}

void b15_2_urgent(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "u", MSG_OOB);
  t.expect("urgent", select_one(t, pair.passive), "2 -wx");
}

void b15_3_counts_bits(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  for (const int fd : {pair.active, pair.passive}) {
    FD_SET(fd, &readable);
    FD_SET(fd, &writable);
  }
  timeval timeout = kAtOnce;
  const int n = std::max(pair.active, pair.passive) + 1;
  t.expect("three bits", t.calls.select(n, &readable, &writable, nullptr, &timeout), 3);
  t.expect("unready is cleared", FD_ISSET(pair.active, &readable) != 0, 0);
}

void b15_4_bad_arguments(Twin& t) {
  fd_set readable;
  FD_ZERO(&readable);
  timeval timeout = kAtOnce;
  t.expect("n < 0", to_text(t.calls.select(-1, &readable, nullptr, nullptr, &timeout)),
           "-1 EINVAL");
  const int fd = t.tcp();
  const int closed = t.udp();
  t.close(closed);
  FD_SET(fd, &readable);
  FD_SET(closed, &readable);
  t.expect("closed", to_text(t.calls.select(closed + 1, &readable, nullptr, nullptr, &timeout)),
           "-1 EBADF");
  t.expect("sets untouched", FD_ISSET(closed, &readable) && FD_ISSET(fd, &readable), 1);
}

// A set of any size, as the system call takes it.
class LargeSet {
 public:
  fd_set* get() { return reinterpret_cast<fd_set*>(words_.data()); }
  void add(int fd) { word(fd) |= bit(fd); }
  bool has(int fd) { return (word(fd) & bit(fd)) != 0; }

 private:
  static constexpr size_t kBits = 8 * sizeof(unsigned long);
  static unsigned long bit(int fd) { return 1ul << static_cast<size_t>(fd) % kBits; }
  unsigned long& word(int fd) { return words_[static_cast<size_t>(fd) / kBits]; }
  std::array<unsigned long, (size_t{1} << 20) / kBits> words_{};
};

void b15_4_beyond_the_table(Twin& t) {
  constexpr int kFar = 1'000'000;  // no table has grown so far
  LargeSet readable, writable;
  const int fd = t.pair().active;
  writable.add(fd);
  readable.add(kFar);
  timeval timeout = kAtOnce;
  t.expect("n is cut", t.calls.select(kFar + 1, readable.get(), writable.get(), nullptr, &timeout),
           1);
  t.expect("writable", writable.has(fd), 1);
  t.expect("ignored, not cleared", readable.has(kFar), 1);
}

void b15_5_more_than_fd_setsize(Twin& t) {
  constexpr int kHigh = 3000;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit enough{std::max<rlim_t>(before.rlim_cur, kHigh + 1), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &enough);
  const Pair pair = t.pair();
  t.expect("dup2", t.keep(t.calls.dup2(pair.passive, kHigh)), kHigh);
  LargeSet readable, except;
  for (const int fd : {kHigh, pair.passive, pair.active}) {
    readable.add(fd);
    except.add(fd);
  }
  t.send(pair.active, "x");
  timeval timeout = kAtOnce;
  t.expect("both numbers",
           t.calls.select(kHigh + 1, readable.get(), nullptr, except.get(), &timeout), 2);
  t.expect("high", readable.has(kHigh), 1);
  t.expect("cleared", readable.has(pair.active) || except.has(kHigh), 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

void b15_6_timeval(Twin& t) {
  for (timeval timeout : {timeval{-1, 0}, timeval{0, -1}}) {
    t.expect("negative", to_text(t.calls.select(0, nullptr, nullptr, nullptr, &timeout)),
             "-1 EINVAL");
  }
}

void b15_7_remaining_time(Twin& t) {
  const int fd = t.pair().active;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  timeval timeout{.tv_sec = 5, .tv_usec = 0};
  t.expect("ready", t.calls.select(fd + 1, nullptr, &set, nullptr, &timeout), 1);
  const bool is_nearly_5 = timeout.tv_sec == 5 || (timeout.tv_sec == 4 && timeout.tv_usec > 900000);
  t.expect("5 s left", is_nearly_5, 1);
  timeout = {.tv_sec = 0, .tv_usec = 2000};
  t.expect("not ready", t.calls.select(fd + 1, &set, nullptr, nullptr, &timeout), 0);
  t.expect("nothing left", timeout.tv_sec + timeout.tv_usec, 0);
}

void b15_8_sets_are_overwritten(Twin& t) {
  const int fd = t.pair().active;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  timeval timeout = kAtOnce;
  t.expect("none ready", t.calls.select(fd + 1, &set, nullptr, nullptr, &timeout), 0);
  t.expect("cleared", FD_ISSET(fd, &set) != 0, 0);
}

void b15_9_files(Twin& t) { t.expect("/dev/null", select_one(t, t.null_device().number), "2 rw-"); }

void b15_10_fin(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.close(pair.active);
  t.settle();
  t.expect("with data", select_one(t, pair.passive), "2 rw-");
  t.expect("data", t.receive(pair.passive), "\"x\"");
  t.expect("the end", select_one(t, pair.passive), "2 rw-");
  t.calls.shutdown(pair.passive, SHUT_WR);
  t.settle();
  t.expect("both directions", select_one(t, pair.passive), "2 rw-");
}

// A connected datagram socket whose peer is gone.
int unreachable(Twin& t) {
  const int gone = t.udp(), fd = t.udp();
  sockaddr_in address{};
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  t.calls.bind(gone, any, length);
  t.calls.getsockname(gone, any, &length);
  t.close(gone);
  t.calls.connect(fd, any, length);
  return fd;
}

void b15_11_select_error_queue(Twin& t) {
  const int fd = unreachable(t);
  t.set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
  t.send(fd, "x");
  t.expect("without", select_one(t, fd), "2 rw-");
  t.expect("set", t.set_option(fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1), 0);
  t.expect("with", select_one(t, fd), "3 rwx");
  t.expect("SO_ERROR", t.socket_error(fd), "ECONNREFUSED");
  t.expect("the queue is there still", select_one(t, fd), "3 rwx");
  t.expect("read it", t.receive(fd, 0, MSG_ERRQUEUE), "\"\"");
  t.expect("empty", select_one(t, fd), "1 -w-");
  const int tcp = t.refused();
  t.expect("set of TCP", t.set_option(tcp, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1), 0);
  t.expect("no effect", select_one(t, tcp), "2 rw-");
}

void b15_20_pselect(Twin& t) {
  const int fd = t.pair().active;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  const timespec brief{.tv_sec = 0, .tv_nsec = 1000};
  t.expect("ready", t.calls.pselect(fd + 1, nullptr, &set, nullptr, &brief, nullptr), 1);
  const timespec bad{.tv_sec = 0, .tv_nsec = -1};
  t.expect("bad", to_text(t.calls.pselect(0, nullptr, nullptr, nullptr, &bad, nullptr)),
           "-1 EINVAL");
}

constexpr Case kSelectCases[] = {
    {"15.1", "which of the three sets", b15_1_which_set},
    {"15.2", "errors read and write, never except", b15_2_errors},
    {"15.2b", "urgent data sets except", b15_2_urgent},
    {"15.3", "the return value counts bits", b15_3_counts_bits},
    {"15.4", "n < 0 and closed descriptors", b15_4_bad_arguments},
    {"15.4b", "bits beyond the table are ignored", b15_4_beyond_the_table},
    {"15.5", "more than FD_SETSIZE descriptors", b15_5_more_than_fd_setsize},
    {"15.6", "negative times", b15_6_timeval},
    {"15.7", "the remaining time is written back", b15_7_remaining_time},
    {"15.8", "sets are overwritten", b15_8_sets_are_overwritten},
    {"15.9", "files are always ready", b15_9_files},
    {"15.10", "FIN reads, and is not except", b15_10_fin},
    {"15.11", "SO_SELECT_ERR_QUEUE sets all three", b15_11_select_error_queue},
    {"15.7b", "pselect's timespec", b15_20_pselect},
};

}  // namespace

std::span<const Case> select_cases() { return kSelectCases; }

}  // namespace pollux::twin
