// cases_signal.cc - behaviours 3.12, 3.13 and 10.x: waits and signals.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

volatile sig_atomic_t handler_runs = 0;

// SIGALRM with a counting handler while it lives; the mask and the handler of before come back.
class Alarm {
 public:
  explicit Alarm(int flags = 0) {
    handler_runs = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { handler_runs = handler_runs + 1; };
    action.sa_flags = flags;
    ::sigaction(SIGALRM, &action, &before_);
    ::sigemptyset(&alarm_);
    ::sigaddset(&alarm_, SIGALRM);
    ::sigprocmask(SIG_BLOCK, nullptr, &mask_);
  }
  ~Alarm() {
    after_ms(0);
    ::signal(SIGALRM, SIG_IGN);  // forgets a pending one
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  void after_ms(int ms) const {
    const itimerval once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = ms * 1000}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
  }
  void block() const { ::sigprocmask(SIG_BLOCK, &alarm_, nullptr); }
  void make_pending() const {
    block();
    ::kill(::getpid(), SIGALRM);
  }
  bool is_blocked() const {
    sigset_t now;
    ::sigprocmask(SIG_BLOCK, nullptr, &now);
    return ::sigismember(&now, SIGALRM) == 1;
  }
  bool is_pending() const {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGALRM) == 1;
  }

 private:
  struct sigaction before_ {};
  sigset_t mask_{}, alarm_{};
};

sigset_t nothing_blocked() {
  sigset_t mask;
  ::sigemptyset(&mask);
  return mask;
}

std::string pwait(const Twin& t, int set, int timeout_ms) {
  epoll_event event{};
  const sigset_t mask = nothing_blocked();
  return to_text(t.calls.epoll_pwait(set, &event, 1, timeout_ms, &mask));
}

void b3_12_pending_signal_timeout_0(Twin& t) {
  const Alarm alarm;
  alarm.make_pending();
  t.expect("nothing ready", pwait(t, t.set(), 0), "0");
}

void b3_13_events_win(Twin& t) {
  const int set = t.set();
  t.add(set, t.tcp(), EPOLLIN, 'A');
  const Alarm alarm;
  alarm.make_pending();
  t.expect("ready", pwait(t, set, 1000), "1");
  t.expect("still pending", alarm.is_pending(), 1);
}

void b10_1_handler_interrupts(Twin& t) {
  const int set = t.set(), fd = t.pair().active;
  t.add(set, fd, EPOLLIN, 'A');
  for (const int flags : {0, SA_RESTART}) {
    const Alarm alarm(flags);
    alarm.after_ms(20);
    t.expect("epoll_wait", t.wait(set, 1, 2000), "-1 EINTR");
    alarm.after_ms(20);
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    t.expect("poll", to_text(t.calls.poll(&entry, 1, 2000)), "-1 EINTR");
    t.expect("handler runs", handler_runs, 2);
  }
}

void b10_2_ignored_and_blocked(Twin& t) {
  const int set = t.set();
  t.add(set, t.pair().active, EPOLLIN, 'A');
  const Alarm alarm;
  ::signal(SIGALRM, SIG_IGN);
  alarm.after_ms(10);
  t.expect("ignored", t.wait(set, 1, 60), "none");
  ::signal(SIGALRM, SIG_DFL);
  alarm.block();
  alarm.after_ms(10);
  t.expect("blocked", t.wait(set, 1, 60), "none");
  ::signal(SIGALRM, SIG_IGN);
}

void b10_4_pwait_unblocks(Twin& t) {
  const int set = t.set();
  t.add(set, t.pair().active, EPOLLIN, 'A');
  const Alarm alarm;
  alarm.make_pending();
  t.expect("interrupted", pwait(t, set, 2000), "-1 EINTR");
  t.expect("handler ran once before the return", handler_runs, 1);
  t.expect("old mask again", alarm.is_blocked(), 1);
}

void b10_6_mask_after_return(Twin& t) {
  const int set = t.set();
  t.add(set, t.tcp(), EPOLLIN, 'A');
  const Alarm alarm;
  alarm.block();
  t.expect("ready", pwait(t, set, 100), "1");
  t.expect("old mask after events", alarm.is_blocked(), 1);
  t.expect("nothing", pwait(t, t.set(), 5), "0");
  t.expect("old mask after timeout", alarm.is_blocked(), 1);
}

void b10_7_select_interrupted(Twin& t) {
  const int fd = t.pair().active;
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(fd, &readable);
  timeval timeout{.tv_sec = 5, .tv_usec = 0};
  const Alarm alarm;
  alarm.after_ms(20);
  const int n = t.calls.select(fd + 1, &readable, nullptr, nullptr, &timeout);
  t.expect("select", to_text(n), "-1 EINTR");
  t.expect("set unchanged", FD_ISSET(fd, &readable) != 0, 1);
  t.expect("remaining time", timeout.tv_sec == 4 && timeout.tv_usec > 0, 1);
}

constexpr Case kSignalCases[] = {
    {"3.12", "timeout 0 is never EINTR", b3_12_pending_signal_timeout_0},
    {"3.13", "events win over a pending signal", b3_13_events_win},
    {"10.1", "a handler interrupts, SA_RESTART or not", b10_1_handler_interrupts},
    {"10.2", "ignored and blocked signals do not", b10_2_ignored_and_blocked},
    {"10.4", "epoll_pwait unblocks atomically", b10_4_pwait_unblocks},
    {"10.6", "the old mask is back after the return", b10_6_mask_after_return},
    {"10.7", "select interrupted: sets as they were", b10_7_select_interrupted},
};

}  // namespace

std::span<const Case> signal_cases() { return kSignalCases; }

}  // namespace pollux::twin
