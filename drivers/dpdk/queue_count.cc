// queue_count.cc - devices that have fewer queues than wanted, or spread over more.
#include "drivers/dpdk/queue_count.h"

#include <cerrno>

namespace pollux {
namespace {

// These have as many as their arguments say.
const char* argument_of(const std::string& device) {
  if (device.starts_with("net_af_packet")) return "qpairs";
  if (device.starts_with("net_af_xdp")) return "queue_count";
  if (device.starts_with("net_virtio_user") || device.starts_with("net_vhost")) return "queues";
  return nullptr;
}

// Whatever they say. Each of memif's would need its own interrupt flag and eventfd to be found;
// e1000's second one gets no packets.
bool has_one(const std::string& driver) {
  return driver == "net_memif" || driver == "net_e1000_em";
}

std::string remedy(const QueueCount& count, unsigned possible) {
  std::string text = "set port." + count.port + ".queues to " + std::to_string(possible);
  const char* argument = argument_of(count.device);
  if (!argument) return text;
  return text + ", or give the device " + argument + "=" + std::to_string(count.wanted);
}

std::string number_of(unsigned queues) {
  return queues == 1 ? "1 queue" : std::to_string(queues) + " queues";
}

}  // namespace

DriverError check_queue_count(const QueueCount& count) {
  const std::string name = count.device.substr(0, count.device.find(','));
  const std::string start = "port " + count.port + ": " + name;
  const unsigned present = has_one(count.driver) ? 1 : count.present;
  if (count.wanted > present && count.wanted > 1) {
    return {EINVAL, start + " has " + number_of(present) + "; " + remedy(count, present)};
  }
  // The kernel gives each of its sockets a share, read or not.
  if (count.wanted < present && count.driver == "net_af_packet") {
    return {EINVAL, start + " spreads over " + number_of(present) + "; " + remedy(count, present)};
  }
  return {};
}

}  // namespace pollux
