// queue_id.h - QueueId: what DPDK calls a queue.
#pragma once

#include <cstdint>

namespace pollux {

struct QueueId {
  std::uint16_t port = 0;
  std::uint16_t index = 0;  // of the receive and of the transmit queue
};

}  // namespace pollux
