// identity_test.cc - a child gives up being root by each call of that, and then talks.
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/preload/pairs.h"

namespace preload_test {
namespace {

using IdentityTest = BothSides;

constexpr uid_t kNobody = 65534;

bool has_capabilities(const std::string& set) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(set)) return line.find_first_not_of("0", 8) != std::string::npos;
  }
  return true;
}

// What opening a device takes stays permitted until a stack has started.
bool keeps_too_much(Side side) {
  return has_capabilities("CapEff:") || (side == Side::stack && has_capabilities("CapPrm:"));
}

// What the child found: 0, or the number of the step that was not as it should be.
template <typename Change>
int in_child(Side side, Change change) {
  const pid_t child = fork();
  if (child == 0) {
    if (change() != 0) _exit(1);
    uid_t real = 0, effective = 0, saved = 0;
    getresuid(&real, &effective, &saved);
    const uid_t wanted = geteuid();
    if (real != wanted || effective != wanted || saved != wanted) _exit(2);
    const Pair own = connected(side);
    write_text(own.client, "own");
    if (read_text(own.server, 3) != "own") _exit(3);
    _exit(wanted != 0 && keeps_too_much(side) ? 4 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_P(IdentityTest, nobody_has_a_stack_and_no_capability_left) {
  const uid_t user = geteuid() == 0 ? kNobody : geteuid();
  EXPECT_EQ(in_child(GetParam(), [=] { return setuid(user); }), 0);
  EXPECT_EQ(in_child(GetParam(), [=] { return setreuid(user, user); }), 0);
  EXPECT_EQ(in_child(GetParam(), [=] { return setresuid(user, user, user); }), 0);
}

TEST_P(IdentityTest, errors_are_the_kernels) {
  EXPECT_EQ(in_child(GetParam(),
                     [] {
                       if (setuid(geteuid() == 0 ? kNobody : geteuid()) != 0) return 1;
                       errno = 0;
                       return setuid(0) == -1 && errno == EPERM ? 0 : 1;
                     }),
            0);
}

INSTANTIATE_TEST_SUITE_P(Sides, IdentityTest, testing::Values(Side::kernel, Side::stack),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace preload_test
