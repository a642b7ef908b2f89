// memif_peer.cc - the other end of a memif: echoes every frame, until it is killed or its parent
// dies.
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "drivers/dpdk/port.h"
#include "drivers/packet_pool.h"

namespace {

// usage: memif-peer DEVICE DELAY_US; DELAY_US: how long it thinks before it answers.
int echo(const char* device, long delay_us) {
  pollux::DriverError error = pollux::start_eal({.use_hugepages = false, .memory_mb = 64});
  if (error) return std::fprintf(stderr, "%s\n", error.message.c_str()), 1;
  auto pool = pollux::PacketPool::create("peer", 2047, 2048);
  if (!pool.ok()) return 1;
  const auto port = pollux::Port::open({.name = "peer", .device = device}, *pool, error);
  if (!port) return std::fprintf(stderr, "%s\n", error.message.c_str()), 1;
  std::array<pollux::Packet, 32> packets;
  for (;;) {
    const std::size_t n = port->queue().rx_burst(packets);
    if (n == 0) continue;
    const timespec pause{0, delay_us * 1000};
    if (delay_us > 0) nanosleep(&pause, nullptr);
    const std::size_t sent = port->queue().tx_burst(std::span(packets).first(n));
    for (std::size_t i = sent; i < n; ++i) packets[i].reset();
  }
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(120);
  return argc == 3 ? echo(argv[1], std::atol(argv[2])) : 2;
}
