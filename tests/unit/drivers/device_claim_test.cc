// device_claim_test.cc - one process has a device, others learn who and when it is free.
#include "drivers/device_claim.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace pollux {
namespace {

// Unlike any other's: the namespace of such names is the machine's.
std::string name() { return "unit-test-" + std::to_string(getpid()); }

bool hangs_up(const DeviceOwner& owner, int timeout_ms) {
  pollfd one{.fd = owner.fd(), .events = 0, .revents = 0};
  return poll(&one, 1, timeout_ms) == 1;
}

TEST(DeviceClaim, only_what_one_process_can_have_has_a_name) {
  EXPECT_EQ(DeviceClaim::name_of("net_tap0,mac=fixed,iface=plx0"), "iface=plx0");
  EXPECT_EQ(DeviceClaim::name_of("0000:03:00.0,arg=1"), "0000:03:00.0");
  EXPECT_EQ(DeviceClaim::name_of("net_memif0,role=server,socket=x"), "socket=xserver");
  EXPECT_NE(DeviceClaim::name_of("net_memif0,role=client,socket=x"),
            DeviceClaim::name_of("net_memif0,role=server,socket=x"));
  for (const char* device : {"net_null0", "net_ring0", "net_tap0", "net_tap0,remote_iface=x"}) {
    EXPECT_EQ(DeviceClaim::name_of(device), "") << device;
  }
}

TEST(DeviceClaim, the_second_is_told_who_and_hears_when_it_is_free) {
  EXPECT_FALSE(DeviceOwner::of(name()));
  int error = -1;
  std::optional<DeviceClaim> first = DeviceClaim::take(name(), error);
  ASSERT_TRUE(first);
  EXPECT_EQ(error, 0);
  EXPECT_FALSE(DeviceClaim::take(name(), error));
  EXPECT_EQ(error, EBUSY);
  const std::optional<DeviceOwner> owner = DeviceOwner::of(name());
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->who().substr(0, owner->who().find(' ', 8)),
            "process " + std::to_string(getpid()));
  EXPECT_FALSE(hangs_up(*owner, 0));
  first.reset();
  EXPECT_TRUE(hangs_up(*owner, -1));
  EXPECT_TRUE(DeviceClaim::take(name(), error));
}

TEST(DeviceClaim, a_child_that_abandons_its_copy_does_not_end_the_claim) {
  int error = 0;
  const std::string parents = name();
  std::optional<DeviceClaim> claim = DeviceClaim::take(parents, error);
  ASSERT_TRUE(claim);
  const pid_t child = fork();
  if (child == 0) {
    claim->abandon();
    _exit(DeviceClaim::take(parents, error) ? 1 : error);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), EBUSY);
}

TEST(DeviceClaim, a_killed_owner_lets_go) {
  const std::string childs = "child-of-" + name();
  const pid_t child = fork();
  if (child == 0) {
    int error = 0;
    const std::optional<DeviceClaim> claim = DeviceClaim::take(childs, error);
    for (;;) pause();
  }
  std::optional<DeviceOwner> owner;
  while (!owner) {
    if (auto found = DeviceOwner::of(childs)) owner.emplace(std::move(*found));
  }
  kill(child, SIGKILL);
  EXPECT_TRUE(hangs_up(*owner, -1));
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace pollux
