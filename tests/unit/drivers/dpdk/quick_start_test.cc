// quick_start_test.cc - short only while EAL starts, and only in its thread.
#include "drivers/dpdk/quick_start.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

// As DPDK is linked to call them.
extern "C" int dpdks_nanosleep(const timespec* time, timespec* rest) asm("__wrap_nanosleep");
extern "C" int dpdks_access(const char* path, int mode) asm("__wrap_access");

namespace pollux {
namespace {

constexpr timespec kFifthOfASecond{0, 200'000'000};

bool is_whole_sleep() {
  const auto start = std::chrono::steady_clock::now();
  dpdks_nanosleep(&kFifthOfASecond, nullptr);
  return std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(200);
}

TEST(QuickStart, sleeps_are_whole_outside_and_in_other_threads) {
  EXPECT_TRUE(is_whole_sleep());
  const QuickStart quick;
  bool other = false;
  std::thread([&] { other = is_whole_sleep(); }).join();
  EXPECT_TRUE(other);
}

// A loaded machine may keep us from running for a while: of five one is short.
TEST(QuickStart, sleeps_are_short_inside) {
  const QuickStart quick;
  int whole = 0;
  for (int i = 0; i < 5; ++i) whole += is_whole_sleep() ? 1 : 0;
  EXPECT_LT(whole, 5);
}

TEST(QuickStart, which_node_has_which_processor_is_answered_right) {
  const std::string nodes = "/sys/devices/system/node/node";
  const QuickStart quick;
  for (int node = 0; node < 32; ++node) {
    for (int cpu = 0; cpu < 4; ++cpu) {
      const std::string path = nodes + std::to_string(node) + "/cpu" + std::to_string(cpu);
      EXPECT_EQ(dpdks_access(path.c_str(), F_OK), access(path.c_str(), F_OK)) << path;
    }
  }
  EXPECT_EQ(dpdks_access("/", F_OK), 0);
  EXPECT_EQ(dpdks_access("/nowhere", F_OK), -1);
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace pollux
