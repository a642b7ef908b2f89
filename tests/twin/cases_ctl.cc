// cases_ctl.cc - behaviours 2.x: epoll_ctl, its errors and which wins.
#include <errno.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr uint32_t kUringWake = 1u << 27;

void b2_2_delete_needs_no_event(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.add(set, fd, EPOLLIN, 'A');
  t.expect("DEL with NULL", t.calls.epoll_ctl(set, EPOLL_CTL_DEL, fd, nullptr), 0);
}

void b2_1_null_event(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  for (const int operation : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, 99}) {
    t.expect("NULL event", to_text(t.calls.epoll_ctl(set, operation, fd, nullptr)), "-1 EFAULT");
  }
  t.expect("NULL event, bad set", to_text(t.calls.epoll_ctl(-1, EPOLL_CTL_ADD, fd, nullptr)),
           "-1 EFAULT");
}

void b2_3_descriptors_not_open(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.expect("epfd unopened", t.add(kUnopened, fd, EPOLLIN, 'A'), "-1 EBADF");
  t.expect("fd unopened", t.add(set, kUnopened, EPOLLIN, 'A'), "-1 EBADF");
  t.expect("fd -1", t.add(set, -1, EPOLLIN, 'A'), "-1 EBADF");
  t.expect("DEL, fd unopened", t.remove(set, kUnopened), "-1 EBADF");
}

void b2_4_files_that_cannot_be_watched(Twin& t) {
  const int set = t.set(), file = t.null_device().number;
  for (const int operation : {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 99}) {
    t.expect("/dev/null", t.ctl(set, operation, file, EPOLLIN), "-1 EPERM");
  }
}

void b2_5_which_error_wins(Twin& t) {
  const int file = t.null_device().number, socket = t.tcp();
  t.expect("file, file", t.add(file, file, EPOLLIN, 'A'), "-1 EPERM");
  t.expect("socket, socket", t.add(socket, t.tcp(), EPOLLIN, 'A'), "-1 EINVAL");
  t.expect("file, unopened", t.add(file, kUnopened, EPOLLIN, 'A'), "-1 EBADF");
}

void b2_6_itself(Twin& t) {
  const int set = t.set();
  const int same = t.keep(t.calls.dup(set));
  t.expect("ADD itself", t.add(set, set, EPOLLIN, 'A'), "-1 EINVAL");
  t.expect("ADD its dup", t.add(set, same, EPOLLIN, 'A'), "-1 EINVAL");
  t.expect("DEL itself", t.remove(set, set), "-1 EINVAL");
}

void b2_7_unknown_operation(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  for (const int operation : {0, 4, -1, 99}) {
    t.expect("unregistered", t.ctl(set, operation, fd, EPOLLIN), "-1 EINVAL");
  }
  t.add(set, fd, EPOLLIN, 'A');
  t.expect("registered", t.ctl(set, 99, fd, EPOLLIN), "-1 EINVAL");
}

void b2_8_exists_and_not(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.expect("MOD before ADD", t.modify(set, fd, EPOLLIN, 'A'), "-1 ENOENT");
  t.expect("DEL before ADD", t.remove(set, fd), "-1 ENOENT");
  t.expect("ADD", t.add(set, fd, EPOLLIN, 'A'), "0");
  t.expect("ADD again", t.add(set, fd, EPOLLIN, 'A'), "-1 EEXIST");
  t.expect("DEL", t.remove(set, fd), "0");
  t.expect("DEL again", t.remove(set, fd), "-1 ENOENT");
}

void b2_10_adding_waits_for_nothing(Twin& t) {
  const int set = t.set();
  t.expect("idle", t.add(set, t.pair().active, EPOLLIN, 'A'), "0");
  t.expect("empty set", t.add(set, t.set(), EPOLLIN, 'B'), "0");
  t.expect("listener", t.add(set, t.listener().fd, EPOLLIN, 'C'), "0");
  const int blocking = t.keep(t.calls.socket(AF_INET, SOCK_DGRAM, 0));
  t.expect("blocking socket", t.add(set, blocking, EPOLLIN, 'D'), "0");
  t.expect("none ready", t.wait(set), "none");
}

void b2_11_unknown_bits(Twin& t) {
  const int set = t.set();
  t.expect("bits 15, 20, NVAL", t.add(set, t.tcp(), 1u << 15 | 1u << 20 | 0x20, 'A'), "0");
  t.expect("wait", t.wait(set), "A:HUP");
  t.expect("all but EXCL", t.add(set, t.tcp(), 0xefffffff, 'B'), "0");
}

void b2_12_wakeup(Twin& t) {
  const int set = t.set(), fd = t.pair().active;
  t.expect("ADD", t.add(set, fd, EPOLLWAKEUP | EPOLLOUT, 'A'), "0");
  t.expect("wait", t.wait(set), "A:OUT");
  t.expect("MOD", t.modify(set, fd, EPOLLWAKEUP | EPOLLIN, 'A'), "0");
  t.expect("no longer of interest", t.wait(set), "none");
}

