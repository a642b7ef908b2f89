// kernel_support.h - a network namespace for a whole test program, and a fixture that needs it;
// root.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>

#include <cstdlib>

#include "tests/dpdk/device_support.h"

namespace pollux::testing_support {

inline bool enter_own_namespace() { return unshare(CLONE_NEWNET) == 0; }
// Before EAL starts, so that its thread and its devices live in the new namespace as well.
inline const bool is_in_own_namespace = enter_own_namespace();

inline bool run(const char* command) { return std::system(command) == 0; }

inline bool is_readable(int fd, int timeout_ms) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&p, 1, timeout_ms) == 1;
}

class InOwnNamespace : public PoolEndsFull {
 protected:
  void SetUp() override {
    PoolEndsFull::SetUp();
    if (is_in_own_namespace) return;
    if (may_skip()) GTEST_SKIP() << "needs root for a network namespace";
    FAIL() << "nothing is skipped in CI";
  }
};

}  // namespace pollux::testing_support
