// queue_count_test.cc - an error says how many queues there are and what to write.
#include "drivers/dpdk/queue_count.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

TEST(QueueCount, what_the_device_has_is_fine) {
  EXPECT_FALSE(check_queue_count({"lan", "net_tap0,iface=x", "net_tap", 16, 16}));
  EXPECT_FALSE(check_queue_count({"lan", "net_tap0,iface=x", "net_tap", 1, 16}));
  EXPECT_FALSE(check_queue_count({"lan", "net_memif0,role=server", "net_memif", 1, 255}));
  EXPECT_FALSE(check_queue_count({"lan", "net_af_packet0,iface=x", "net_af_packet", 2, 2}));
}

struct Refusal {
  QueueCount count;
  const char* message;
};

TEST(QueueCount, what_it_has_not_is_refused_with_a_remedy) {
  const Refusal cases[] = {
      {{"lan", "0000:03:00.0", "net_ice", 8, 4},
       "0000:03:00.0 has 4 queues; set stack.queues to 4"},
      {{"lan", "0000:03:00.0", "net_e1000_em", 2, 2},
       "0000:03:00.0 has 1 queue; set stack.queues to 1"},
      {{"lan", "net_memif0,role=server", "net_memif", 2, 255},
       "net_memif0 has 1 queue; set stack.queues to 1"},
      {{"lan", "net_virtio_user0,path=x", "net_virtio_user", 4, 1},
       "net_virtio_user0 has 1 queue; set stack.queues to 1, or give the device queues=4"},
      {{"lan", "net_af_xdp0,iface=x", "net_af_xdp", 2, 1},
       "net_af_xdp0 has 1 queue; set stack.queues to 1, or give the device queue_count=2"},
      {{"lan", "net_af_packet0,iface=x,qpairs=4", "net_af_packet", 1, 4},
       "net_af_packet0 spreads over 4 queues; set stack.queues to 4, or give the device"
       " qpairs=1"},
  };
  for (const Refusal& c : cases) {
    const DriverError error = check_queue_count(c.count);
    EXPECT_EQ(error.error, EINVAL);
    EXPECT_EQ(error.message, std::string("port lan: ") + c.message);
  }
}

}  // namespace
}  // namespace pollux
