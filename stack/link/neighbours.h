// neighbours.h - who has which link address: ARP's cache, with packets waiting for an answer.
// RFC 826, RFC 1122 2.3.2, RFC 5227.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet.h"
#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/wire/drop.h"

namespace pollux {

// One interface's table; bounded; no timers of its own: advance(now) is called, next_timeout() says when.
// SKETCH; complete it, keep these calls.
class Neighbours {
 public:
  struct Limits {
    std::uint32_t entries = 1024;
    std::uint32_t queued_per_entry = 8;   // packets waiting for an answer
    std::uint32_t queued_total = 256;
  };
  enum class Resolution : std::uint8_t { known, queued, failed };
  // known: `mac` is filled, the packet is still the caller's. queued: kept until the answer; a request
  // may be due (take_requests). failed: recently unreachable or the queue is full; still the caller's.
  struct Resolved {
    Resolution resolution;
    MacAddress mac;
  };
  // Resolved resolve(const IpAddress& next_hop, Packet& packet, Instant now);
  // An ARP packet arrived (behind the Ethernet header): learn, answer, notice conflicts.
  //   struct ArpOutcome { std::optional<ArpMessage> reply; bool conflict; ... }
  // Messages to send: bool next_request(ArpMessage& out);   (requests, probes, announcements, replies)
  // Packets whose neighbour answered: bool next_ready(Packet& packet, MacAddress& mac);
  // Packets given up: bool next_failed(Packet& packet, IpAddress& next_hop)  -> EHOSTUNREACH to their owners
  // void confirm(next_hop, now)   forward progress of TCP keeps an entry fresh; R1 -> void doubt(next_hop, now)
  // void advance(Instant now); Instant next_timeout() const;
};

}  // namespace pollux
