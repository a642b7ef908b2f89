// sim_world.cc - building two hosts and turning time.
#include "tests/sim/sim_world.h"

#include <array>
#include <string>

#include "stack/core/inside.h"

namespace pollux::sim {
namespace {

constexpr unsigned kBurst = 64;
constexpr std::uint16_t kDataRoom = 2048;

// Made once per process and host number: each run leaves them full, and a thousand seeds need no
// thousand pools.
PacketPool& pool_of(unsigned number, std::uint32_t packets) {
  static std::array<std::unique_ptr<PacketPool>, 3> pools;
  if (!pools[number]) {
    auto pool = PacketPool::create("sim" + std::to_string(number), packets, kDataRoom);
    CHECK(pool.ok());
    pools[number] = std::make_unique<PacketPool>(std::move(*pool));
  }
  CHECK(pools[number]->is_full());
  return *pools[number];
}

template <typename T>
T drawn(Rng& rng) {
  T value;
  auto* octets = reinterpret_cast<unsigned char*>(&value);
  for (std::size_t i = 0; i < sizeof(T); ++i)
    octets[i] = static_cast<unsigned char>(rng.below(256));
  return value;
}

}  // namespace

Host::Host(const Config& config, unsigned number, std::uint64_t seed, Clock& clock)
    : address_(IpAddress::v4(198, 18, 0, number)),
      mac_{2, 0, 0, 0, 0, static_cast<std::uint8_t>(number)},
      config_(config),
      pool_(pool_of(number, config.packets)) {
  Rng rng(seed);
  ports_ = std::make_unique<tcp::Ports>(config.connections + config.listeners,
                                        drawn<tcp::HashKey>(rng), rng.next());
  stack_ = std::make_unique<Stack>(config_, Stack::Parts{pool_, *ports_, clock, number - 1},
                                   rng.next(), drawn<tcp::Secret>(rng));
}

Host::~Host() { end(); }

void Host::connect_to(NetDevice& device) {
  PortConfig port;
  port.name = "sim";
  port.addresses = {{address_, 24}};
  stack_->add_interface(device, port);
}

void Host::end() { stack_.reset(); }

SimWorld::SimWorld(std::uint64_t seed, const LinkParams& params, const Config& config)
    : rng_(seed),
      a_(config, 1, rng_.next(), clock_),
      b_(config, 2, rng_.next(), clock_),
      link_(params, {a_.mac(), a_.pool()}, {b_.mac(), b_.pool()}, rng_, clock_) {
  a_.connect_to(link_.a());
  b_.connect_to(link_.b());
}

void SimWorld::poll() {
  for (Host* host : {&a_, &b_}) {
    Inside inside(host->stack());
    host->stack().poll(kBurst, inside.now());
  }
}

bool SimWorld::step(Instant end) {
  const Instant timers = earlier(a_.stack().next_timeout(), b_.stack().next_timeout());
  const Instant arrivals = earlier(link_.a().next_event(), link_.b().next_event());
  const Instant next = earlier(timers, arrivals);
  if (next > end) {
    if (end > clock_.now()) clock_.advance_to(end);
    return false;
  }
  if (next > clock_.now()) clock_.advance_to(next);
  poll();
  return true;
}

}  // namespace pollux::sim
