// cases_busy_poll.cc - behaviours 12.2 to 12.4 and 13.1 to 13.5: the parameters of busy polling.
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <limits>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

// struct epoll_params of ioctl_eventpoll(2), which older headers lack.
struct Params {
  uint32_t usecs;
  uint16_t budget;
  uint8_t prefer;
  uint8_t pad;
};
constexpr unsigned long kSet = _IOW(0x8A, 1, Params);
constexpr unsigned long kGet = _IOR(0x8A, 2, Params);

std::string set_params(Twin& t, int fd, Params params) {
  return to_text(t.calls.ioctl(fd, kSet, &params));
}
std::string get_params(Twin& t, int fd) {
  Params params{77, 77, 77, 77};
  const int result = t.calls.ioctl(fd, kGet, &params);
  if (result != 0) return to_text(result);
  std::string text;
  for (const uint32_t value :
       {params.usecs, uint32_t{params.budget}, uint32_t{params.prefer}, uint32_t{params.pad}}) {
    text += std::to_string(value) + " ";
  }
  return text;
}

std::string set_text(Twin& t, int fd, int name, int value) {
  return to_text(t.calls.setsockopt(fd, SOL_SOCKET, name, &value, sizeof value));
}
std::string get_text(Twin& t, int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  const int result = t.calls.getsockopt(fd, SOL_SOCKET, name, &value, &length);
  return to_text(result == 0 ? value : result);
}

// Without CAP_NET_ADMIN as long as it lives: the kernel takes it away with the user id.
class Unprivileged {
 public:
  Unprivileged() : before_(::geteuid()) { is_dropped_ = ::seteuid(65534) == 0; }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;
  ~Unprivileged() {
    if (is_dropped_ && ::seteuid(before_) != 0) ::_exit(1);
  }

 private:
  const uid_t before_;
  bool is_dropped_;
};

void b12_2_defaults_and_what_was_set(Twin& t) {
  const int set = t.set();
  t.expect("new", get_params(t, set), "0 0 0 0 ");
  t.expect("set", set_params(t, set, {200, 16, 0, 0}), "0");
  t.expect("get", get_params(t, set), "200 16 0 0 ");
  t.expect("prefer", set_params(t, set, {0, 64, 1, 0}), "0");
  t.expect("get", get_params(t, set), "0 64 1 0 ");
  t.expect("of another set", get_params(t, t.set()), "0 0 0 0 ");
  t.expect("a duplicate", get_params(t, t.keep(t.calls.dup(set))), "0 64 1 0 ");
}

void b12_3_errors_change_nothing(Twin& t) {
  const int set = t.set();
  t.expect("set", set_params(t, set, {10, 5, 1, 0}), "0");
  for (void* pointer : {static_cast<void*>(nullptr), kernel_address<void>()}) {
    t.expect("set, bad pointer", to_text(t.calls.ioctl(set, kSet, pointer)), "-1 EFAULT");
    t.expect("get, bad pointer", to_text(t.calls.ioctl(set, kGet, pointer)), "-1 EFAULT");
  }
  t.expect("pad", set_params(t, set, {1, 1, 0, 1}), "-1 EINVAL");
  t.expect("usecs", set_params(t, set, {1u << 31, 1, 0, 0}), "-1 EINVAL");
  t.expect("prefer", set_params(t, set, {1, 1, 2, 0}), "-1 EINVAL");
  t.expect("as before", get_params(t, set), "10 5 1 0 ");
  t.expect("longest", set_params(t, set, {std::numeric_limits<int>::max(), 0, 0, 0}), "0");
}

void b12_3_order_without_privileges(Twin& t) {
  const int set = t.set();
  const Unprivileged now;
  t.expect("64", set_params(t, set, {1, 64, 1, 0}), "0");
  t.expect("65", set_params(t, set, {2, 65, 0, 0}), "-1 EPERM");
  t.expect("65 and pad", set_params(t, set, {2, 65, 0, 1}), "-1 EINVAL");
  t.expect("65 and usecs", set_params(t, set, {1u << 31, 65, 0, 0}), "-1 EINVAL");
  t.expect("65 and prefer", set_params(t, set, {2, 65, 2, 0}), "-1 EINVAL");
  t.expect("as before", get_params(t, set), "1 64 1 0 ");
}

void b12_3_budget_with_privileges(Twin& t) {
  const int set = t.set();
  const bool is_root = ::geteuid() == 0;
  t.expect("65535", set_params(t, set, {0, 65535, 0, 0}), is_root ? "0" : "-1 EPERM");
  t.expect("get", get_params(t, set), is_root ? "0 65535 0 0 " : "0 0 0 0 ");
}

void b12_4_other_files_and_requests(Twin& t) {
  for (const int fd : {t.tcp(), t.udp()}) {
    t.expect("set on a socket", set_params(t, fd, {}), "-1 ENOTTY");
    t.expect("get on a socket", get_params(t, fd), "-1 ENOTTY");
    t.expect("null on a socket", to_text(t.calls.ioctl(fd, kGet, nullptr)), "-1 ENOTTY");
  }
  Params params{};
  const int set = t.set();
  t.expect("get on an eventfd", get_params(t, t.event_fd().number), "-1 ENOTTY");
  t.expect("set on an eventfd", set_params(t, t.event_fd().number, {}), "-1 ENOTTY");
  for (const unsigned long request :
       {_IOW(0x8A, 3, Params), _IOR(0x8A, 3, Params), _IOW(0x8A, 1, int), _IOR(0x8A, 1, Params),
        _IOR(0x8B, 2, Params)}) {
    t.expect("unknown", to_text(t.calls.ioctl(set, request, &params)), "-1 EINVAL");
  }
  t.expect("closed", to_text(t.calls.ioctl(900, kGet, &params)), "-1 EBADF");
}

