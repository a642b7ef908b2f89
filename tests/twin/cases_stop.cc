// cases_stop.cc - behaviours 10.3, 10.5 and 10.8: signals that stop, that come late, and that kill.
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/twin/twin.h"
#include "tests/twin/waiters.h"

namespace pollux::twin {
namespace {

volatile sig_atomic_t alarm_runs = 0;

// A process that stops this one once it sleeps, and lets it go on when it has stopped.
pid_t stopper() {
  const pid_t victim = ::getpid(), pid = ::fork();
  if (pid != 0) return pid;
  until_process_sleeps(victim);
  ::kill(victim, SIGSTOP);
  until_process_stops(victim);
  ::kill(victim, SIGCONT);
  ::_exit(0);
}

void b10_3_epoll_wait_ends(Twin& t) {
  const int set = t.set();
  t.add(set, t.pair().active, EPOLLIN, 'A');
  const pid_t pid = stopper();
  t.expect("epoll_wait", t.wait(set, 1, 1000), "-1 EINTR");
  ::waitpid(pid, nullptr, 0);
}

void b10_3_poll_goes_on(Twin& t) {
  constexpr std::chrono::milliseconds kTimeout(150);
  pollfd entry{.fd = t.pair().active, .events = POLLIN, .revents = 0};
  const pid_t pid = stopper();
  const auto before = std::chrono::steady_clock::now();
  t.expect("poll", to_text(t.calls.poll(&entry, 1, kTimeout.count())), "0");
  const auto took = std::chrono::steady_clock::now() - before;
  ::waitpid(pid, nullptr, 0);
  t.expect("early", took < kTimeout, 0);
  t.expect("late", took > 10 * kTimeout, 0);
}

// SIGALRM after 10 ms, which the wait's mask holds back.
void b10_5_blocked_by_the_mask(Twin& t) {
  const int set = t.set();
  t.add(set, t.pair().active, EPOLLIN, 'A');
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { alarm_runs = alarm_runs + 1; };
  ::sigaction(SIGALRM, &action, &before);
  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  epoll_event event{};
  alarm_runs = 0;
  const itimerval soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 10'000}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  t.expect("wait", to_text(t.calls.epoll_pwait(set, &event, 1, 80, &alarm)), "0");
  t.expect("handler ran after it", alarm_runs, 1);
  ::sigaction(SIGALRM, &before, nullptr);
}

// The signal is for the thread that waits, and there is always something to report to it.
void b10_8_a_fatal_signal(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.set_option(pair.active, IPPROTO_TCP, TCP_NODELAY, 1);
  std::atomic<int> events = 0;
  std::atomic<bool> is_over = false;
  std::thread sender([&] {
    while (!is_over) t.calls.send(pair.active, "x", 1, MSG_NOSIGNAL);
  });
  std::thread waiter([&] {
    while (!is_over) {
      events += t.wait(set, 1, 10) == "A:IN";
      t.drain(pair.passive);
    }
  });
  while (events < 100) std::this_thread::yield();
  ::pthread_kill(waiter.native_handle(), SIGTERM);
  ::poll(nullptr, 0, 1000);
  is_over = true;
  sender.join();
  waiter.join();
  t.expect("a second later", "still there", "gone");
}

constexpr Case kStopCases[] = {
    {"10.3", "stopped and continued: epoll_wait ends", b10_3_epoll_wait_ends},
    {"10.3b", "stopped and continued: poll goes on", b10_3_poll_goes_on},
    {"10.5", "blocked by the mask of the wait: runs after it", b10_5_blocked_by_the_mask},
    {"10.8", "a fatal signal, while events keep coming", b10_8_a_fatal_signal,
     "killed: Terminated"},
};

}  // namespace

std::span<const Case> stop_cases() { return kStopCases; }

}  // namespace pollux::twin
