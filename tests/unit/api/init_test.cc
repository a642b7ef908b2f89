// init_test.cc - the end of the process without plx_exit, and forked children.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/unit/api/public_world.h"

// A forked child lacks its parent's other threads: what only their thread-locals point to looks
// leaked there, and is not.
static bool g_is_forked_child = false;
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return g_is_forked_child ? 1 : 0; }

namespace pollux::testing_support {
namespace {

TEST(Init, only_once) {
  EXPECT_ERRNO(plx_init("", nullptr), EALREADY);
  EXPECT_NE(std::string(plx_error()), "");
}

TEST(InitDeathTest, exit_without_plx_exit_is_an_orderly_end) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const Connected pair = connected();
        EXPECT_EQ(plx_write(pair.client, "x", 1), 1);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// What a child sees, as the code it exits with: 0 if all is as it should be.
int check_in_child(const Connected& pair) {
  g_is_forked_child = true;
  char octet = 0;
  pollfd poll{pair.server, POLLIN, 0};
  if (plx_read(pair.server, &octet, 1) != -1 || errno != EBADF) return 1;
  if (plx_write(pair.client, "x", 1) != -1 || errno != EBADF) return 2;
  if (plx_close(pair.client) != -1 || errno != EBADF) return 3;
  if (plx_accept(pair.server, nullptr, nullptr) != -1 || errno != EBADF) return 4;
  if (plx_epoll_wait(0, nullptr, 1, 0) != -1 || errno != EBADF) return 5;
  if (plx_socket(AF_INET, SOCK_STREAM, 0) != -1) return 6;
  if (plx_poll(&poll, 1, 0) != -1) return 7;
  if (plx_init("", nullptr) != -1 || errno != EALREADY) return 8;
  plx_exit();
  return 0;
}

TEST(Init, a_forked_child_leaves_its_parents_stack_alone) {
  const Connected pair = connected();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) std::exit(check_in_child(pair));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(plx_write(pair.client, "still", 5), 5);
  char text[8] = {};
  EXPECT_EQ(plx_read(pair.server, text, sizeof text), 5);
  EXPECT_STREQ(text, "still");
}

}  // namespace
}  // namespace pollux::testing_support
