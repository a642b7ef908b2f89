// neighbours.h - who has which link address: the cache, with packets waiting for an answer.
// RFC 826, RFC 1122 2.3.2, RFC 5227; the states are RFC 4861 7.3.2's.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet.h"
#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/ring.h"
#include "stack/base/rng.h"
#include "stack/base/slab_pool.h"
#include "stack/base/timer_wheel.h"
#include "stack/link/arp.h"
#include "stack/link/own_addresses.h"
#include "stack/wire/drop.h"

namespace pollux {

// One interface's table; bounded. Owned by the Stack's interface. It sends nothing: the caller
// takes next_request(), next_ready() and next_failed() until each is empty, after every call that
// says so.
//
//   (none) -resolve-> INCOMPLETE -answer-> REACHABLE -30 s-> STALE -used-> DELAY -5 s-> PROBE
//                        | 3 requests         ^  confirm()                |             | 3
//                        requests v                    '---------------------------'--answer-----+
//                      FAILED <---------------------------------------------------------'
//
// Invariant: INCOMPLETE entries stand in no LRU list, all others do; packets wait only in
// INCOMPLETE entries.
class Neighbours {
 public:
  struct Limits {
    std::uint32_t entries = 1024;
    std::uint32_t queued_per_entry = 8;  // packets waiting for an answer; the oldest gives way
    std::uint32_t queued_total = 256;
  };
  enum class State : std::uint8_t { INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED };
  enum class Resolution : std::uint8_t { known, queued, failed };
  // known: `mac` is filled, the packet is still the caller's. queued: kept until the answer; a
  // request may be due (next_request). failed: too many packets or neighbours wait; still the
  // caller's.
  struct Resolved {
    Resolution resolution;
    MacAddress mac;
  };
  struct ArpOutcome {
    std::optional<ArpMessage> reply;  // to send
    bool conflict = false;            // another host claims one of our addresses
  };

  Neighbours(const MacAddress& ours, const Limits& limits, Rng& rng, Instant now);
  ~Neighbours();
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;

  // An address to answer for and to ask from. announce, probe: see own_addresses.h.
  void add_address(const Prefix& address, Claim claim, Instant now);
  // False while it is probed and after another host was found to have it.
  bool owns(const IpAddress& address) const { return own_.owns(address); }
  std::optional<IpAddress> first_not_owned() const { return own_.first_not_owned(); }

  Resolved resolve(const IpAddress& next_hop, Packet& packet, Instant now);
  // An ARP message arrived: learn, answer, notice conflicts. May make requests, packets ready.
  Accepted<ArpOutcome> input(const ArpMessage& message, Instant now);

  // Whether one of the following three has something.
  bool has_output() const { return !requests_.empty() || !ready_.empty() || !failed_.empty(); }
  // What there is to send: requests, probes, announcements.
  bool next_request(ArpMessage& out);
  // Packets whose neighbour answered.
  bool next_ready(Packet& packet, MacAddress& mac);
  // Packets given up: EHOSTUNREACH to their owners (RFC 1122 2.3.2.2).
  bool next_failed(Packet& packet, IpAddress& next_hop);

  // Some neighbour is asked, or is about to be.
  bool has_doubts() const { return !wheel_.next_deadline().is_never(); }
  // Forward progress of TCP keeps an entry fresh.
  void confirm(const IpAddress& next_hop, Instant now);
  // Retransmissions reached R1: ask again, unicast first (MUST-20; RFC 1122 2.3.2.1).
  void doubt(const IpAddress& next_hop, Instant now);
  // The link was down: every answer is in doubt.
  void flush();

  void advance(Instant now);
  Instant next_timeout() const;

  std::optional<State> state_of(const IpAddress& address) const;  // for tools and tests
  std::uint32_t size() const { return entries_.used(); }
  std::uint32_t queued() const { return waiting_.used(); }
  std::uint64_t queue_drops() const { return queue_drops_; }  // oldest packets that gave way
  std::uint64_t refused_updates() const { return refused_updates_; }  // unsolicited claims ignored

 private:
  struct Waiting {
    Packet packet;
    Waiting* next = nullptr;
  };
  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  struct Entry : Timer {
    explicit Entry(const IpAddress& a) : address(a) {}
    IpAddress address;
    MacAddress mac{};
    State state = State::INCOMPLETE;
    std::uint8_t requests = 0;  // sent in this state
    std::uint8_t queued = 0;
    Instant reachable_until;
    Instant last_used;
    Instant last_request = Instant::from_ns(INT64_MIN / 2);
    Waiting* first = nullptr;
    Waiting* last = nullptr;
    Hook lru_hook;
  };
  using Lru =
      boost::intrusive::list<Entry, boost::intrusive::member_hook<Entry, Hook, &Entry::lru_hook>,
                             boost::intrusive::constant_time_size<false>>;
  struct Ready {
    Packet packet;
    MacAddress mac{};
  };
  struct Failed {
    Packet packet;
    IpAddress next_hop;
  };
  enum class Usage : std::uint8_t { ours, theirs };  // who wanted the entry

  // An address as two words: what the table hashes and compares.
  struct Key {
    std::uint64_t high;
    std::uint64_t low;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Slot {
    Key key{};
    Entry* entry = nullptr;
  };
  static Key key_of(const IpAddress& address);
  std::size_t home_of(const Key& key) const;
  Entry* find(const IpAddress& address) const;
  Entry* create(const IpAddress& address, Usage usage, Instant now);
  void destroy(Entry& entry);
  void erase_slot(const Entry& entry);
  Resolved resolve_slowly(Entry* entry, const IpAddress& next_hop, Packet& packet, Instant now);
  Resolved wait_in(Entry& entry, Packet& packet);
  void enter_incomplete(Entry& entry, Instant now);
  void enter_reachable(Entry& entry, Instant now);
  void enter_stale(Entry& entry);
  void enter_probe(Entry& entry, Instant now);
  void enter_failed(Entry& entry);
  void leave_incomplete(Entry& entry);
  void timeout(Entry& entry, Instant now);
  void ask(Entry& entry, Instant now);
  void request(Entry& entry, Instant now);
  void collect_own_messages(Instant now);
  void learn(const ArpMessage& message, bool is_to_us, Instant now);
  void change(Entry& entry, const ArpMessage& message, bool is_to_us, Instant now);
  void touch(Entry& entry, Instant now);
  void give_ready(Entry& entry);
  void give_failed(Entry& entry);
  Packet take_waiting(Entry& entry);

  const MacAddress ours_;
  const Limits limits_;
  Rng& rng_;
  OwnAddresses own_;
  TimerWheel wheel_;
  SlabPool<Entry> entries_;
  SlabPool<Waiting> waiting_;
  std::vector<Slot> slots_;  // open addressing, at most half full
  const std::uint64_t hash_key_;
  const unsigned hash_shift_;
  Lru lru_;  // front: used last
  std::uint32_t incomplete_ = 0;
  Ring<ArpMessage> requests_;
  Ring<Ready> ready_;
  Ring<Failed> failed_;
  std::uint64_t queue_drops_ = 0;
  std::uint64_t refused_updates_ = 0;
};

}  // namespace pollux
