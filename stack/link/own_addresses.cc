// own_addresses.cc - probing, announcing and defending, with RFC 5227 1.1's constants.
#include "stack/link/own_addresses.h"

#include "stack/base/check.h"
#include "stack/link/ethernet.h"

namespace pollux {
namespace {

constexpr Duration kProbeWait = Duration::seconds(1), kProbeMin = Duration::seconds(1),
                   kProbeSpread = Duration::seconds(1), kAnnounceWait = Duration::seconds(2),
                   kAnnounceInterval = Duration::seconds(2),
                   kDefendInterval = Duration::seconds(10),
                   kRateLimitInterval = Duration::seconds(60);
constexpr std::uint8_t kProbes = 3, kAnnouncements = 2;

Duration up_to(Rng& rng, Duration most) {
  return Duration::ns(
      static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most.to_ns()) + 1)));
}

}  // namespace

void OwnAddresses::add(const Prefix& address, Claim claim, Instant now) {
  Own own{address, Phase::settled};
  if (claim == Claim::announce) {
    own.phase = Phase::announcing;
    own.next = now;
  } else if (claim == Claim::probe) {
    own.phase = Phase::probing;
    own.next = now + up_to(rng_, kProbeWait);
  }
  own_.push_back(own);
}

bool OwnAddresses::owns(const IpAddress& address) const {
  for (const Own& own : own_) {
    if (own.prefix.address == address) {
      return own.phase == Phase::announcing || own.phase == Phase::settled;
    }
  }
  return false;
}

std::optional<IpAddress> OwnAddresses::first_not_owned() const {
  for (const Own& own : own_) {
    if (!owns(own.prefix.address)) return own.prefix.address;
  }
  return std::nullopt;
}

bool OwnAddresses::is_on_link(const IpAddress& address) const {
  if (!address.is_v4() || address.is_unspecified() || address.is_limited_broadcast()) return false;
  for (const Own& own : own_) {
    if (!own.prefix.contains(address)) continue;
    if (own.prefix.length >= 31) return true;  // RFC 3021: both addresses are hosts
    const std::uint32_t host = 0xffffffffu >> own.prefix.length;
    const std::uint32_t bits = address.v4_bits() & host;
    return bits != 0 && bits != host;
  }
  return false;
}

IpAddress OwnAddresses::sender_for(const IpAddress& target) const {
  IpAddress first = IpAddress::any_v4();
  for (const Own& own : own_) {
    if (!owns(own.prefix.address)) continue;
    if (own.prefix.contains(target)) return own.prefix.address;
    if (first.is_unspecified()) first = own.prefix.address;
  }
  return first;
}

bool OwnAddresses::check_conflict(const ArpMessage& message, Instant now) {
  if (message.sender_mac == ours_) return false;
  for (Own& own : own_) {
    const bool claimed = message.sender == own.prefix.address;
    // Somebody else probes for what we probe (RFC 5227 2.1.1).
    const bool wanted = own.phase == Phase::probing && message.sender.is_unspecified() &&
                        message.operation == ArpMessage::Operation::request &&
                        message.target == own.prefix.address;
    if (!claimed && !wanted) continue;
    if (own.phase == Phase::probing) {
      own.phase = Phase::lost;
      own.next = now + kRateLimitInterval;  // RFC 5227 2.1.1, from the first conflict on
    } else if (own.phase != Phase::lost && now - own.last_defence >= kDefendInterval) {
      own.last_defence = now;
      own.defend = true;
    }
    return true;
  }
  return false;
}

// A probe has no sender address, so that it pollutes no cache (RFC 5227 2.1.1).
ArpMessage OwnAddresses::message_of(const Own& own) const {
  ArpMessage message;
  message.sender_mac = ours_;
  if (own.phase != Phase::probing) message.sender = own.prefix.address;
  message.target = own.prefix.address;
  message.frame_destination = ethernet::kBroadcast;
  return message;
}

// What follows after a message of this phase was taken.
void OwnAddresses::step(Own& own, Instant now) {
  ++own.sent;
  if (own.phase == Phase::probing) {
    const Duration gap = kProbeMin + up_to(rng_, kProbeSpread);
    own.next = now + (own.sent < kProbes ? gap : kAnnounceWait);
  } else if (own.sent < kAnnouncements) {
    own.next = now + kAnnounceInterval;
  } else {
    own.phase = Phase::settled;
    own.next = Instant::never();
  }
}

std::optional<ArpMessage> OwnAddresses::next_message(Instant now) {
  for (Own& own : own_) {
    if (own.defend) {
      own.defend = false;
      return message_of(own);
    }
    if (own.next > now) continue;
    if (own.phase == Phase::lost) {  // the other may have gone
      own.phase = Phase::probing;
      own.sent = 0;
    } else if (own.phase == Phase::probing && own.sent == kProbes) {  // nobody answered: it is ours
      own.phase = Phase::announcing;
      own.sent = 0;
    }
    CHECK(own.phase == Phase::probing || own.phase == Phase::announcing);
    const ArpMessage message = message_of(own);
    step(own, now);
    return message;
  }
  return std::nullopt;
}

Instant OwnAddresses::next_timeout() const {
  Instant next = Instant::never();
  for (const Own& own : own_) {
    if (own.defend) return Instant::from_ns(0);
    next = earlier(next, own.next);
  }
  return next;
}

}  // namespace pollux
