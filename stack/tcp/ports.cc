// ports.cc - the process's local TCP ports: conflicts, sharing, and the walk of RFC 6056.
#include "stack/tcp/ports.h"

#include "stack/base/check.h"

namespace pollux::tcp {

namespace {

// Linux: inet_rcv_saddr_equal() with wildcards matching.
bool do_addresses_overlap(const PortUse& a, const PortUse& b) {
  const bool a_is_any = a.address == IpAddress(), b_is_any = b.address == IpAddress();
  if (a_is_any) return b_is_any || !b.address.is_v4() || !a.sharing.v6_only;
  if (b_is_any) return !a.address.is_v4() || !b.sharing.v6_only;
  if (a.address.is_v4() != b.address.is_v4()) return false;
  return a.address == b.address || a.address.is_unspecified() || b.address.is_unspecified();
}

}  // namespace

Ports::Ports(std::uint32_t capacity, const HashKey& key, std::uint64_t seed)
    : uses_(capacity),
      ports_(65536),
      worlds_(65536),
      perturbations_(kPerturbations),
      key_(key),
      rng_(seed) {}

// Linux: inet_csk_bind_conflict(). All of one process have the same user.
bool Ports::conflicts(const PortUse& wanted) const {
  for (const PortUse* other = ports_[wanted.port]; other; other = other->next) {
    if (other == &wanted || !do_addresses_overlap(wanted, *other)) continue;
    const bool both_reuse = wanted.sharing.reuse_address && other->sharing.reuse_address;
    if (both_reuse && other->listeners == 0) continue;
    if (wanted.sharing.reuse_port && other->sharing.reuse_port) continue;
    return true;
  }
  return false;
}

PortUse* Ports::insert(const PortUse& use, WorldSet world) {
  PortUse* created = uses_.create(use);
  if (!created) return nullptr;
  created->uses = 1;
  created->next = ports_[use.port];
  ports_[use.port] = created;
  worlds_[use.port].fetch_or(world, std::memory_order_relaxed);
  return created;
}

PortUse* Ports::use_again(PortUse& use, WorldSet world) {
  ++use.uses;
  worlds_[use.port].fetch_or(world, std::memory_order_relaxed);
  return &use;
}

PortUse* Ports::find_alike(const PortUse& use) {
  for (PortUse* other = ports_[use.port]; other; other = other->next) {
    if (!other->is_private && other->is_automatic == use.is_automatic &&
        other->address == use.address && other->sharing == use.sharing) {
      return other;
    }
  }
  return nullptr;
}

Result<PortUse*> Ports::bind(const Endpoint& local, const PortSharing& sharing, WorldSet world) {
  const std::lock_guard lock(mutex_);
  const PortUse wanted{
      .address = local.address, .port = local.port, .sharing = sharing, .is_private = true};
  if (local.port == 0) return bind_any(wanted, world);
  if (conflicts(wanted)) return Errno::address_in_use;
  PortUse* use = insert(wanted, world);
  if (!use) return Errno::no_memory;
  return use;
}

// First a port that nobody holds, then one whose holders share it.
Result<PortUse*> Ports::bind_any(PortUse wanted, WorldSet world) {
  const auto start = static_cast<std::uint32_t>(rng_.below(kEphemeralCount));
  for (const bool may_share : {false, true}) {
    for (std::uint32_t step = 0; step < kEphemeralCount; ++step) {
      wanted.port = static_cast<std::uint16_t>(kEphemeralFirst + (start + step) % kEphemeralCount);
      if (may_share ? conflicts(wanted) : ports_[wanted.port] != nullptr) continue;
      PortUse* use = insert(wanted, world);
      if (!use) return Errno::no_memory;
      return use;
    }
  }
  return Errno::address_in_use;
}

// MUST-42: only those that listen are in the way. Linux: inet_csk_listen_start() asks for the port
// again.
Result<void> Ports::listen(PortUse& use) {
  const std::lock_guard lock(mutex_);
  if (conflicts(use)) return Errno::address_in_use;
  ++use.listeners;
  return {};
}

void Ports::stop_listening(PortUse& use) {
  const std::lock_guard lock(mutex_);
  CHECK(use.listeners > 0);
  --use.listeners;
}

void Ports::set_sharing(PortUse& use, const PortSharing& sharing) {
  const std::lock_guard lock(mutex_);
  use.sharing = sharing;
}

void Ports::set_address(PortUse& use, const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  use.address = address;
}

Result<PortUse*> Ports::join(const PortUse& listener, const IpAddress& address, WorldSet world) {
  const std::lock_guard lock(mutex_);
  const PortUse wanted{.address = address, .port = listener.port, .sharing = listener.sharing};
  if (PortUse* alike = find_alike(wanted)) return use_again(*alike, world);
  PortUse* use = insert(wanted, world);
  if (!use) return Errno::no_memory;
  return use;
}

void Ports::hold(PortUse& use) {
  const std::lock_guard lock(mutex_);
  ++use.uses;
}

void Ports::release(PortUse& use) {
  const std::lock_guard lock(mutex_);
  CHECK(use.uses > 0);
  if (--use.uses != 0) return;
  PortUse** link = &ports_[use.port];
  while (*link != &use) link = &(*link)->next;
  *link = use.next;
  if (!ports_[use.port]) worlds_[use.port].store(0, std::memory_order_relaxed);
  uses_.destroy(&use);
}

// RFC 6056 3.3.4 (double hash); the increments are random as in 3.3.5, so that one who sees some
// ports of a destination cannot count the connections between them.
Ports::Walk Ports::start_walk(const IpAddress& local, const Endpoint& remote) {
  const std::uint64_t hash = keyed_hash({.local = {.address = local}, .remote = remote}, key_);
  const std::lock_guard lock(mutex_);
  Walk walk;
  walk.slot = static_cast<std::uint32_t>(hash >> 48) % kPerturbations;
  walk.start = static_cast<std::uint32_t>(((hash & 0xffffffff) + perturbations_[walk.slot]) %
                                          kEphemeralCount);
  return walk;
}

// Linux: __inet_hash_connect() passes over ports that a bind holds.
PortUse* Ports::take_automatic(const Endpoint& local, const PortSharing& sharing, WorldSet world) {
  const std::lock_guard lock(mutex_);
  if ((worlds(local.port) & ~world) != 0) return nullptr;
  for (const PortUse* other = ports_[local.port]; other; other = other->next) {
    if (!other->is_automatic) return nullptr;
  }
  const PortUse wanted{
      .address = local.address, .port = local.port, .sharing = sharing, .is_automatic = true};
  if (PortUse* alike = find_alike(wanted)) return use_again(*alike, world);
  return insert(wanted, world);
}

void Ports::finish_walk(const Walk& walk, std::uint32_t steps) {
  const std::lock_guard lock(mutex_);
  perturbations_[walk.slot] += steps + 1 + static_cast<std::uint32_t>(rng_.below(8));
}

}  // namespace pollux::tcp
