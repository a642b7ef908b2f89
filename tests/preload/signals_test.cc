// signals_test.cc - handlers that interrupt calls on both kinds of sockets, and what they may do.
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include <atomic>
#include <thread>

#include "tests/preload/pairs.h"

namespace preload_test {
namespace {

volatile sig_atomic_t handled = 0;
volatile int answer_on = -1;
sigjmp_buf way_out;

void note(int) { handled = handled + 1; }
void answer(int) {
  handled = handled + 1;
  static_cast<void>(!write(answer_on, "answer", 6));
}
void escape(int) { siglongjmp(way_out, 1); }

class SignalTest : public BothSides {
 protected:
  SignalTest() { handled = 0; }
  ~SignalTest() override { signal(SIGALRM, SIG_DFL); }
  static void on_alarm(void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    EXPECT_EQ(sigaction(SIGALRM, &action, nullptr), 0);
  }
  static void alarm_in_ms(int ms) { ualarm(static_cast<unsigned>(ms) * 1000, 0); }
};

// fault-signal.
TEST_P(SignalTest, a_blocking_read_ends) {
  on_alarm(note, 0);
  alarm_in_ms(20);
  char octet;
  EXPECT_ERRNO(read(pair.server, &octet, 1), EINTR);
  EXPECT_EQ(handled, 1);
}

TEST_P(SignalTest, with_sa_restart_it_goes_on) {
  on_alarm(answer, SA_RESTART);
  answer_on = pair.client;
  alarm_in_ms(20);
  EXPECT_EQ(read_text(pair.server, 6), "answer") << "the handler has sent it";
  EXPECT_EQ(handled, 1);
}

TEST_P(SignalTest, accept_goes_on_too) {
  const Fd listener = listening(GetParam());
  signal(SIGALRM, note);
  alarm_in_ms(10);
  sockaddr_in to = name_of(listener);
  std::thread client([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (handled == 0) usleep(1000);
    const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(connect(fd, as_sockaddr(to), sizeof to), 0);
  });
  const Fd accepted(accept(listener, nullptr, nullptr));
  EXPECT_GE(accepted, 0);
  client.join();
}

TEST_P(SignalTest, waits_never_go_on) {
  on_alarm(note, SA_RESTART);
  pollfd fd{pair.server, POLLIN, 0};
  alarm_in_ms(20);
  EXPECT_ERRNO(poll(&fd, 1, 5000), EINTR);
  const Fd set(epoll_create1(0));
  epoll_event event{.events = EPOLLIN, .data = {}};
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, pair.server, &event), 0);
  alarm_in_ms(20);
  EXPECT_ERRNO(epoll_wait(set, &event, 1, 5000), EINTR);
  EXPECT_EQ(handled, 2);
}

TEST_P(SignalTest, a_handler_may_leave_for_good) {
  on_alarm(escape, 0);
  char octet;
  if (sigsetjmp(way_out, 1) == 0) {
    alarm_in_ms(20);
    static_cast<void>(!read(pair.server, &octet, 1));
    FAIL() << "the handler does not come back";
  }
  write_text(pair.client, "after");
  EXPECT_EQ(read_text(pair.server, 5), "after");
}

// Signals hit every instant of calls, and their handlers make calls themselves.
TEST_P(SignalTest, a_storm) {
  on_alarm(answer, SA_RESTART);
  const Pair other = connected(GetParam());
  fcntl(other.client, F_SETFL, O_NONBLOCK);
  answer_on = other.client;
  const itimerval often{{0, 200}, {0, 200}}, never{};
  setitimer(ITIMER_REAL, &often, nullptr);
  for (int i = 0; i < 20'000 && handled < 300; ++i) {
    write_text(pair.client, "octets");
    ASSERT_EQ(read_text(pair.server, 6), "octets");
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  EXPECT_GT(handled, 10);
  EXPECT_EQ(read_text(other.server, 6), "answer");
}

TEST_P(SignalTest, what_was_set_is_what_is_told) {
  on_alarm(note, SA_RESTART);
  struct sigaction action {};
  EXPECT_EQ(sigaction(SIGALRM, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, note);
  EXPECT_EQ(action.sa_flags & (SA_RESTART | SA_SIGINFO), SA_RESTART);
  EXPECT_EQ(signal(SIGALRM, SIG_IGN), note);
  EXPECT_EQ(signal(SIGALRM, SIG_DFL), SIG_IGN);
  EXPECT_ERRNO(sigaction(SIGKILL, &action, nullptr), EINVAL);
}

ON_BOTH_SIDES(SignalTest);

// A sanitizer's runtime calls before libc has its environment, where the rules are: they hold from
// then on, as all of these tests show.
int early_result = -1;
void call_early() { early_result = sigaction(SIGUSR1, nullptr, nullptr); }
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libc)() = call_early;

TEST(Rules, are_read_when_they_can_be) { EXPECT_EQ(early_result, 0); }

}  // namespace
}  // namespace preload_test
