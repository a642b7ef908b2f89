// cases_wait.cc - behaviours 3.x: the arguments of epoll_wait, epoll_pwait and epoll_pwait2.
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

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

void b3_3_addresses_of_the_kernel(Twin& t) {
  auto* const bad = kernel_address<epoll_event>();
  const auto wait = [&](int fd, int maxevents) {
    return to_text(t.calls.epoll_wait(fd, bad, maxevents, 0));
  };
  t.expect("nothing ready", wait(t.set(), 1), "-1 EFAULT");
  t.expect("socket", wait(t.tcp(), 1), "-1 EFAULT");
  t.expect("maxevents first", wait(t.tcp(), 0), "-1 EINVAL");
  t.expect("descriptor first", wait(kUnopened, 0), "-1 EBADF");
  const int set = t.set();
  t.expect("ctl", to_text(t.calls.epoll_ctl(set, EPOLL_CTL_ADD, kUnopened, bad)), "-1 EFAULT");
  t.expect("DEL", to_text(t.calls.epoll_ctl(set, EPOLL_CTL_DEL, t.tcp(), bad)), "-1 ENOENT");
}

void b3_4_null_events(Twin& t) {
  const int set = t.set();
  t.expect("nothing ready", t.calls.epoll_wait(set, nullptr, 1, 0), 0);
  t.add(set, t.pair().active, EPOLLOUT, 'A');
  t.expect("ready", to_text(t.calls.epoll_wait(set, nullptr, 1, 0)), "-1 EFAULT");
  t.expect("not consumed", t.wait(set), "A:OUT");
}

// Level, edge-triggered and ONESHOT: A, B, C.
void add_three(Twin& t, int set) {
  t.add(set, t.tcp(), EPOLLOUT, 'A');
  t.add(set, t.tcp(), EPOLLOUT | EPOLLET, 'B');
  t.add(set, t.tcp(), EPOLLOUT | EPOLLONESHOT, 'C');
}

void b3_5_nothing_is_consumed_by_a_fault(Twin& t) {
  const int set = t.set();
  add_three(t, set);
  t.expect("NULL", to_text(t.calls.epoll_wait(set, nullptr, 3, 0)), "-1 EFAULT");
  t.expect("all, in order", t.wait(set), "A:OUT|HUP B:OUT|HUP C:OUT|HUP");
  t.expect("edge and shot are consumed", t.wait(set), "A:OUT|HUP");
}

constexpr int kFaulted = 99;

// In a library the fault is the program's own. It ends the process quietly, then.
class FaultEnds {
 public:
  FaultEnds() {
    struct sigaction action {};
    action.sa_handler = [](int) { ::_exit(kFaulted); };
    ::sigaction(SIGSEGV, &action, &before_);
  }
  ~FaultEnds() { ::sigaction(SIGSEGV, &before_, nullptr); }
  FaultEnds(const FaultEnds&) = delete;
  FaultEnds& operator=(const FaultEnds&) = delete;

 private:
  struct sigaction before_ {};
};

void b3_5_a_buffer_that_ends(Twin& t) {
  const FaultEnds guard;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory =
      ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* const end = static_cast<std::byte*>(memory) + page;
  ::mprotect(end, page, PROT_NONE);
  auto* const last = reinterpret_cast<epoll_event*>(end - sizeof(epoll_event));
  const int set = t.set();
  add_three(t, set);
  t.expect("room for one", t.calls.epoll_wait(set, last, 3, 0), 1);
  t.expect("it", static_cast<long>(last->data.u64), 'A');
  t.expect("the others first", t.wait(set), "B:OUT|HUP C:OUT|HUP A:OUT|HUP");
  ::munmap(memory, 2 * page);
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

void b3_9_mask_pointers(Twin& t) {
  const int set = t.set();
  epoll_event event{};
  const auto* const bad = kernel_address<const sigset_t>();
  const auto pwait = [&](int fd, int maxevents) {
    return to_text(t.calls.epoll_pwait(fd, &event, maxevents, 0, bad));
  };
  t.expect("pwait", pwait(set, 1), "-1 EFAULT");
  t.expect("wins over EBADF", pwait(kUnopened, 1), "-1 EFAULT");
  t.expect("wins over maxevents", pwait(set, 0), "-1 EFAULT");
  const auto pwait2 = [&](const timespec* timeout) {
    return to_text(t.calls.epoll_pwait2(kUnopened, &event, 0, timeout, bad));
  };
  const timespec good{.tv_sec = 0, .tv_nsec = 0}, negative{.tv_sec = 0, .tv_nsec = -1};
  t.expect("pwait2", pwait2(&good), "-1 EFAULT");
  t.expect("a bad timespec wins", pwait2(&negative), "-1 EINVAL");
  t.expect("3.8: its pointer",
           to_text(t.calls.epoll_pwait2(set, &event, 1, kernel_address<const timespec>(), nullptr)),
           "-1 EFAULT");
}

void b3_10_private_bits_are_not_returned(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.active, EPOLLOUT | EPOLLET | EPOLLONESHOT | EPOLLWAKEUP, 'A');
  t.add(set, pair.passive, EPOLLOUT | EPOLLEXCLUSIVE, 'B');
  t.expect("wait", t.wait(set), "A:OUT B:OUT");
}

constexpr Case kWaitCases[] = {
    {"3.1", "maxevents out of range is EINVAL", b3_1_maxevents},
    {"3.2", "a set that is not open is EBADF", b3_2_set_not_open},
    {"3.3", "a descriptor that is no set is EINVAL", b3_3_not_a_set},
    {"3.3b", "addresses of the kernel are EFAULT", b3_3_addresses_of_the_kernel},
    {"3.4", "a NULL buffer matters only when something is ready", b3_4_null_events},
    {"3.5", "a fault consumes nothing", b3_5_nothing_is_consumed_by_a_fault},
    {"3.5b", "a buffer that ends after one event", b3_5_a_buffer_that_ends},
    {"3.6", "the data field comes back", b3_6_data_comes_back},
    {"3.7", "timeouts are never early", b3_7_timeouts},
    {"3.8", "epoll_pwait2's timespec", b3_8_timespec},
    {"3.9", "a bad mask pointer wins over all but the timespec", b3_9_mask_pointers},
    {"3.10", "private bits are never returned", b3_10_private_bits_are_not_returned},
};

}  // namespace

std::span<const Case> wait_cases() { return kWaitCases; }

}  // namespace pollux::twin
