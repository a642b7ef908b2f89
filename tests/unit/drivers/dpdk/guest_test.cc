// guest_test.cc - what is remembered is restored, whatever happened in between.
#include "drivers/dpdk/guest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pollux {
namespace {

void handler(int) {}

TEST(Guest, blocked_signals_come_back_as_they_were) {
  sigset_t mask;
  {
    const SignalsBlocked blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGTERM), 1);
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

TEST(Guest, real_time_signals_are_ignored_unless_the_program_has_them) {
  struct sigaction own {};
  own.sa_handler = handler;
  sigaction(SIGRTMIN + 2, &own, nullptr);
  struct sigaction now {};
  {
    const RealTimeSignalsIgnored ignored;
    sigaction(SIGRTMIN + 1, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_IGN);
    sigaction(SIGRTMIN + 2, nullptr, &now);
    EXPECT_EQ(now.sa_handler, handler);
  }
  sigaction(SIGRTMIN + 1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
  sigaction(SIGRTMIN + 2, nullptr, &now);
  EXPECT_EQ(now.sa_handler, handler);
  now.sa_handler = SIG_DFL;
  sigaction(SIGRTMIN + 2, &now, nullptr);
}

TEST(Guest, affinity_is_kept) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof before, &before);
  {
    const AffinityKept kept;
    EXPECT_FALSE(kept.processors().empty());
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  sched_getaffinity(0, sizeof after, &after);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Guest, descriptors_opened_meanwhile_are_found_and_marked) {
  const int old = eventfd(0, 0);
  const DescriptorWatch watch;
  const int fresh = eventfd(0, 0);
  EXPECT_EQ(watch.opened(), std::vector<int>{fresh});
  watch.close_on_exec();
  EXPECT_EQ(fcntl(fresh, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(old, F_GETFD), 0);
  close(fresh);
  close(old);
}

}  // namespace
}  // namespace pollux
