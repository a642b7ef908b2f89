// reassembly.cc - what is kept, what is refused, and when it is given up.
#include "stack/ip/reassembly.h"

#include "stack/base/check.h"
#include "stack/ip/address_hash.h"
#include "stack/wire/headers.h"

namespace pollux {
namespace {

constexpr std::size_t kSourceCounters = 1024;
constexpr std::size_t kExpiredKept = 64;
constexpr std::uint32_t kMaxPayload = wire::kIpv4MaxLength - sizeof(wire::Ipv4Header);
constexpr std::uint8_t kEcnMask = 3, kNotEct = 0, kCe = 3;
constexpr std::uint32_t kBookkeeping = 256;  // octets beside an mbuf's buffer: its own struct, ours

// What the packet really occupies.
std::uint32_t cost_of(const Packet& packet) {
  std::uint32_t cost = 0;
  for (auto* segment = packet.mbuf(); segment != nullptr; segment = segment->next) {
    cost += segment->buf_len + kBookkeeping;
  }
  return cost;
}

// RFC 791 3.2; the ping of death; RFC 1858 3.2 and RFC 3128: no TCP header is cut in two.
bool is_sound(const ipv4::Arrived& fragment) {
  const std::uint32_t size = fragment.packet.size(), offset = fragment.fragment_offset;
  if (size == 0 || offset + size > kMaxPayload) return false;
  if (fragment.more_fragments && size % 8 != 0) return false;
  if (fragment.info.protocol != wire::kProtocolTcp) return true;
  if (offset != 0) return offset >= sizeof(wire::TcpHeader);
  return size >= sizeof(wire::TcpHeader);
}

// RFC 3168 5.3: a congested router marks, it does not mark what it may not.
bool is_ecn_sound(std::uint8_t seen) {
  return (seen & 1 << kCe) == 0 || (seen & 1 << kNotEct) == 0;
}

}  // namespace

Reassembly::Reassembly(const Limits& limits, Rng& rng)
    : limits_(limits),
      datagrams_(limits.datagrams),
      fragments_(limits.fragments),
      per_source_(kSourceCounters),
      hash_key_(rng.next()),
      expired_(kExpiredKept) {}

Reassembly::~Reassembly() {
  while (!by_age_.empty()) destroy(by_age_.front());
}

Accepted<ipv4::Arrived> Reassembly::add(ipv4::Arrived fragment, Instant now) {
  advance(now);
  if (!is_sound(fragment)) return Drop::bad_length;
  const Key key{fragment.info.source, fragment.info.destination, fragment.id,
                fragment.info.protocol, fragment.info.interface};
  Datagram* datagram = find_or_create(key, now);
  if (datagram == nullptr) return Drop::fragment_limit;
  if (datagram->poisoned) return Drop::fragment_overlap;
  const std::optional<Drop> refused = insert(*datagram, std::move(fragment));
  if (refused) return *refused;
  if (datagram->total == 0 || datagram->received != datagram->total) return Drop::fragment_held;
  if (!is_ecn_sound(datagram->ecn)) {
    destroy(*datagram);
    return Drop::fragment_ecn;
  }
  return assemble(*datagram);
}

Reassembly::Datagram* Reassembly::find_or_create(const Key& key, Instant now) {
  const auto found = by_key_.find(key, KeyLess());
  if (found != by_key_.end()) return &*found;
  std::uint16_t& count = source_count(key.source);
  if (count >= limits_.datagrams_per_source) return nullptr;
  if (datagrams_.used() == limits_.datagrams) evict(by_age_.front());
  Datagram* datagram = datagrams_.create(key, now + limits_.timeout);
  CHECK(datagram != nullptr);
  ++count;
  by_key_.insert(*datagram);
  by_age_.push_back(*datagram);
  return datagram;
}

// A copy of a fragment that is here already is dropped; any other overlap spoils the datagram.
std::optional<Drop> Reassembly::insert(Datagram& datagram, ipv4::Arrived fragment) {
  const std::uint32_t begin = fragment.fragment_offset, size = fragment.packet.size();
  const auto same = datagram.parts.find(begin, BeginLess());
  if (same != datagram.parts.end() && same->end == begin + size) return Drop::fragment_held;
  if (overlaps(datagram, begin, begin + size) || contradicts(datagram, fragment)) {
    poison(datagram);
    return Drop::fragment_overlap;
  }
  const std::uint32_t cost = cost_of(fragment.packet);
  if (datagram.count == limits_.fragments_per_datagram || !make_room(datagram, cost)) {
    poison(datagram);
    return Drop::fragment_limit;
  }
  if (!fragment.more_fragments) datagram.total = begin + size;
  datagram.ecn |= static_cast<std::uint8_t>(1 << (fragment.info.tos & kEcnMask));
  Fragment* part = fragments_.create(std::move(fragment), size, cost);
  CHECK(part != nullptr);
  datagram.parts.insert(*part);
  ++datagram.count;
  datagram.received += size;
  memory_ += cost;
  return std::nullopt;
}

bool Reassembly::overlaps(const Datagram& datagram, std::uint32_t begin, std::uint32_t end) {
  const auto next = datagram.parts.lower_bound(begin, BeginLess());
  if (next != datagram.parts.end() && next->begin < end) return true;
  return next != datagram.parts.begin() && std::prev(next)->end > begin;
}

// Two ends, or octets behind the end.
bool Reassembly::contradicts(const Datagram& datagram, const ipv4::Arrived& fragment) {
  const std::uint32_t end = fragment.fragment_offset + fragment.packet.size();
  if (fragment.more_fragments) return datagram.total != 0 && end >= datagram.total;
  if (datagram.total != 0) return true;
  return !datagram.parts.empty() && datagram.parts.rbegin()->end > end;
}

void Reassembly::poison(Datagram& datagram) {
  release_parts(datagram);
  datagram.poisoned = true;
}

// Gives up the oldest others until one more fragment of `octets` fits.
bool Reassembly::make_room(Datagram& wanting, std::uint32_t octets) {
  const auto fits = [&] {
    return memory_ + octets <= limits_.memory && fragments_.used() < limits_.fragments;
  };
  while (!fits()) {
    auto oldest = by_age_.begin();
    while (oldest != by_age_.end() && (&*oldest == &wanting || oldest->count == 0)) ++oldest;
    if (oldest == by_age_.end()) return false;
    evict(*oldest);
  }
  return true;
}

// Chained from the back, so that no chain is walked to its end.
ipv4::Arrived Reassembly::assemble(Datagram& datagram) {
  Packet whole;
  ipv4::Arrived first;
  while (!datagram.parts.empty()) {
    Fragment& part = *datagram.parts.rbegin();
    if (part.begin == 0) first = {part.arrived.info, Packet()};
    Packet packet = std::move(part.arrived.packet);
    if (whole) PacketPool::chain(packet, std::move(whole));
    whole = std::move(packet);
    remove(datagram, part);
  }
  CHECK(whole && whole.size() == datagram.total);
  // No device saw the whole; only what never left this host needs no look at its checksum.
  if (whole.meta().l4_checksum != Checksum::valid) whole.meta().l4_checksum = Checksum::unknown;
  if ((datagram.ecn & 1 << kCe) != 0) first.info.tos |= kCe;
  first.id = datagram.key.id;
  first.packet = std::move(whole);
  destroy(datagram);
  return first;
}

void Reassembly::remove(Datagram& datagram, Fragment& part) {
  datagram.parts.erase(datagram.parts.iterator_to(part));
  --datagram.count;
  memory_ -= part.cost;
  fragments_.destroy(&part);
}

void Reassembly::release_parts(Datagram& datagram) {
  while (!datagram.parts.empty()) remove(datagram, *datagram.parts.begin());
}

void Reassembly::destroy(Datagram& datagram) {
  release_parts(datagram);
  --source_count(datagram.key.source);
  by_key_.erase(by_key_.iterator_to(datagram));
  by_age_.erase(by_age_.iterator_to(datagram));
  datagrams_.destroy(&datagram);
}

void Reassembly::evict(Datagram& datagram) {
  ++evictions_;
  destroy(datagram);
}

void Reassembly::advance(Instant now) {
  while (!by_age_.empty() && by_age_.front().deadline <= now) {
    Datagram& datagram = by_age_.front();
    ++timeouts_;
    // RFC 1122 3.3.2: an ICMP time exceeded only if the first fragment is here.
    if (!datagram.parts.empty() && datagram.parts.begin()->begin == 0) {
      expired_.push(std::move(datagram.parts.begin()->arrived));
    }
    destroy(datagram);
  }
}

Instant Reassembly::next_timeout() const {
  return by_age_.empty() ? Instant::never() : by_age_.front().deadline;
}

bool Reassembly::next_expired(ipv4::Arrived& first) {
  if (expired_.empty()) return false;
  first = expired_.pop();
  return true;
}

std::uint16_t& Reassembly::source_count(const IpAddress& source) {
  return per_source_[hash_address(source, hash_key_) & (kSourceCounters - 1)];
}

}  // namespace pollux
