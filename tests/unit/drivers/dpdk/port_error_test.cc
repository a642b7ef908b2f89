// port_error_test.cc - an error names the thing, the cause and the remedy.
#include "drivers/dpdk/port_error.h"

#include <gtest/gtest.h>
#include <rte_log.h>

#include "drivers/dpdk/eal_log.h"
#include "tests/support/eal_environment.h"

namespace pollux {
namespace {

struct Case {
  const char* log;
  PortFailure failure;
  int error;
  const char* words;
};

TEST(PortError, symptoms_have_causes_and_remedies) {
  const Case cases[] = {
      {"", {"lan", "net_null0", "create", EEXIST}, EEXIST, "number it anew"},
      {"EAL: failed to parse device \"vdev:net_x0\"\n",
       {"lan", "net_x0", "create", 1},
       ENODEV,
       "check the name"},
      {"", {"lan", "net_ring0", "create", EBUSY}, EBUSY, "another process uses it"},
      {"Unable to create TAP: Device or resource busy\n",
       {"lan", "net_ring0", "create", 1},
       EBUSY,
       "another process uses it"},
      {"bind: Address already in use\n",
       {"lan", "net_memif0", "create", 1},
       EADDRINUSE,
       "remove the socket file"},
      {"ioctl failed:No such device\n",
       {"lan", "net_ring0,iface=x", "create", 1},
       ENODEV,
       "no such interface"},
      {"", {"lan", "net_ring0,bogus=1", "create", 1}, EIO, "check its arguments"},
      {"", {"lan", "net_ring0", "start", ENOMEM}, ENOMEM, "lower stack.packets"},
      {"", {"lan", "net_ring0", "set up the queues of", ENOMEM}, ENOMEM, "raise stack.packets"},
      {"", {"lan", "ffff:ff:1f.1", "create", ENODEV}, ENODEV, "lspci"},
  };
  for (const Case& c : cases) {
    clear_eal_log();
    rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "%s", c.log);
    const DriverError error = explain_port_error(c.failure);
    EXPECT_EQ(error.error, c.error) << error.message;
    EXPECT_NE(error.message.find(c.words), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("port lan"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find(c.failure.device), std::string::npos) << error.message;
  }
}

}  // namespace
}  // namespace pollux
