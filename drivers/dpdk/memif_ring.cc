// memif_ring.cc - from the driver's private queue and the process's mappings to flag and eventfd.
#define ALLOW_EXPERIMENTAL_API  // rte_intr_fd_get
#include "drivers/dpdk/memif_ring.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_version.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <vector>

namespace pollux {
namespace {

constexpr std::uint32_t kCookie = 0x3E31F20;
constexpr std::uint16_t kMaskInterrupts = 1;

// The front of net_memif's queue in DPDK 22.11.
struct DriverQueue {
  void* mempool;
  void* device;
  int direction;
  std::uint16_t region;
  std::uint16_t port;
  std::uint32_t ring_offset;
  std::uint16_t last_head;
  std::uint16_t last_tail;
  void* buffers;
  std::uint64_t packets;
  std::uint64_t octets;
  rte_intr_handle* interrupt;
};
static_assert(offsetof(DriverQueue, interrupt) == 56);

// The front of a ring, part of memif's protocol.
struct RingHead {
  std::uint32_t cookie;
  std::uint16_t flags;
  std::uint16_t head;
};

struct Mapping {
  char* start;
  char* end;
};

// Regions that some port of this process has found to be its own.
std::mutex claimed_mutex;
std::vector<char*> claimed;

std::vector<Mapping> unclaimed_regions() {
  std::vector<Mapping> found;
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (!maps) return found;
  char line[512];
  while (std::fgets(line, sizeof line, maps)) {
    void* start = nullptr;
    void* end = nullptr;
    if (!std::strstr(line, "memif_region_0")) continue;
    if (std::sscanf(line, "%p-%p", &start, &end) != 2) continue;
    auto* region = static_cast<char*>(start);
    if (std::find(claimed.begin(), claimed.end(), region) != claimed.end()) continue;
    found.push_back({region, static_cast<char*>(end)});
  }
  std::fclose(maps);
  return found;
}

RingHead* ring_at(const Mapping& region, std::uint32_t offset) {
  const auto size = static_cast<std::size_t>(region.end - region.start);
  if (offset % 64 != 0 || offset > size || sizeof(RingHead) > size - offset) return nullptr;
  auto* ring = reinterpret_cast<RingHead*>(region.start + offset);
  return ring->cookie == kCookie ? ring : nullptr;
}

const DriverQueue* driver_queue(std::uint16_t port) {
  if (std::strncmp(rte_version(), "DPDK 22.11", 10) != 0) return nullptr;
  const auto* queue = static_cast<const DriverQueue*>(rte_eth_fp_ops[port].rxq.data[0]);
  return queue && queue->port == port && queue->region == 0 ? queue : nullptr;
}

}  // namespace

void MemifRing::attach(std::uint16_t port) {
  forget();
  const DriverQueue* queue = driver_queue(port);
  if (!queue || !queue->interrupt) return;
  const std::lock_guard lock(claimed_mutex);
  const std::vector<Mapping> regions = unclaimed_regions();
  if (regions.size() != 1) return;  // two ports connecting at one moment: not knowable whose
  RingHead* ring = ring_at(regions.front(), queue->ring_offset);
  if (!ring) return;
  event_fd_ = rte_intr_fd_get(queue->interrupt);
  if (event_fd_ < 0) return;
  flags_ = &ring->flags;
  region_ = regions.front().start;
  claimed.push_back(region_);
}

void MemifRing::forget() {
  if (region_) {
    const std::lock_guard lock(claimed_mutex);
    std::erase(claimed, region_);
  }
  flags_ = nullptr;
  region_ = nullptr;
  event_fd_ = -1;
}

void MemifRing::allow_interrupts() {
  __atomic_fetch_and(flags_, static_cast<std::uint16_t>(~kMaskInterrupts), __ATOMIC_SEQ_CST);
}

void MemifRing::mask_interrupts() { __atomic_fetch_or(flags_, kMaskInterrupts, __ATOMIC_RELAXED); }

}  // namespace pollux
