// eal_log_test.cc - DPDK's log is quoted in one line, and only its end when it is long.
#include "drivers/dpdk/eal_log.h"

#include <gtest/gtest.h>
#include <rte_log.h>

#include "tests/support/eal_environment.h"

namespace pollux {
namespace {

TEST(EalLog, lines_are_joined) {
  clear_eal_log();
  rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "first\n");
  rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "second\n\n");
  EXPECT_EQ(last_eal_log(), "first; second");
}

TEST(EalLog, clearing_forgets) {
  rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "old\n");
  clear_eal_log();
  EXPECT_EQ(last_eal_log(), "");
}

TEST(EalLog, the_end_of_a_long_log_is_kept) {
  clear_eal_log();
  for (int i = 0; i < 2000; ++i) rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "line %d\n", i);
  const std::string quoted = last_eal_log();
  EXPECT_LE(quoted.size(), 500u);
  EXPECT_TRUE(quoted.ends_with("line 1999"));
}

}  // namespace
}  // namespace pollux
