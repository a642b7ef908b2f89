// callback_loop_test.cc - registrations inside a scope run here, and may undo themselves.
#define ALLOW_EXPERIMENTAL_API  // rte_intr_instance_alloc
#include "drivers/dpdk/callback_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/eal_environment.h"

namespace pollux {
namespace {

// One registration of a driver: its handle, what its callback did.
struct Driver {
  Driver() : fd(eventfd(0, EFD_NONBLOCK)), handle(rte_intr_instance_alloc(0)) {
    rte_intr_fd_set(handle, fd);
    rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT);
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() {
    rte_intr_instance_free(handle);
    if (!is_closed) close(fd);
  }
  void ring() const { EXPECT_EQ(eventfd_write(fd, 1), 0); }
  int fd;
  rte_intr_handle* handle;
  int calls = 0;
  bool leaves = false;
  bool is_closed = false;
};

void on_leave(rte_intr_handle*, void* argument) {
  auto* driver = static_cast<Driver*>(argument);
  close(driver->fd);
  driver->is_closed = true;
}

void on_event(void* argument) {
  auto* driver = static_cast<Driver*>(argument);
  ++driver->calls;
  eventfd_t value = 0;
  eventfd_read(driver->fd, &value);
  if (!driver->leaves) return;
  EXPECT_EQ(pollux_intr_unregister(driver->handle, on_event, driver), -EAGAIN);
  EXPECT_EQ(pollux_intr_unregister_pending(driver->handle, on_event, driver, on_leave), 1);
}

TEST(CallbackLoop, what_is_registered_in_a_scope_runs_when_asked) {
  CallbackLoop loop;
  Driver driver;
  const CallbackLoop::Scope scope(loop);
  ASSERT_EQ(pollux_intr_register(driver.handle, on_event, &driver), 0);
  EXPECT_FALSE(loop.run_one());
  driver.ring();
  EXPECT_EQ(driver.calls, 0);
  EXPECT_TRUE(loop.run_one());
  EXPECT_EQ(driver.calls, 1);
  EXPECT_FALSE(loop.run_one());
  EXPECT_EQ(pollux_intr_unregister(driver.handle, on_event, &driver), 1);
  EXPECT_EQ(pollux_intr_unregister(driver.handle, on_event, &driver), -ENOENT);
  driver.ring();
  EXPECT_FALSE(loop.run_one());
  EXPECT_TRUE(loop.empty());
}

TEST(CallbackLoop, a_callback_may_leave_while_it_runs) {
  CallbackLoop loop;
  Driver driver;
  driver.leaves = true;
  const CallbackLoop::Scope scope(loop);
  ASSERT_EQ(pollux_intr_register(driver.handle, on_event, &driver), 0);
  driver.ring();
  EXPECT_TRUE(loop.run_one());
  EXPECT_TRUE(driver.is_closed);
  EXPECT_TRUE(loop.empty());
}

TEST(CallbackLoop, pending_removal_is_only_for_a_running_callback) {
  CallbackLoop loop;
  Driver driver;
  const CallbackLoop::Scope scope(loop);
  ASSERT_EQ(pollux_intr_register(driver.handle, on_event, &driver), 0);
  EXPECT_EQ(pollux_intr_unregister_pending(driver.handle, on_event, &driver, on_leave), -EAGAIN);
  EXPECT_EQ(
      pollux_intr_unregister(driver.handle, on_event, reinterpret_cast<void*>(std::intptr_t{-1})),
      1);
}

TEST(CallbackLoop, outside_a_scope_eal_itself_serves) {
  CallbackLoop loop;
  Driver driver;
  ASSERT_EQ(CallbackLoop::current(), nullptr);
  ASSERT_EQ(pollux_intr_register(driver.handle, on_event, &driver), 0);
  EXPECT_TRUE(loop.empty());
  int removed = -EAGAIN;
  while (removed == -EAGAIN) {
    removed = pollux_intr_unregister(driver.handle, on_event, &driver);
  }
  EXPECT_EQ(removed, 1);
}

TEST(CallbackLoop, watched_descriptors_wake_and_are_left_alone) {
  CallbackLoop loop;
  Driver driver, other;
  ASSERT_TRUE(loop.watch(other.fd));
  const CallbackLoop::Scope scope(loop);
  ASSERT_EQ(pollux_intr_register(driver.handle, on_event, &driver), 0);
  other.ring();
  EXPECT_FALSE(loop.run_one());
  driver.ring();
  EXPECT_TRUE(loop.run_one());
  EXPECT_EQ(driver.calls, 1);
  EXPECT_EQ(pollux_intr_unregister(driver.handle, on_event, &driver), 1);
}

}  // namespace
}  // namespace pollux
