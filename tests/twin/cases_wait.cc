// cases_wait.cc - behaviours 3.x: the arguments of epoll_wait, epoll_pwait and epoll_pwait2.
#include <limits.h>

#include <chrono>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr int kUnopened = 900;

void b3_1_maxevents(Twin& t) {
  const int set = t.set();
  for (const int maxevents : {0, -1, INT_MIN, INT_MAX}) {
    t.expect("maxevents", t.wait(set, maxevents), "-1 EINVAL");
  }
}

void b3_2_set_not_open(Twin& t) {
  t.expect("unopened", t.wait(kUnopened, 1), "-1 EBADF");
  t.expect("-1", t.wait(-1, 1), "-1 EBADF");
  const int closed = t.set();
  t.close(closed);
  t.expect("closed", t.wait(closed, 1), "-1 EBADF");
}

void b3_3_not_a_set(Twin& t) { t.expect("socket", t.wait(t.tcp(), 1), "-1 EINVAL"); }

void b3_4_null_events(Twin& t) {
  const int set = t.set();
  t.expect("nothing ready", t.calls.epoll_wait(set, nullptr, 1, 0), 0);
  t.add(set, t.pair().active, EPOLLOUT, 'A');
  t.expect("ready", to_text(t.calls.epoll_wait(set, nullptr, 1, 0)), "-1 EFAULT");
  t.expect("not consumed", t.wait(set), "A:OUT");
}

void b3_6_data_comes_back(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  constexpr uint64_t kData = 0xfedcba9876543210;
  epoll_event event{};
  t.add(set, fd, EPOLLIN, kData);
  t.calls.epoll_wait(set, &event, 1, 0);
  t.expect("all 64 bits", event.data.u64 == kData, 1);
  t.modify(set, fd, EPOLLIN, ~kData);
  t.calls.epoll_wait(set, &event, 1, 0);
  t.expect("replaced by MOD", event.data.u64 == ~kData, 1);
}

// "-", or whether the wait took at least `least` and clearly less than a second.
std::string timed(const Twin& t, int set, int timeout_ms, std::chrono::milliseconds least) {
  epoll_event event{};
  const auto before = std::chrono::steady_clock::now();
  const int n = t.calls.epoll_wait(set, &event, 1, timeout_ms);
  const auto took = std::chrono::steady_clock::now() - before;
  if (n != 0) return to_text(n);
  return took < least                                    ? "early"
         : took > least + std::chrono::milliseconds(800) ? "late"
                                                         : "in time";
}

void b3_7_timeouts(Twin& t) {
  const int set = t.set();
  t.add(set, t.udp(), EPOLLIN, 'A');
  for (const int timeout_ms : {0, 1, 5, 30}) {
    t.expect("timeout", timed(t, set, timeout_ms, std::chrono::milliseconds(timeout_ms)),
             "in time");
  }
}

void b3_8_timespec(Twin& t) {
  const int set = t.set();
  epoll_event event{};
  const auto wait = [&](time_t seconds, long nanoseconds) {
    const timespec timeout{.tv_sec = seconds, .tv_nsec = nanoseconds};
    return to_text(t.calls.epoll_pwait2(set, &event, 1, &timeout, nullptr));
  };
  t.expect("0 s", wait(0, 0), "0");
  t.expect("1 ns", wait(0, 1), "0");
  t.expect("10^9 ns", wait(0, 1'000'000'000), "-1 EINVAL");
  t.expect("-1 ns", wait(0, -1), "-1 EINVAL");
  t.expect("-1 s", wait(-1, 0), "-1 EINVAL");
  t.add(set, t.tcp(), EPOLLIN, 'A');
  t.expect("2^62 s, ready", wait(time_t{1} << 62, 0), "1");
  t.expect("NULL, ready", t.calls.epoll_pwait2(set, &event, 1, nullptr, nullptr), 1);
}

void b3_10_private_bits_are_not_returned(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.active, EPOLLOUT | EPOLLET | EPOLLONESHOT | EPOLLWAKEUP, 'A');
  t.add(set, pair.passive, EPOLLOUT | EPOLLEXCLUSIVE, 'B');
  t.expect("wait", t.wait(set), "A:OUT B:OUT");
}

constexpr Case kCases[] = {
    {"3.1", "maxevents out of range is EINVAL", b3_1_maxevents},
    {"3.2", "a set that is not open is EBADF", b3_2_set_not_open},
    {"3.3", "a descriptor that is no set is EINVAL", b3_3_not_a_set},
    {"3.4", "a NULL buffer matters only when something is ready", b3_4_null_events},
    {"3.6", "the data field comes back", b3_6_data_comes_back},
    {"3.7", "timeouts are never early", b3_7_timeouts},
    {"3.8", "epoll_pwait2's timespec", b3_8_timespec},
    {"3.10", "private bits are never returned", b3_10_private_bits_are_not_returned},
};

}  // namespace

std::span<const Case> wait_cases() { return kCases; }

}  // namespace pollux::twin
