// fuzz_world.h - one Stack on a wire whose other end an input plays, kept from input to input.
#pragma once

#include <array>

#include "drivers/loopback.h"
#include "stack/core/inside.h"
#include "stack/core/stack.h"
#include "stack/socket/socket.h"
#include "tests/fuzz/fuzz_packets.h"
#include "tests/sim/sim_clock.h"

namespace pollux::fuzz {

inline const IpAddress kUs = IpAddress::v4(198, 18, 0, 1), kPeer = IpAddress::v4(198, 18, 0, 2);
inline constexpr std::uint16_t kServerPort = 80, kUdpPort = 53, kClientPeerPort = 8080;
inline constexpr std::size_t kSockets = 8;  // 0 listens, 1 has datagrams

// What our stack said last to a port of the peer: where its next segments fit.
struct Flow {
  std::uint16_t our_port = 0;
  std::uint32_t next = 1'000'000;  // of the peer: what we acknowledged
  std::uint32_t theirs = 0;        // of us: behind the last octet we sent
};

// A Stack costs 400 us to make, as much as many inputs; so it stays, and begin() brings it back:
// sockets closed, connections reset, timers run out, and two sockets made. What carries over is
// what the stack learns of neighbours and paths, its limits of rates and its random numbers; after
// kInputs a new one is made (world()). A finding that does not repeat alone repeats with the inputs
// before it: the driver's seed.
class World {
 public:
  static constexpr unsigned kInputs = 20'000;

  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void begin();  // and checks that every packet has come back
  // Nothing of the last input is left: begin(), 50 us, can be spared.
  bool is_untouched() const;
  void poll();
  void advance(Duration by) { clock_.advance_to(clock_.now() + by); }
  void transmit(Packet packet);  // to our device, as it is
  void frame(const Octets& payload, std::uint16_t type);
  void ip_packet(std::uint8_t protocol, const Octets& payload);

  Socket* open(int type);
  Socket*& socket(std::size_t number) { return sockets_[number % kSockets]; }
  Socket** empty_slot();
  Flow& flow(std::size_t number) { return flows_[number % flows_.size()]; }
  Stack& stack() { return stack_; }
  // A packet of ours to the peer, for an ICMP error to quote; empty: none yet.
  const Octets& last_packet() const { return last_packet_; }

 private:
  Socket* fresh(int type, std::uint16_t port);
  void look(Packet packet);
  void note(ConstBytes segment);

  sim::SimClock clock_;
  const Config config_;
  tcp::Ports ports_{128, {}, 1};
  LoopbackPair wire_{256, 1500};
  Stack stack_;
  std::array<Socket*, kSockets> sockets_{};
  std::array<Flow, 4> flows_{};
  Octets last_packet_;
  std::uint32_t packets_ = 0;  // of the pool, with nothing under way
};

// The world of this input, as the last one left it.
World& world();

}  // namespace pollux::fuzz
