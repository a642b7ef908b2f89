// neighbours.cc - asking, learning, ageing; what a stranger may change and what not.
#include "stack/link/neighbours.h"

#include <bit>
#include <cstring>

#include "stack/link/ethernet.h"

namespace pollux {
namespace {

constexpr Duration kReachable = Duration::seconds(30);  // RFC 4861 10; half to one and a half of it
constexpr Duration kDelay = Duration::seconds(5);       // waiting for TCP to confirm
constexpr Duration kRetry = Duration::seconds(1);       // RFC 1122 2.3.2.1: at most one a second
constexpr Duration kTouch = Duration::seconds(1);       // how often use moves an entry in the list
constexpr std::uint8_t kRequests = 3;

bool is_host_mac(const MacAddress& mac) { return (mac[0] & 1) == 0 && mac != MacAddress{}; }

bool is_impossible_sender(const IpAddress& sender) {
  return sender.is_loopback() || sender.is_multicast() || sender.is_limited_broadcast();
}

std::size_t slots_for(std::uint32_t entries) {
  return std::bit_ceil(std::size_t{entries} * 2);  // at most half full
}

}  // namespace

Neighbours::Neighbours(const MacAddress& ours, const Limits& limits, Rng& rng, Instant now)
    : ours_(ours),
      limits_(limits),
      rng_(rng),
      own_(ours, rng),
      wheel_(now),
      entries_(limits.entries),
      waiting_(limits.queued_total),
      slots_(slots_for(limits.entries)),
      hash_key_(rng.next() | 1),
      hash_shift_(64u - static_cast<unsigned>(std::countr_zero(slots_for(limits.entries)))),
      requests_(std::size_t{limits.entries} + 16),
      ready_(limits.queued_total),
      failed_(limits.queued_total) {}

Neighbours::~Neighbours() {
  for (const Slot& slot : slots_) {
    if (slot.entry == nullptr) continue;
    while (slot.entry->first != nullptr) take_waiting(*slot.entry);
    entries_.destroy(slot.entry);
  }
}

void Neighbours::add_address(const Prefix& address, Claim claim, Instant now) {
  own_.add(address, claim, now);
  collect_own_messages(now);
}

Neighbours::Resolved Neighbours::resolve(const IpAddress& next_hop, Packet& packet, Instant now) {
  Entry* entry = find(next_hop);
  if (entry != nullptr && entry->state == State::REACHABLE && now < entry->reachable_until) {
    if (now - entry->last_used >= kTouch) touch(*entry, now);
    return {Resolution::known, entry->mac};
  }
  return resolve_slowly(entry, next_hop, packet, now);
}

Neighbours::Resolved Neighbours::resolve_slowly(Entry* entry, const IpAddress& next_hop,
                                                Packet& packet, Instant now) {
  if (entry == nullptr || entry->state == State::FAILED) {
    // Half of the table at most asks, so that a scan cannot push out all that is known.
    if (incomplete_ * 2 >= limits_.entries) return {Resolution::failed, {}};
    if (entry == nullptr) entry = create(next_hop, Usage::ours, now);
    if (entry == nullptr) return {Resolution::failed, {}};
    enter_incomplete(*entry, now);
  }
  if (entry->state == State::INCOMPLETE) return wait_in(*entry, packet);
  touch(*entry, now);
  if (entry->state == State::REACHABLE) enter_stale(*entry);
  if (entry->state == State::STALE) {
    entry->state = State::DELAY;
    wheel_.arm(*entry, now + kDelay);
  }
  return {Resolution::known, entry->mac};
}

// The newest packet is the one that is still wanted: the oldest gives way (RFC 1122 2.3.2.2).
Neighbours::Resolved Neighbours::wait_in(Entry& entry, Packet& packet) {
  if (entry.queued > 0 && entry.queued >= limits_.queued_per_entry) {
    take_waiting(entry);
    ++queue_drops_;
  }
  const std::size_t held = waiting_.used() + ready_.size() + failed_.size();
  if (held >= limits_.queued_total || limits_.queued_per_entry == 0) {
    return {Resolution::failed, {}};
  }
  Waiting* waiting = waiting_.create();
  CHECK(waiting != nullptr);
  waiting->packet = std::move(packet);
  (entry.last != nullptr ? entry.last->next : entry.first) = waiting;
  entry.last = waiting;
  ++entry.queued;
  return {Resolution::queued, {}};
}

Packet Neighbours::take_waiting(Entry& entry) {
  Waiting* waiting = entry.first;
  entry.first = waiting->next;
  if (entry.first == nullptr) entry.last = nullptr;
  --entry.queued;
  Packet packet = std::move(waiting->packet);
  waiting_.destroy(waiting);
  return packet;
}

void Neighbours::give_ready(Entry& entry) {
  while (entry.first != nullptr) CHECK(ready_.push({take_waiting(entry), entry.mac}));
}

void Neighbours::give_failed(Entry& entry) {
  while (entry.first != nullptr) CHECK(failed_.push({take_waiting(entry), entry.address}));
}

// --- states

void Neighbours::enter_incomplete(Entry& entry, Instant now) {
  DCHECK(entry.state == State::FAILED || !entry.lru_hook.is_linked());
  entry.lru_hook.unlink();
  entry.state = State::INCOMPLETE;
  entry.requests = 0;
  ++incomplete_;
  ask(entry, now);
}

void Neighbours::leave_incomplete(Entry& entry) {
  if (entry.state != State::INCOMPLETE) return;
  CHECK(incomplete_ > 0);
  --incomplete_;
  lru_.push_front(entry);
}

void Neighbours::enter_reachable(Entry& entry, Instant now) {
  leave_incomplete(entry);
  entry.state = State::REACHABLE;
  const auto spread = static_cast<std::uint64_t>(kReachable.to_ns());
  entry.reachable_until =
      now + kReachable / 2 + Duration::ns(static_cast<std::int64_t>(rng_.below(spread)));
  entry.disarm();
  give_ready(entry);
}

void Neighbours::enter_stale(Entry& entry) {
  leave_incomplete(entry);
  entry.state = State::STALE;
  entry.disarm();
  give_ready(entry);
}

void Neighbours::enter_probe(Entry& entry, Instant now) {
  entry.state = State::PROBE;
  entry.requests = 0;
  ask(entry, now);
}

// The entry stays to remember when it was asked last; it is the next to be given up.
void Neighbours::enter_failed(Entry& entry) {
  leave_incomplete(entry);
  entry.state = State::FAILED;
  entry.disarm();
  lru_.splice(lru_.end(), lru_, lru_.iterator_to(entry));
  give_failed(entry);
}

void Neighbours::touch(Entry& entry, Instant now) {
  entry.last_used = now;
  lru_.splice(lru_.begin(), lru_, lru_.iterator_to(entry));
}

// --- asking

void Neighbours::ask(Entry& entry, Instant now) {
  const Instant due = entry.last_request + kRetry;
  if (now < due) return wheel_.arm(entry, due);
  request(entry, now);
  wheel_.arm(entry, now + kRetry);
}

void Neighbours::request(Entry& entry, Instant now) {
  ArpMessage message;
  message.sender_mac = ours_;
  message.sender = own_.sender_for(entry.address);
  message.target = entry.address;
  message.frame_destination = entry.state == State::PROBE ? entry.mac : ethernet::kBroadcast;
  ++entry.requests;
  entry.last_request = now;
  requests_.push(std::move(message));  // full: lost like a frame on the wire; asked again in 1 s
}

void Neighbours::timeout(Entry& entry, Instant now) {
  if (entry.state == State::DELAY) return enter_probe(entry, now);
  if (entry.state != State::INCOMPLETE && entry.state != State::PROBE) return;
  if (entry.requests >= kRequests) return enter_failed(entry);
  ask(entry, now);
}

void Neighbours::advance(Instant now) {
  wheel_.advance(now, UINT32_MAX,
                 [this, now](Timer& timer) { timeout(static_cast<Entry&>(timer), now); });
  collect_own_messages(now);
}

void Neighbours::collect_own_messages(Instant now) {
  while (!requests_.full()) {
    std::optional<ArpMessage> message = own_.next_message(now);
    if (!message) return;
    requests_.push(std::move(*message));
  }
}

Instant Neighbours::next_timeout() const {
  return earlier(wheel_.next_deadline(), own_.next_timeout());
}

// --- learning

Accepted<Neighbours::ArpOutcome> Neighbours::input(const ArpMessage& message, Instant now) {
  if (!is_host_mac(message.sender_mac) || message.sender_mac == ours_) return Drop::bad_arp;
  if (is_impossible_sender(message.sender)) return Drop::bad_arp;
  ArpOutcome outcome;
  if (own_.check_conflict(message, now)) {
    outcome.conflict = true;
    collect_own_messages(now);
    return outcome;
  }
  const bool is_to_us = own_.owns(message.target);
  if (own_.is_on_link(message.sender)) learn(message, is_to_us, now);
  if (is_to_us && message.operation == ArpMessage::Operation::request) {
    outcome.reply = ArpMessage{ArpMessage::Operation::reply, ours_,          message.target,
                               message.sender_mac,           message.sender, message.sender_mac};
  }
  return outcome;
}

// RFC 826's merge, but only a request to us makes a new entry: who asks will be answered soon.
void Neighbours::learn(const ArpMessage& message, bool is_to_us, Instant now) {
  if (Entry* known = find(message.sender)) return change(*known, message, is_to_us, now);
  if (!is_to_us || message.operation != ArpMessage::Operation::request) return;
  Entry* entry = create(message.sender, Usage::theirs, now);
  if (entry == nullptr) return;
  entry->mac = message.sender_mac;
}

void Neighbours::change(Entry& entry, const ArpMessage& message, bool is_to_us, Instant now) {
  const bool is_reply = message.operation == ArpMessage::Operation::reply;
  const bool was_asked = entry.state == State::INCOMPLETE || entry.state == State::PROBE;
  if (is_reply && is_to_us && was_asked && entry.requests > 0) {
    entry.mac = message.sender_mac;
    return enter_reachable(entry, now);
  }
  const bool is_same = entry.mac == message.sender_mac;
  if (is_same && entry.state != State::FAILED) return;  // nothing that both ways would prove
  const bool is_sure = entry.state == State::REACHABLE && now < entry.reachable_until;
  if (is_sure && (is_reply || !is_to_us)) {
    ++refused_updates_;
    return;
  }
  entry.mac = message.sender_mac;
  enter_stale(entry);
}

void Neighbours::confirm(const IpAddress& next_hop, Instant now) {
  Entry* entry = find(next_hop);
  if (entry == nullptr) return;
  if (entry->state == State::INCOMPLETE || entry->state == State::FAILED) return;
  const bool is_fresh =
      entry->state == State::REACHABLE && now + kReachable / 4 < entry->reachable_until;
  if (!is_fresh) enter_reachable(*entry, now);
}

void Neighbours::doubt(const IpAddress& next_hop, Instant now) {
  Entry* entry = find(next_hop);
  if (entry == nullptr) return;
  const bool has_mac = entry->state == State::REACHABLE || entry->state == State::STALE ||
                       entry->state == State::DELAY;
  if (has_mac) enter_probe(*entry, now);
}

void Neighbours::flush() {
  for (Entry& entry : lru_) {
    if (entry.state != State::FAILED) enter_stale(entry);
  }
}

// --- what there is to take

bool Neighbours::next_request(ArpMessage& out) {
  if (requests_.empty()) return false;
  out = requests_.pop();
  return true;
}

bool Neighbours::next_ready(Packet& packet, MacAddress& mac) {
  if (ready_.empty()) return false;
  Ready ready = ready_.pop();
  packet = std::move(ready.packet);
  mac = ready.mac;
  return true;
}

bool Neighbours::next_failed(Packet& packet, IpAddress& next_hop) {
  if (failed_.empty()) return false;
  Failed failed = failed_.pop();
  packet = std::move(failed.packet);
  next_hop = failed.next_hop;
  return true;
}

std::optional<Neighbours::State> Neighbours::state_of(const IpAddress& address) const {
  const Entry* entry = find(address);
  if (entry == nullptr) return std::nullopt;
  return entry->state;
}

// --- the table

Neighbours::Key Neighbours::key_of(const IpAddress& address) {
  Key key;
  std::memcpy(&key, address.octets().data(), sizeof key);
  return key;
}

// Multiply and shift with a secret odd factor: universal, and 4 cycles.
std::size_t Neighbours::home_of(const Key& key) const {
  return (key.low ^ std::rotl(key.high, 23)) * hash_key_ >> hash_shift_;
}

Neighbours::Entry* Neighbours::find(const IpAddress& address) const {
  const Key key = key_of(address);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = home_of(key);
  while (slots_[slot].entry != nullptr && slots_[slot].key != key) slot = (slot + 1) & mask;
  return slots_[slot].entry;
}

// A new entry of theirs stands where it is given up first: strangers push out each other.
Neighbours::Entry* Neighbours::create(const IpAddress& address, Usage usage, Instant now) {
  if (entries_.used() == limits_.entries) {
    if (lru_.empty()) return nullptr;
    destroy(lru_.back());
  }
  Entry* entry = entries_.create(address);
  CHECK(entry != nullptr);
  entry->last_used = now;
  const std::size_t mask = slots_.size() - 1;
  const Key key = key_of(address);
  std::size_t slot = home_of(key);
  while (slots_[slot].entry != nullptr) slot = (slot + 1) & mask;
  slots_[slot] = {key, entry};
  if (usage == Usage::theirs) {
    entry->state = State::STALE;
    lru_.push_back(*entry);
  }
  return entry;
}

void Neighbours::destroy(Entry& entry) {
  CHECK(entry.first == nullptr);
  erase_slot(entry);
  entries_.destroy(&entry);
}

// Linear probing without tombstones: what follows moves up if its home allows.
void Neighbours::erase_slot(const Entry& entry) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home_of(key_of(entry.address));
  while (slots_[hole].entry != &entry) hole = (hole + 1) & mask;
  for (std::size_t next = (hole + 1) & mask; slots_[next].entry != nullptr;
       next = (next + 1) & mask) {
    const std::size_t home = home_of(slots_[next].key);
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = Slot();
}

}  // namespace pollux
