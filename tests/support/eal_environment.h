// eal_environment.h - starts EAL once per test binary, without hugepages; its pool must end full.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "drivers/dpdk/eal.h"
#include "drivers/dpdk/guest.h"
#include "drivers/packet_pool.h"

namespace pollux::testing_support {

// Including this header in one file of a binary is enough. test_pool() is there for every test;
// what a test takes from it, it gives back.
class EalEnvironment final : public testing::Environment {
 public:
  static constexpr std::uint32_t kPackets = 2047;
  static constexpr std::uint16_t kDataRoom = 2048;

  void SetUp() override {
    const DescriptorWatch descriptors;
    const DriverError error = start_eal({.use_hugepages = false, .memory_mb = 128});
    for (const int fd : descriptors.opened()) {
      ++opened();
      opened_for_exec() += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    ASSERT_FALSE(error) << error.message;
    Result<PacketPool> made = PacketPool::create("test", kPackets, kDataRoom);
    ASSERT_TRUE(made.ok());
    pool() = std::make_unique<PacketPool>(std::move(*made));
  }
  void TearDown() override {
    if (!pool()) return;
    EXPECT_EQ(pool()->available(), pool()->capacity()) << "packets leaked or freed twice";
    pool().reset();
  }
  // Descriptors that the start opened, and those of them that an exec would keep.
  static int& opened() {
    static int count = 0;
    return count;
  }
  static int& opened_for_exec() {
    static int count = 0;
    return count;
  }
  static std::unique_ptr<PacketPool>& pool() {
    static std::unique_ptr<PacketPool> only;
    return only;
  }
};

inline testing::Environment* const eal_environment =
    testing::AddGlobalTestEnvironment(std::make_unique<EalEnvironment>().release());

inline PacketPool& test_pool() { return *EalEnvironment::pool(); }

// A fixture (or base of one) that names the test which leaked.
class PoolEndsFull : public testing::Test {
 protected:
  void SetUp() override { before_ = test_pool().available(); }
  void TearDown() override { EXPECT_EQ(test_pool().available(), before_); }

 private:
  std::uint32_t before_ = 0;
};

}  // namespace pollux::testing_support
