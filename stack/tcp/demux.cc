// demux.cc - four-tuple to Connection or TimeWait, local endpoint to Listener.
#include "stack/tcp/demux.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/time_wait.h"

namespace pollux::tcp {

namespace {

// Bits to shift a 32-bit hash down to one of at least `entries` buckets.
std::uint32_t shift_for(std::uint32_t entries) {
  const std::uint32_t buckets = std::bit_ceil(std::clamp(entries, 256u, 1u << 24));
  return 32 - static_cast<std::uint32_t>(std::countr_zero(buckets));
}

// Takes `entry` out of the chain that starts at `head`.
template <typename Head, typename Next>
void unchain(Head& head, const std::remove_pointer_t<Head>& entry, Next next) {
  Head* link = &head;
  while (*link != &entry) {
    CHECK(*link);
    link = next(*link);
  }
  *link = *next(*link);
}

}  // namespace

Demux::Demux(std::uint32_t connections, std::uint32_t time_waits,
             const std::array<std::uint64_t, 11>& key)
    : key_(key),
      connection_shift_(shift_for(connections)),
      time_wait_shift_(shift_for(time_waits)),
      connections_(std::size_t{1} << (32 - connection_shift_)),
      time_waits_(std::size_t{1} << (32 - time_wait_shift_)) {}

// Pairs of 32-bit words: sum of (key + word) * (key + word), upper half.
std::uint32_t Demux::hash(const FourTuple& tuple) const {
  static_assert(sizeof(FourTuple) == 36);
  std::uint32_t word[10] = {};
  std::memcpy(word, &tuple, sizeof tuple);
  std::uint64_t sum = key_[10];
  for (unsigned i = 0; i < 10; i += 2) sum += (key_[i] + word[i]) * (key_[i + 1] + word[i + 1]);
  return static_cast<std::uint32_t>(sum >> 32);
}

Connection* Demux::find(const FourTuple& tuple) const {
  Connection* connection = connections_[hash(tuple) >> connection_shift_];
  while (connection && !(connection->tuple() == tuple)) connection = connection->links.hash_next;
  return connection;
}

TimeWait* Demux::find_time_wait(const FourTuple& tuple) const {
  TimeWait* time_wait = time_waits_[hash(tuple) >> time_wait_shift_];
  while (time_wait && !(time_wait->tuple == tuple)) time_wait = time_wait->hash_next;
  return time_wait;
}

Listener* Demux::find_listener(const FourTuple& tuple) const {
  const std::uint16_t port = tuple.local.port;
  if (!listeners_[port % kListenerBuckets]) return nullptr;
  const std::uint32_t chance = hash(tuple);
  if (Listener* exact = choose(port, tuple.local.address, chance)) return exact;
  if (tuple.local.address.is_v4()) {
    if (Listener* any = choose(port, IpAddress::any_v4(), chance)) return any;
  }
  return choose(port, IpAddress(), chance);
}

Listener* Demux::choose(std::uint16_t port, const IpAddress& address, std::uint32_t chance) const {
  Listener* const head = listeners_[port % kListenerBuckets];
  const Endpoint wanted{.address = address, .port = port};
  std::uint32_t count = 0;
  Listener* found = nullptr;
  for (Listener* l = head; l; l = l->hash_next) {
    if (l->local() != wanted) continue;
    if (count++ == 0) found = l;
  }
  if (count < 2) return found;
  std::uint64_t skip = std::uint64_t{chance} * count >> 32;
  for (found = head; found->local() != wanted || skip-- != 0;) found = found->hash_next;
  return found;
}

Listener* Demux::next_in_bucket(const Listener& listener) { return listener.hash_next; }

Listener* Demux::any_listener() const {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(), [](auto* l) { return l; });
  return found == listeners_.end() ? nullptr : *found;
}

void Demux::insert(Connection& connection) {
  Connection*& head = connections_[hash(connection.tuple()) >> connection_shift_];
  connection.links.hash_next = head;
  head = &connection;
}

void Demux::erase(Connection& connection) {
  unchain(connections_[hash(connection.tuple()) >> connection_shift_], connection,
          [](Connection* c) { return &c->links.hash_next; });
  connection.links.hash_next = nullptr;
}

void Demux::insert(TimeWait& time_wait) {
  TimeWait*& head = time_waits_[hash(time_wait.tuple) >> time_wait_shift_];
  time_wait.hash_next = head;
  head = &time_wait;
}

void Demux::erase(TimeWait& time_wait) {
  unchain(time_waits_[hash(time_wait.tuple) >> time_wait_shift_], time_wait,
          [](TimeWait* t) { return &t->hash_next; });
}

void Demux::insert(Listener& listener) {
  Listener*& head = listeners_[listener.local().port % kListenerBuckets];
  listener.hash_next = head;
  head = &listener;
}

void Demux::erase(Listener& listener) {
  unchain(listeners_[listener.local().port % kListenerBuckets], listener,
          [](Listener* l) { return &l->hash_next; });
}

}  // namespace pollux::tcp
