// cases_select.cc - behaviours 15.x: select and pselect.
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

constexpr Case kCases[] = {
    {"15.1", "which of the three sets", b15_1_which_set},
    {"15.2", "errors read and write, never except", b15_2_errors},
    {"15.2b", "urgent data sets except", b15_2_urgent},
    {"15.3", "the return value counts bits", b15_3_counts_bits},
    {"15.4", "n < 0 and closed descriptors", b15_4_bad_arguments},
    {"15.6", "negative times", b15_6_timeval},
    {"15.7", "the remaining time is written back", b15_7_remaining_time},
    {"15.8", "sets are overwritten", b15_8_sets_are_overwritten},
    {"15.9", "files are always ready", b15_9_files},
    {"15.7b", "pselect's timespec", b15_20_pselect},
};

}  // namespace

std::span<const Case> select_cases() { return kCases; }

}  // namespace pollux::twin
