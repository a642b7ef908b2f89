// host_test.cc - a Host in a simulation: time, waits and devices are the test's.
#include "stack/core/host.h"

#include <gtest/gtest.h>

#include "tests/support/look_only.h"
#include "tests/unit/core/stack_world.h"

namespace pollux {
namespace {

using namespace testing_support;

class SimulatedHost : public PoolEndsFull {
 protected:
  static Config small() {
    Config config;
    config.packets = 511;
    config.sockets = config.connections = 64;
    config.hugepages = false;
    return config;
  }
  static PortConfig port() {
    PortConfig config;
    config.name = "sim";
    config.addresses = {{kUs, 24}};
    return config;
  }
  std::unique_ptr<Host> simulate(const Config& config) {
    return Host::simulate(config, {clock, context, {{device, port()}}}, error);
  }

  ManualClock clock;
  LookOnly context{clock};  // nobody waits
  ScriptedDevice device{test_pool()};
  DriverError error;
};

TEST_F(SimulatedHost, has_time_waits_and_devices_from_outside) {
  const std::unique_ptr<Host> host = simulate(small());
  ASSERT_TRUE(host) << error.message;
  EXPECT_EQ(&host->poll_context(), &context);
  EXPECT_EQ(host->stacks().count(), 1u);
  Stack& stack = host->stack_for_new_socket(true);
  const Instant before = clock.now();
  for (int second = 0; second < 10; ++second) {
    clock.advance(Duration::seconds(1));
    const Entered entered(stack.entry());
    EXPECT_EQ(stack.read_clock(), clock.now());
    stack.poll(64, clock.now());
  }
  EXPECT_FALSE(device.sent.empty());  // it announces its address
  EXPECT_EQ(clock.now() - before, Duration::seconds(10));
}

// On a machine it would go on for a second; here nobody moves the clock.
TEST_F(SimulatedHost, ends_at_once) {
  std::unique_ptr<Host> host = simulate(small());
  ASSERT_TRUE(host) << error.message;
  const Instant before = clock.now();
  host.reset();
  EXPECT_EQ(clock.now(), before);
}

TEST_F(SimulatedHost, says_when_there_is_no_memory) {
  Config config = small();
  config.packets = 4'000'000;
  EXPECT_FALSE(simulate(config));
  EXPECT_EQ(error.error, ENOMEM);
  EXPECT_NE(error.message.find("no memory for 4000000 packets"), std::string::npos);
}

}  // namespace
}  // namespace pollux
