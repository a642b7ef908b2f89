// raw_pingpong.cc - what the device alone costs: one frame to and fro over net_memif, DPDK only.
//
//   raw_pingpong server NAME LCORE         answers every frame until one says that it is the last
//   raw_pingpong client NAME LCORE COUNT   prints "p50 p99 min" of the round trip in nanoseconds
//
// NAME is an abstract memif socket: both ends must share a network namespace.

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/pollux/histogram.h"

namespace {

constexpr std::uint16_t kPort = 0;
constexpr auto kAnySocket = static_cast<unsigned>(SOCKET_ID_ANY);
constexpr std::uint16_t kFrameBytes = 128;
constexpr std::uint16_t kRingSlots = 1024;
constexpr std::uint16_t kBurst = 32;
constexpr std::size_t kKindAt = 14;  // after an Ethernet header
constexpr char kPing = 1;
constexpr char kLast = 2;
constexpr int kWarmup = 10'000;
constexpr unsigned kLinkTriesMs = 5'000;
constexpr unsigned kLinkTryMs = 20;

bool start_eal(const std::string& name, const std::string& lcore, bool server) {
  const std::string device = std::string("--vdev=net_memif0,role=") +
                             (server ? "server" : "client") + ",socket=@" + name +
                             ",socket-abstract=yes,rsize=10";
  std::vector<std::string> texts = {"raw_pingpong",   "-l",          lcore,        "--no-huge",
                                    "--no-pci",       "--no-shconf", "-m",         "64",
                                    "--no-telemetry", "--log-level", "*:critical", device};
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
}

bool start_port() {
  rte_mempool* pool =
      rte_pktmbuf_pool_create("frames", 4095, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  rte_eth_conf conf;
  std::memset(&conf, 0, sizeof conf);
  return pool != nullptr && rte_eth_dev_configure(kPort, 1, 1, &conf) == 0 &&
         rte_eth_rx_queue_setup(kPort, 0, kRingSlots, kAnySocket, nullptr, pool) == 0 &&
         rte_eth_tx_queue_setup(kPort, 0, kRingSlots, kAnySocket, nullptr) == 0;
}

bool link_is_up() {
  rte_eth_link link;
  std::memset(&link, 0, sizeof link);
  return rte_eth_link_get_nowait(kPort, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

// A client cannot start before its server listens, and may be refused: it stops and starts again.
bool await_link(bool server) {
  bool started = false;
  for (unsigned waited_ms = 0; waited_ms < kLinkTriesMs; waited_ms += kLinkTryMs) {
    if (!started) started = rte_eth_dev_start(kPort) == 0;
    rte_delay_us_sleep(kLinkTryMs * 1000);
    if (started && link_is_up()) return true;
    if (started && !server) started = rte_eth_dev_stop(kPort) != 0;
  }
  return false;
}

void send(rte_mbuf* frame) {
  while (rte_eth_tx_burst(kPort, 0, &frame, 1) == 0) {
  }
}

char& kind_of(rte_mbuf* frame) { return *rte_pktmbuf_mtod_offset(frame, char*, kKindAt); }

rte_mbuf* new_frame(char kind) {
  rte_mbuf* frame = rte_pktmbuf_alloc(rte_mempool_lookup("frames"));
  if (frame == nullptr) return nullptr;
  char* octets = rte_pktmbuf_append(frame, kFrameBytes);
  std::memset(octets, 0, kFrameBytes);
  kind_of(frame) = kind;
  return frame;
}

int serve() {
  for (;;) {
    rte_mbuf* frames[kBurst];
    const std::uint16_t n = rte_eth_rx_burst(kPort, 0, frames, kBurst);
    for (std::uint16_t i = 0; i < n; ++i) {
      const bool last = kind_of(frames[i]) == kLast;
      send(frames[i]);
      if (last) return 0;
    }
  }
}

rte_mbuf* receive() {
  rte_mbuf* frame = nullptr;
  while (rte_eth_rx_burst(kPort, 0, &frame, 1) == 0) {
  }
  return frame;
}

int measure(int count) {
  const auto histogram = std::make_unique<pollux::tool::Histogram>();
  const double ns_per_tick = 1e9 / static_cast<double>(rte_get_tsc_hz());
  rte_mbuf* none = nullptr;
  rte_eth_rx_burst(kPort, 0, &none, 0);  // gives the server its first buffers
  rte_mbuf* frame = new_frame(kPing);
  if (frame == nullptr) return 1;
  for (int i = -kWarmup; i < count; ++i) {
    const std::uint64_t start = rte_rdtsc();
    send(frame);
    frame = receive();
    const auto ticks = static_cast<double>(rte_rdtsc() - start);
    if (i >= 0) histogram->record(static_cast<std::uint64_t>(ticks * ns_per_tick));
  }
  kind_of(frame) = kLast;
  send(frame);
  rte_pktmbuf_free(receive());
  std::printf("%lu %lu %lu\n", histogram->percentile(50), histogram->percentile(99),
              histogram->min());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool server = argc == 4 && std::string_view(argv[1]) == "server";
  const bool client = argc == 5 && std::string_view(argv[1]) == "client";
  if (!server && !client) {
    std::fprintf(stderr, "usage: raw_pingpong server|client NAME LCORE [COUNT]\n");
    return 2;
  }
  if (!start_eal(argv[2], argv[3], server) || !start_port() || !await_link(server)) {
    std::fprintf(stderr, "raw_pingpong: no memif link\n");
    return 1;
  }
  const int status = server ? serve() : measure(std::max(std::atoi(argv[4]), 1));
  std::fflush(stdout);
  rte_eth_dev_stop(kPort);
  rte_eth_dev_close(kPort);
  return status;
}
