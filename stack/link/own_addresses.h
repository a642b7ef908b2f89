// own_addresses.h - our own IPv4 addresses on a link: probing, announcing, defending. RFC 5227.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "drivers/net_device.h"
#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/rng.h"
#include "stack/link/arp.h"

namespace pollux {

// silent: the address is ours, nothing is said. announce: ours, and the neighbours are told.
// probe: asked for first, ours after nobody answered (RFC 5227 2.1.1), then announced; if somebody
// did, asked for again once a minute.
enum class Claim : std::uint8_t { silent, announce, probe };

// A few addresses, fixed at start. Part of Neighbours.
class OwnAddresses {
 public:
  OwnAddresses(const MacAddress& ours, Rng& rng) : ours_(ours), rng_(rng) {}
  void add(const Prefix& address, Claim claim, Instant now);
  bool owns(const IpAddress& address) const;  // and may use it
  std::optional<IpAddress> first_not_owned() const;
  bool is_on_link(const IpAddress& address) const;  // in one of our networks, and a host's address
  // The sender to ask for `target` with: the address in its network, else the first; 0.0.0.0: none.
  IpAddress sender_for(const IpAddress& target) const;

  // True if the message is from another host that uses, or probes for, one of our addresses. A
  // conflict is defended against by an announcement at most once in 10 s (RFC 5227 2.4 b).
  bool check_conflict(const ArpMessage& message, Instant now);

  // The next probe, announcement or defence that is due.
  std::optional<ArpMessage> next_message(Instant now);
  Instant next_timeout() const;

 private:
  enum class Phase : std::uint8_t { probing, announcing, settled, lost };
  struct Own {
    Prefix prefix;
    Phase phase;
    std::uint8_t sent = 0;  // in this phase
    bool defend = false;    // an announcement is owed
    Instant next = Instant::never();
    Instant last_defence = Instant::from_ns(INT64_MIN / 2);
  };
  ArpMessage message_of(const Own& own) const;
  void step(Own& own, Instant now);

  const MacAddress ours_;
  Rng& rng_;
  std::vector<Own> own_;
};

}  // namespace pollux
