// eal_test.cc - EAL as a guest: what it may not change in the process that started it.
#include "drivers/dpdk/eal.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <rte_lcore.h>
#include <sched.h>
#include <signal.h>

#include <fstream>
#include <string>

#include "tests/support/eal_environment.h"

namespace pollux {
namespace {

TEST(Eal, a_second_start_is_refused) {
  const DriverError error = start_eal({});
  EXPECT_EQ(error.error, EALREADY);
  EXPECT_NE(error.message.find("already"), std::string::npos);
}

TEST(Eal, no_hugepages_here) { EXPECT_FALSE(eal_uses_hugepages()); }

TEST(Eal, the_starter_may_run_where_it_could_before) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  EXPECT_EQ(CPU_COUNT(&allowed), static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

// Looked at right after the start: EAL opens a new epoll when a driver registers an interrupt.
TEST(Eal, every_descriptor_is_closed_on_exec) {
  EXPECT_GE(testing_support::EalEnvironment::opened(), 3);
  EXPECT_EQ(testing_support::EalEnvironment::opened_for_exec(), 0);
}

TEST(Eal, its_threads_take_no_signal) {
  DIR* folder = opendir("/proc/self/task");
  ASSERT_NE(folder, nullptr);
  int others = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == getpid()) continue;
    std::ifstream status("/proc/self/task/" + std::string(entry->d_name) + "/status");
    std::string line, blocked;
    while (std::getline(status, line)) {
      if (line.starts_with("SigBlk:")) blocked = line;
    }
    // All but SIGKILL, SIGSTOP and the two of the C library (32 and 33).
    EXPECT_NE(blocked.find("fffffffe7ffbfeff"), std::string::npos) << blocked;
    ++others;
  }
  closedir(folder);
  EXPECT_EQ(others, 1) << "the interrupt thread and no other";
}

TEST(Eal, the_callers_mask_is_its_own_again) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGUSR1), 0);
}

TEST(LcoreScope, sets_and_restores_nested) {
  const unsigned before = rte_lcore_id();
  {
    const LcoreScope outer(3);
    EXPECT_EQ(rte_lcore_id(), 3u);
    {
      const LcoreScope inner(5);
      EXPECT_EQ(rte_lcore_id(), 5u);
    }
    EXPECT_EQ(rte_lcore_id(), 3u);
  }
  EXPECT_EQ(rte_lcore_id(), before);
}

TEST(LcoreScope, a_pool_is_balanced_across_lcores) {
  Result<PacketPool> made = PacketPool::create("lcores", 1023, 512);
  ASSERT_TRUE(made.ok());
  PacketPool& pool = *made;
  Packet packet;
  {
    const LcoreScope scope(1);
    packet = pool.allocate();
  }
  {
    const LcoreScope scope(2);
    packet.reset();
  }
  EXPECT_TRUE(pool.is_full());
}

}  // namespace
}  // namespace pollux
