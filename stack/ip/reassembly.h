// reassembly.h - IPv4 fragments become datagrams again. RFC 791 3.2, RFC 815, RFC 1122 3.3.2.
// Not rte_ip_frag: it takes 8 fragments at most, trusts that they do not overlap, and counts no
// memory.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "drivers/packet.h"
#include "drivers/packet_pool.h"
#include "stack/base/instant.h"
#include "stack/base/ring.h"
#include "stack/base/rng.h"
#include "stack/base/slab_pool.h"
#include "stack/ip/ipv4.h"
#include "stack/wire/drop.h"

namespace pollux {

// Bounded in datagrams, fragments, memory and per source; the oldest datagram gives way, except to
// a source that has more than its share. Insertion is O(log n). Owned by the Stack. Invariant:
// fragments of one datagram never overlap; one that did is `poisoned`: it holds nothing and
// swallows the rest of the datagram until its time is up (as RFC 5722 4 for IPv6).
class Reassembly {
 public:
  struct Limits {
    std::uint32_t datagrams = 256;
    std::uint32_t fragments = 4096;
    std::uint32_t fragments_per_datagram = 128;
    std::uint32_t datagrams_per_source =
        64;                           // a source shares its count with others, by a keyed hash
    std::uint32_t memory = 4u << 20;  // octets of buffers, whole mbufs counted
    Duration timeout =
        Duration::seconds(30);  // Deviation: RFC 1122 3.3.2 says 60 to 120 s; as Linux
  };
  Reassembly(const Limits& limits, Rng& rng);
  ~Reassembly();
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;

  // The whole datagram, with the first fragment's info, and CE if any fragment had it (RFC 3168
  // 5.3); fragment_held if it is not whole yet.
  Accepted<ipv4::Arrived> add(ipv4::Arrived fragment, Instant now);
  void advance(Instant now);
  Instant next_timeout() const;
  // A first fragment whose datagram never became whole: ICMP time exceeded (type 11, code 1).
  bool next_expired(ipv4::Arrived& first);

  std::uint32_t datagrams() const { return datagrams_.used(); }
  std::uint32_t fragments() const { return fragments_.used(); }
  std::uint32_t memory() const { return memory_; }
  std::uint64_t timeouts() const { return timeouts_; }  // datagrams that never became whole
  std::uint64_t evictions() const { return evictions_; }

 private:
  using SetHook = boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>>;
  struct Fragment : SetHook {
    Fragment(ipv4::Arrived a, std::uint32_t s, std::uint32_t c)
        : arrived(std::move(a)), begin(arrived.fragment_offset), end(begin + s), cost(c) {}
    ipv4::Arrived arrived;
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t cost;  // octets of buffers
    friend bool operator<(const Fragment& a, const Fragment& b) { return a.begin < b.begin; }
  };
  // RFC 791 3.2: what fragments of one datagram have in common; also where they came in.
  struct Key {
    IpAddress source;
    IpAddress destination;
    std::uint16_t id;
    std::uint8_t protocol;
    InterfaceId interface;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using AgeHook = boost::intrusive::list_base_hook<>;
  using FragmentSet = boost::intrusive::set<Fragment, boost::intrusive::constant_time_size<false>>;
  struct Datagram : SetHook, AgeHook {
    Datagram(const Key& k, Instant d) : key(k), deadline(d) {}
    Key key;
    Instant deadline;
    FragmentSet parts;
    std::uint32_t count = 0;
    std::uint32_t received = 0;  // octets
    std::uint32_t total = 0;     // of the payload; 0: the last fragment has not come
    std::uint8_t ecn = 0;        // a bit, 1 << codepoint, for each that a fragment had
    bool poisoned = false;
    friend bool operator<(const Datagram& a, const Datagram& b) { return a.key < b.key; }
  };
  struct BeginLess {
    bool operator()(std::uint32_t a, const Fragment& b) const { return a < b.begin; }
    bool operator()(const Fragment& a, std::uint32_t b) const { return a.begin < b; }
  };
  struct KeyLess {
    bool operator()(const Key& a, const Datagram& b) const { return a < b.key; }
    bool operator()(const Datagram& a, const Key& b) const { return a.key < b; }
  };

  Datagram* find_or_create(const Key& key, Instant now);
  std::optional<Drop> insert(Datagram& datagram, ipv4::Arrived fragment);
  static bool overlaps(const Datagram& datagram, std::uint32_t begin, std::uint32_t end);
  static bool contradicts(const Datagram& datagram, const ipv4::Arrived& fragment);
  void poison(Datagram& datagram);
  bool make_room(Datagram& wanting, std::uint32_t octets);
  ipv4::Arrived assemble(Datagram& datagram);
  void remove(Datagram& datagram, Fragment& part);
  void release_parts(Datagram& datagram);
  void destroy(Datagram& datagram);
  void evict(Datagram& datagram);
  std::uint16_t& source_count(const IpAddress& source);

  Limits limits_;
  SlabPool<Datagram> datagrams_;
  SlabPool<Fragment> fragments_;
  boost::intrusive::set<Datagram, boost::intrusive::constant_time_size<false>> by_key_;
  boost::intrusive::list<Datagram, boost::intrusive::constant_time_size<false>> by_age_;
  std::vector<std::uint16_t> per_source_;
  std::uint64_t hash_key_;
  std::uint32_t memory_ = 0;
  Ring<ipv4::Arrived> expired_;
  std::uint64_t timeouts_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace pollux
