// sim_world.h - SimWorld: hosts with real stacks, a link between each two, one clock, one seed.
#pragma once

#include <memory>
#include <vector>

#include "drivers/packet_pool.h"
#include "stack/core/stack.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_link.h"

namespace pollux::sim {

// One machine. Its application is whoever calls its sockets between steps.
class Host {
 public:
  Host(const Config& config, unsigned number, std::uint64_t seed, Clock& clock);
  ~Host();
  Stack& stack() { return *stack_; }
  PacketPool& pool() { return pool_; }
  IpAddress address() const { return address_; }
  MacAddress mac() const { return mac_; }
  void connect_to(NetDevice& device);
  // Gives up the stack; then every packet must be back in the pool.
  void end();

 private:
  IpAddress address_;
  MacAddress mac_;
  Config config_;
  PacketPool& pool_;
  std::unique_ptr<tcp::Ports> ports_;
  std::unique_ptr<Stack> stack_;
};

// The loop: find the earliest of the next arrival and the next deadline of any stack; set the
// clock; poll the stacks; let the applications act; repeat. Idle time costs nothing.
class SimWorld {
 public:
  SimWorld(std::uint64_t seed, const LinkParams& params, const Config& config);
  Host& a() { return a_; }
  Host& b() { return b_; }
  SimLink& link() { return link_; }
  SimClock& clock() { return clock_; }
  Rng& rng() { return rng_; }
  Instant now() { return clock_.now(); }
  // Polls both stacks once at the present time.
  void poll();
  // Moves to the next event at or before `end` and polls. False: there is none; the time is `end`.
  bool step(Instant end);

 private:
  Rng rng_;
  SimClock clock_;
  Host a_;
  Host b_;
  SimLink link_;
};

}  // namespace pollux::sim
