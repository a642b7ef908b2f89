// drivers_bench.cc - what Packet, PacketPool and Queue cost over the raw DPDK calls; numbers only.
#include <rte_ethdev.h>
#include <sys/poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "drivers/dpdk/port.h"
#include "drivers/dpdk/tsc_clock.h"
#include "drivers/packet_pool.h"

namespace pollux {
namespace {

constexpr int kRounds = 50'000;
constexpr std::uint16_t kBurst = 32;

// Nanoseconds for one of `per_round` things, the best of five runs.
template <typename Work>
double best_ns(int per_round, Work work) {
  TscClock clock;
  double best = 1e9;
  for (int run = 0; run < 5; ++run) {
    const Instant start = clock.now();
    for (int i = 0; i < kRounds; ++i) work();
    const auto ns = static_cast<double>((clock.now() - start).to_ns());
    best = std::min(best, ns / kRounds / per_round);
  }
  return best;
}

void pool_costs(PacketPool& pool) {
  std::printf("rte_pktmbuf_alloc + free    %6.1f ns\n",
              best_ns(1, [&] { rte_pktmbuf_free(rte_pktmbuf_alloc(pool.mempool())); }));
  std::printf("allocate + free a packet    %6.1f ns\n", best_ns(1, [&] { pool.allocate(); }));
  Text text = pool.allocate_text();
  const std::array<std::byte, 1448> octets{};
  text.append(octets);
  std::printf("refer + free                %6.1f ns\n",
              best_ns(1, [&] { pool.refer(*text.node(), 0, 1448); }));
  std::printf("allocate_text + release     %6.1f ns\n", best_ns(1, [&] { pool.allocate_text(); }));
  TscClock clock;
  std::printf("TscClock::now               %6.1f ns\n", best_ns(1, [&] { clock.now(); }));
}

void burst_costs(const char* device, PacketPool& pool) {
  DriverError error;
  const auto port = Port::open({.name = "bench", .device = device}, pool, error);
  if (!port) return void(std::printf("%s\n", error.message.c_str()));
  std::array<Packet, kBurst> packets;
  for (Packet& packet : packets) {
    packet = pool.allocate();
    packet.put(64);
  }
  auto** raw = reinterpret_cast<rte_mbuf**>(packets.data());
  NetDevice& queue = port->queue();
  // Packets go round, except with net_null, which takes them and gives new ones.
  const double with_raw = best_ns(kBurst, [&] {
    std::uint16_t sent = 0;
    while (sent < kBurst)
      sent = static_cast<std::uint16_t>(
          sent + rte_eth_tx_burst(0, 0, raw + sent, static_cast<std::uint16_t>(kBurst - sent)));
    std::uint16_t got = 0;
    while (got < kBurst)
      got = static_cast<std::uint16_t>(
          got + rte_eth_rx_burst(0, 0, raw + got, static_cast<std::uint16_t>(kBurst - got)));
  });
  const double with_queue = best_ns(kBurst, [&] {
    std::size_t sent = 0;
    while (sent < kBurst) sent += queue.tx_burst(std::span(packets).subspan(sent));
    std::size_t got = 0;
    while (got < kBurst) got += queue.rx_burst(std::span(packets).subspan(got));
  });
  std::printf("%-22s tx + rx, burst 32: raw %5.1f, Queue %5.1f ns per packet\n", device, with_raw,
              with_queue);
}

struct Percentiles {
  explicit Percentiles(std::vector<std::int64_t>& values) {
    std::sort(values.begin(), values.end());
    p50 = values[values.size() / 2];
    p99 = values[values.size() * 99 / 100];
  }
  std::int64_t p50, p99;
};

bool send_one(NetDevice& queue, PacketPool& pool) {
  Packet packet = pool.allocate();
  packet.put(128);
  return queue.tx_burst(std::span(&packet, 1)) == 1;
}

template <typename Receive>
Percentiles ping_pong(NetDevice& queue, PacketPool& pool, int rounds, Receive receive) {
  TscClock clock;
  std::vector<std::int64_t> times;
  for (int i = 0; i < rounds; ++i) {
    const Instant start = clock.now();
    send_one(queue, pool);
    receive();
    times.push_back((clock.now() - start).to_ns());
  }
  return Percentiles(times);
}

void sleep_for_one(NetDevice& queue, std::array<Packet, 4>& out) {
  for (;;) {
    queue.arm_rx_interrupt();
    if (queue.rx_burst(out) > 0) break;
    pollfd p{.fd = queue.rx_interrupt_fd(), .events = POLLIN, .revents = 0};
    poll(&p, 1, 1000);
    queue.disarm_rx_interrupt();
    if (queue.rx_burst(out) > 0) break;
  }
  out[0].reset();
}

// The other end: dpdk-memif-peer with role=client on the same socket.
void memif_costs(const std::string& device, PacketPool& pool) {
  DriverError error;
  const auto port = Port::open({.name = "bench", .device = device}, pool, error);
  if (!port) return void(std::printf("%s\n", error.message.c_str()));
  NetDevice& queue = port->queue();
  std::array<Packet, 4> out;
  std::fprintf(stderr, "waiting for the peer\n");
  while (!queue.is_link_up()) queue.rx_burst(out);
  const Percentiles spinning = ping_pong(queue, pool, kRounds, [&] {
    while (queue.rx_burst(out) == 0) continue;
    out[0].reset();
  });
  auto** raw = reinterpret_cast<rte_mbuf**>(out.data());
  const Percentiles unwrapped = ping_pong(queue, pool, kRounds, [&] {
    while (rte_eth_rx_burst(0, 0, raw, 4) == 0) continue;
    out[0].reset();
  });
  const Percentiles asleep = ping_pong(queue, pool, 2000, [&] { sleep_for_one(queue, out); });
  std::printf(
      "memif 128 B round trip: Queue p50 %ld p99 %ld, raw receive p50 %ld p99 %ld,"
      " asleep p50 %ld p99 %ld ns\n",
      spinning.p50, spinning.p99, unwrapped.p50, unwrapped.p99, asleep.p50, asleep.p99);
}

long resident_kb() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  long total = 0, resident = 0;
  const bool is_read = file && std::fscanf(file, "%ld %ld", &total, &resident) == 2;
  if (file) std::fclose(file);
  return is_read ? resident * (sysconf(_SC_PAGESIZE) / 1024) : -1;
}

int bench(const char* memif_device) {
  const long before = resident_kb();
  if (DriverError error = start_eal({.use_hugepages = false})) {
    return std::printf("%s\n", error.message.c_str()), 1;
  }
  const long started = resident_kb();
  auto pool = PacketPool::create("bench", 4096, 2048);
  if (!pool.ok()) return 1;
  std::printf("resident: before EAL %ld, with EAL %ld, with 4,096 packets %ld KiB\n", before,
              started, resident_kb());
  if (memif_device) {
    memif_costs(memif_device, *pool);
    return 0;
  }
  pool_costs(*pool);
  burst_costs("net_null0,copy=0", *pool);
  burst_costs("net_ring0", *pool);
  return 0;
}

}  // namespace
}  // namespace pollux

int main(int argc, char** argv) { return pollux::bench(argc > 1 ? argv[1] : nullptr); }
