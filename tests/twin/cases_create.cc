// cases_create.cc - behaviours 1.x: making an epoll instance and what its descriptor is.
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

constexpr Case kCreateCases[] = {
    {"1.1", "create(size <= 0) is EINVAL", b1_1_size_is_checked_and_ignored},
    {"1.2", "create1 accepts 0 and EPOLL_CLOEXEC only", b1_2_flags},
    {"1.5", "O_RDWR, close-on-exec as asked", b1_5_the_descriptor},
    {"1.5b", "lowest free number", b1_5_lowest_number},
    {"1.6", "read and write are EINVAL", b1_6_read_and_write},
    {"1.7", "O_NONBLOCK on a set changes nothing", b1_7_nonblocking_changes_nothing},
    {"1.8", "unknown ioctl is EINVAL", b1_8_ioctl},
};

}  // namespace

std::span<const Case> create_cases() { return kCreateCases; }

}  // namespace pollux::twin
