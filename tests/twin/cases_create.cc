// cases_create.cc - behaviours 1.x and 12.x: making an epoll instance and what its descriptor is.
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include <array>
#include <chrono>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

void b1_1_size_is_checked_and_ignored(Twin& t) {
  t.expect("create(0)", to_text(t.calls.epoll_create(0)), "-1 EINVAL");
  t.expect("create(-1)", to_text(t.calls.epoll_create(-1)), "-1 EINVAL");
  t.expect("create(1) >= 0", t.keep(t.calls.epoll_create(1)) >= 0, 1);
}

void b1_2_flags(Twin& t) {
  for (const int flags : {1, O_NONBLOCK, EPOLL_CLOEXEC | 1}) {
    t.expect("create1(bad)", to_text(t.calls.epoll_create1(flags)), "-1 EINVAL");
  }
  t.expect("create1(CLOEXEC) >= 0", t.keep(t.calls.epoll_create1(EPOLL_CLOEXEC)) >= 0, 1);
}

void b1_5_the_descriptor(Twin& t) {
  const int plain = t.set();
  const int cloexec = t.keep(t.calls.epoll_create1(EPOLL_CLOEXEC));
  t.expect("F_GETFL", t.calls.fcntl(plain, F_GETFL, 0), O_RDWR);
  t.expect("F_GETFD", t.calls.fcntl(plain, F_GETFD, 0), 0);
  t.expect("F_GETFD with CLOEXEC", t.calls.fcntl(cloexec, F_GETFD, 0), FD_CLOEXEC);
}

void b1_5_lowest_number(Twin& t) {
  const int first = t.set();
  const int second = t.set();
  t.close(first);
  t.expect("number freed and taken", t.set() == first, 1);
  t.expect("second is another", second != first, 1);
}

void b1_6_read_and_write(Twin& t) {
  const int set = t.set();
  std::array<char, 8> buffer{};
  t.expect("read", to_text(t.calls.read(set, buffer.data(), buffer.size())), "-1 EINVAL");
  t.expect("write", to_text(t.calls.write(set, buffer.data(), buffer.size())), "-1 EINVAL");
  t.expect("listen", to_text(t.calls.listen(set, 1)), "-1 ENOTSOCK");
}

void b1_7_nonblocking_changes_nothing(Twin& t) {
  const int set = t.set();
  t.expect("F_SETFL", t.calls.fcntl(set, F_SETFL, O_NONBLOCK), 0);
  const auto before = std::chrono::steady_clock::now();
  t.expect("wait", t.wait(set, 1, 20), "none");
  const auto slept = std::chrono::steady_clock::now() - before;
  t.expect("slept 20 ms", slept >= std::chrono::milliseconds(20), 1);
}

void b1_8_ioctl(Twin& t) {
  int n = 0;
  t.expect("FIONREAD", to_text(t.calls.ioctl(t.set(), FIONREAD, &n)), "-1 EINVAL");
}

// ioctl_eventpoll(2); older headers do not have it.
struct Params {
  uint32_t busy_poll_usecs;
  uint16_t busy_poll_budget;
  uint8_t prefer_busy_poll;
  uint8_t pad;
};
constexpr unsigned long kSetParams = _IOW(0x8A, 1, Params);
constexpr unsigned long kGetParams = _IOR(0x8A, 2, Params);

std::string set_params(const Twin& t, int fd, Params params) {
  return to_text(t.calls.ioctl(fd, kSetParams, &params));
}

// "usecs budget prefer", or the errno.
std::string params_of(const Twin& t, int fd) {
  Params now{};
  const int result = t.calls.ioctl(fd, kGetParams, &now);
  if (result < 0) return to_text(result);
  return to_text(now.busy_poll_usecs) + " " + to_text(now.busy_poll_budget) + " " +
         to_text(now.prefer_busy_poll);
}

void b12_2_parameters(Twin& t) {
  const int set = t.set();
  t.expect("at first", params_of(t, set), "0 0 0");
  t.expect("set", set_params(t, set, {200, 32, 1, 0}), "0");
  t.expect("get", params_of(t, set), "200 32 1");
  t.expect("set back", set_params(t, set, {}), "0");
  t.expect("get", params_of(t, set), "0 0 0");
}

void b12_3_bad_parameters(Twin& t) {
  const int set = t.set();
  set_params(t, set, {1, 2, 0, 0});
  for (void* pointer : {static_cast<void*>(nullptr), kernel_address<void>()}) {
    t.expect("set, bad pointer", to_text(t.calls.ioctl(set, kSetParams, pointer)), "-1 EFAULT");
    t.expect("get, bad pointer", to_text(t.calls.ioctl(set, kGetParams, pointer)), "-1 EFAULT");
  }
  t.expect("pad", set_params(t, set, {3, 3, 0, 1}), "-1 EINVAL");
  t.expect("usecs", set_params(t, set, {1u << 31, 3, 0, 0}), "-1 EINVAL");
  t.expect("prefer", set_params(t, set, {3, 3, 2, 0}), "-1 EINVAL");
  t.expect("unchanged", params_of(t, set), "1 2 0");
}

void b12_4_not_a_set(Twin& t) {
  for (const int fd : {t.tcp(), t.udp(), t.event_fd().number}) {
    t.expect("get", params_of(t, fd), "-1 ENOTTY");
    t.expect("set", set_params(t, fd, {}), "-1 ENOTTY");
  }
  Params params{};
  for (const unsigned long request : {_IOR(0x8A, 3, Params), _IOR(0x8B, 2, Params)}) {
    t.expect("another", to_text(t.calls.ioctl(t.set(), request, &params)), "-1 EINVAL");
  }
}

constexpr Case kCases[] = {
    {"1.1", "create(size <= 0) is EINVAL", b1_1_size_is_checked_and_ignored},
    {"1.2", "create1 accepts 0 and EPOLL_CLOEXEC only", b1_2_flags},
    {"1.5", "O_RDWR, close-on-exec as asked", b1_5_the_descriptor},
    {"1.5b", "lowest free number", b1_5_lowest_number},
    {"1.6", "read and write are EINVAL", b1_6_read_and_write},
    {"1.7", "O_NONBLOCK on a set changes nothing", b1_7_nonblocking_changes_nothing},
    {"1.8", "unknown ioctl is EINVAL", b1_8_ioctl},
    {"12.2", "the parameters of busy polling", b12_2_parameters},
    {"12.3", "bad parameters change nothing", b12_3_bad_parameters},
    {"12.4", "ENOTTY of other files, EINVAL of other requests", b12_4_not_a_set},
};

}  // namespace

std::span<const Case> create_cases() { return kCases; }

}  // namespace pollux::twin
