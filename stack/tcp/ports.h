// ports.h - Ports: the process's local TCP ports: who holds which, and which one a connect gets.
// RFC 6056 3.3.4; Linux: inet_csk_get_port(), inet_csk_bind_conflict(), __inet_hash_connect().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/base/rng.h"
#include "stack/base/slab_pool.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/zeroed_array.h"

namespace pollux::tcp {

inline constexpr std::uint16_t kEphemeralFirst = 16384;
inline constexpr std::uint32_t kEphemeralCount = 65536 - kEphemeralFirst;

// Stacks, a bit for each (Stack::index()).
using WorldSet = std::uint64_t;

// What a holder says about sharing; compared when another one wants the port.
struct PortSharing {
  bool reuse_address = false;  // SO_REUSEADDR
  bool reuse_port = false;     // SO_REUSEPORT
  bool v6_only = false;        // of holders of :: only
  friend bool operator==(const PortSharing&, const PortSharing&) = default;
};

// One holder, or several alike (the children of a listener, connections at one automatic port).
// Owned by Ports; freed with its last use.
struct PortUse {
  PortUse* next = nullptr;  // of the same port
  IpAddress address;
  std::uint16_t port = 0;
  PortSharing sharing;
  std::uint32_t listeners = 0;  // several with several queues: the parts of one listening socket
  bool is_automatic = false;    // chosen by connect: may be shared by other connects
  bool is_private = false;      // made by bind: one socket's, not joined by others alike
  std::uint32_t uses = 1;
};

// One per process and protocol, used from every Stack: the one lock in stack/tcp; never held while
// anything outside this class runs. It may be taken inside an entry, and takes none itself.
//
// Any process may bind any port: the privileged ports below 1024 are the kernel's rule for its own
// addresses; whoever may open the device may already send what it likes (deviation from EACCES).
class Ports {
 public:
  // `capacity`: holders at a time. `key` hides the order of ports (RFC 6056 3.3.4).
  Ports(std::uint32_t capacity, const HashKey& key, std::uint64_t seed);

  // `world`: the bit of the Stack that takes the port.
  // bind(2) (MUST-43). Port 0: any free one, at random. EADDRINUSE; ENOMEM.
  Result<PortUse*> bind(const Endpoint& local, const PortSharing& sharing, WorldSet world = 1);
  // listen(2): EADDRINUSE if one that listens already excludes it.
  Result<void> listen(PortUse& use);
  void stop_listening(PortUse& use);                           // once for each listen()
  void set_sharing(PortUse& use, const PortSharing& sharing);  // setsockopt after bind
  // A connect from a socket bound to the wildcard address fixes the address.
  void set_address(PortUse& use, const IpAddress& address);

  // One more use of what `listener` holds, at the address a connection came to. ENOMEM.
  Result<PortUse*> join(const PortUse& listener, const IpAddress& address, WorldSet world = 1);
  void hold(PortUse& use);     // one use more
  void release(PortUse& use);  // one use less

  // The walk through the ephemeral ports that belongs to a connect: start, then try each of
  // kEphemeralCount candidates until one suits, then finish.
  struct Walk {
    std::uint32_t start = 0;  // hash and perturbation, modulo kEphemeralCount
    std::uint32_t slot = 0;   // of the perturbation table
    std::uint16_t candidate(std::uint32_t step) const {
      return static_cast<std::uint16_t>(kEphemeralFirst + (start + step) % kEphemeralCount);
    }
  };
  Walk start_walk(const IpAddress& local, const Endpoint& remote);
  // Null when the port is held by a bind, or by connections of another Stack, who cannot see each
  // other's tuples. Otherwise the caller holds a use of it.
  PortUse* take_automatic(const Endpoint& local, const PortSharing& sharing, WorldSet world = 1);
  void finish_walk(const Walk& walk, std::uint32_t steps);

  std::uint32_t used() const { return uses_.used(); }
  // Who has held the port since it was free the last time: where a segment that came to the wrong
  // queue may belong. Without the lock.
  WorldSet worlds(std::uint16_t port) const {
    return worlds_[port].load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kPerturbations = 1u << 16;

  bool conflicts(const PortUse& wanted) const;
  PortUse* insert(const PortUse& use, WorldSet world);
  PortUse* find_alike(const PortUse& use);
  Result<PortUse*> bind_any(PortUse wanted, WorldSet world);
  PortUse* use_again(PortUse& use, WorldSet world);

  std::mutex mutex_;
  SlabPool<PortUse> uses_;
  ZeroedArray<PortUse*> ports_;                // heads, by port
  ZeroedArray<std::atomic<WorldSet>> worlds_;  // by port
  ZeroedArray<std::uint32_t> perturbations_;   // RFC 6056's table, by hash of the destination
  HashKey key_;
  Rng rng_;
};

}  // namespace pollux::tcp