void b13_1_options_read_back(Twin& t) {
  const int fd = t.tcp();
  t.expect("busy poll", get_text(t, fd, SO_BUSY_POLL), "0");
  t.expect("set", set_text(t, fd, SO_BUSY_POLL, 50), "0");
  t.expect("get", get_text(t, fd, SO_BUSY_POLL), "50");
  t.expect("prefer", get_text(t, fd, SO_PREFER_BUSY_POLL), "0");
  const bool is_root = ::geteuid() == 0;
  t.expect("set 7", set_text(t, fd, SO_PREFER_BUSY_POLL, 7), is_root ? "0" : "-1 EPERM");
  t.expect("get", get_text(t, fd, SO_PREFER_BUSY_POLL), is_root ? "1" : "0");
}

void b13_1_accepted_sockets_inherit(Twin& t) {
  const Listener listener = t.listener();
  t.expect("set", set_text(t, listener.fd, SO_BUSY_POLL, 33), "0");
  const int prefer = ::geteuid() == 0;
  set_text(t, listener.fd, SO_PREFER_BUSY_POLL, prefer);
  t.connecting(listener.address);
  t.settle();
  const int accepted = t.accept(listener);
  t.expect("busy poll", get_text(t, accepted, SO_BUSY_POLL), "33");
  t.expect("prefer", get_text(t, accepted, SO_PREFER_BUSY_POLL), std::to_string(prefer));
}

void b13_2_busy_poll_values(Twin& t) {
  for (const int fd : {t.tcp(), t.udp()}) {
    t.expect("-1", set_text(t, fd, SO_BUSY_POLL, -1), "-1 EINVAL");
    const Unprivileged now;
    t.expect("raised", set_text(t, fd, SO_BUSY_POLL, 70), "0");
    t.expect("lowered", set_text(t, fd, SO_BUSY_POLL, 10), "0");
    t.expect("get", get_text(t, fd, SO_BUSY_POLL), "10");
  }
}

void b13_3_prefer_without_privileges(Twin& t) {
  for (const int fd : {t.tcp(), t.udp()}) {
    const Unprivileged now;
    t.expect("1", set_text(t, fd, SO_PREFER_BUSY_POLL, 1), "-1 EPERM");
    t.expect("-1", set_text(t, fd, SO_PREFER_BUSY_POLL, -1), "-1 EPERM");
    t.expect("0", set_text(t, fd, SO_PREFER_BUSY_POLL, 0), "0");
    t.expect("get", get_text(t, fd, SO_PREFER_BUSY_POLL), "0");
  }
}

void b13_4_budget(Twin& t) {
  const int fd = t.udp();
  {
    const Unprivileged now;
    t.expect("raised", set_text(t, fd, SO_BUSY_POLL_BUDGET, 4), "-1 EPERM");
    t.expect("far too high", set_text(t, fd, SO_BUSY_POLL_BUDGET, 70000), "-1 EPERM");
    t.expect("-1", set_text(t, fd, SO_BUSY_POLL_BUDGET, -1), "-1 EINVAL");
    t.expect("0", set_text(t, fd, SO_BUSY_POLL_BUDGET, 0), "0");
  }
  const bool is_root = ::geteuid() == 0;
  t.expect("65535", set_text(t, fd, SO_BUSY_POLL_BUDGET, 65535), is_root ? "0" : "-1 EPERM");
  t.expect("65536", set_text(t, fd, SO_BUSY_POLL_BUDGET, 65536),
           is_root ? "-1 EINVAL" : "-1 EPERM");
  const Unprivileged now;
  t.expect("lowered", set_text(t, fd, SO_BUSY_POLL_BUDGET, 64), is_root ? "0" : "-1 EPERM");
  t.expect("get", get_text(t, fd, SO_BUSY_POLL_BUDGET), "-1 ENOPROTOOPT");
}

void b13_5_the_queue_of_packets(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.settle();
  for (const int fd : {t.tcp(), pair.active, pair.passive}) {
    t.expect("over loopback", get_text(t, fd, SO_INCOMING_NAPI_ID), "0");
    t.expect("set", set_text(t, fd, SO_INCOMING_NAPI_ID, 1), "-1 ENOPROTOOPT");
  }
}

constexpr Case kBusyPollCases[] = {
    {"12.2", "EPIOCGPARAMS: zeros, then what was set", b12_2_defaults_and_what_was_set},
    {"12.3", "EPIOCSPARAMS: what is refused changes nothing", b12_3_errors_change_nothing},
    {"12.3b", "EPERM for a budget above 64 comes last", b12_3_order_without_privileges},
    {"12.3c", "a budget above 64 with CAP_NET_ADMIN", b12_3_budget_with_privileges},
    {"12.4", "the requests on other files; other requests", b12_4_other_files_and_requests},
    {"13.1", "SO_BUSY_POLL, SO_PREFER_BUSY_POLL", b13_1_options_read_back},
    {"13.1b", "accepted sockets inherit them", b13_1_accepted_sockets_inherit},
    {"13.2", "SO_BUSY_POLL: never negative, no privilege", b13_2_busy_poll_values},
    {"13.3", "SO_PREFER_BUSY_POLL needs a privilege", b13_3_prefer_without_privileges},
    {"13.4", "SO_BUSY_POLL_BUDGET: range, privilege, no reading", b13_4_budget},
    {"13.5", "SO_INCOMING_NAPI_ID over loopback", b13_5_the_queue_of_packets},
};

}  // namespace

std::span<const Case> busy_poll_cases() { return kBusyPollCases; }

}  // namespace pollux::twin
