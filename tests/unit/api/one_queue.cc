// one_queue.cc - the calls' tests on one stack, as most programs have it.
#include "tests/unit/api/public_world.h"

namespace pollux::testing_support {
const char* const kQueuesSetting = "stack.queues=1";
const char* const kPacketsSetting = "stack.packets=2047";
}