void b2_13_uring_wake(Twin& t) {
  const int set = t.set(), fd = t.pair().active;
  t.expect("ADD", t.add(set, fd, kUringWake | EPOLLOUT, 'A'), "0");
  t.expect("wait", t.wait(set), "A:OUT");
}

void b2_14_err_and_hup_always(Twin& t) {
  const int set = t.set();
  t.add(set, t.tcp(), 0, 'A');
  t.expect("interest 0, fresh socket", t.wait(set), "A:HUP");
}

void b2_20_exclusive_masks(Twin& t) {
  const int set = t.set();
  for (const uint32_t bits : {0u, uint32_t{EPOLLIN}, uint32_t{EPOLLOUT | EPOLLERR | EPOLLHUP},
                              uint32_t{EPOLLET}, uint32_t{EPOLLWAKEUP}}) {
    t.expect("legal", t.add(set, t.tcp(), EPOLLEXCLUSIVE | bits, 'A'), "0");
  }
  for (const uint32_t bits : {uint32_t{EPOLLPRI}, uint32_t{EPOLLRDHUP}, uint32_t{EPOLLRDNORM},
                              uint32_t{EPOLLWRNORM}, uint32_t{EPOLLONESHOT}, kUringWake, 0x20u}) {
    t.expect("illegal", t.add(set, t.tcp(), EPOLLEXCLUSIVE | bits, 'A'), "-1 EINVAL");
  }
}

void b2_21_exclusive_set(Twin& t) {
  const int outer = t.set(), inner = t.set();
  t.expect("ADD", t.add(outer, inner, EPOLLEXCLUSIVE | EPOLLIN, 'A'), "-1 EINVAL");
  t.add(inner, outer, EPOLLIN, 'B');
  t.expect("and in a cycle", t.add(outer, inner, EPOLLEXCLUSIVE | EPOLLIN, 'A'), "-1 EINVAL");
  t.expect("a plain cycle", t.add(outer, inner, EPOLLIN, 'A'), "-1 ELOOP");
}

void b2_22_modify_to_exclusive(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.expect("unregistered", t.modify(set, fd, EPOLLEXCLUSIVE | EPOLLIN, 'A'), "-1 EINVAL");
  t.expect("unopened", t.modify(set, kUnopened, EPOLLEXCLUSIVE | EPOLLIN, 'A'), "-1 EBADF");
}

void b2_23_modify_an_exclusive_item(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.add(set, fd, EPOLLEXCLUSIVE | EPOLLIN, 'A');
  t.expect("MOD without EXCL", t.modify(set, fd, EPOLLIN, 'A'), "-1 EINVAL");
}

void b2_24_exclusive_twice(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.add(set, fd, EPOLLIN, 'A');
  t.expect("legal mask", t.add(set, fd, EPOLLEXCLUSIVE | EPOLLIN, 'A'), "-1 EEXIST");
  t.expect("illegal mask", t.add(set, fd, EPOLLEXCLUSIVE | EPOLLPRI, 'A'), "-1 EINVAL");
}

void b2_25_delete_an_exclusive_item(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.add(set, fd, EPOLLEXCLUSIVE | EPOLLIN, 'A');
  t.expect("DEL", t.ctl(set, EPOLL_CTL_DEL, fd, EPOLLEXCLUSIVE), "0");
  t.expect("gone", t.remove(set, fd), "-1 ENOENT");
}

constexpr Case kCtlCases[] = {
    {"2.1", "NULL event is EFAULT before everything", b2_1_null_event},
    {"2.2", "DEL needs no event", b2_2_delete_needs_no_event},
    {"2.3", "descriptors that are not open are EBADF", b2_3_descriptors_not_open},
    {"2.4", "a file that cannot be watched is EPERM", b2_4_files_that_cannot_be_watched},
    {"2.5", "EPERM wins over not-a-set", b2_5_which_error_wins},
    {"2.6", "a set in itself is EINVAL", b2_6_itself},
    {"2.7", "unknown operation is EINVAL", b2_7_unknown_operation},
    {"2.8", "EEXIST and ENOENT", b2_8_exists_and_not},
    {"2.10", "ADD never waits", b2_10_adding_waits_for_nothing},
    {"2.11", "unknown interest bits are kept and never seen", b2_11_unknown_bits},
    {"2.12", "WAKEUP is taken and has no effect", b2_12_wakeup},
    {"2.13", "the io_uring bit has no effect", b2_13_uring_wake},
    {"2.14", "ERR and HUP are always of interest", b2_14_err_and_hup_always},
    {"2.20", "what EXCLUSIVE may be combined with", b2_20_exclusive_masks},
    {"2.21", "a set cannot be watched exclusively", b2_21_exclusive_set},
    {"2.22", "MOD to EXCLUSIVE is EINVAL", b2_22_modify_to_exclusive},
    {"2.23", "MOD of an exclusive item is EINVAL", b2_23_modify_an_exclusive_item},
    {"2.24", "EXCLUSIVE of a registered descriptor", b2_24_exclusive_twice},
    {"2.25", "DEL of an exclusive item", b2_25_delete_an_exclusive_item},
};

}  // namespace

std::span<const Case> ctl_cases() { return kCtlCases; }

}  // namespace pollux::twin
