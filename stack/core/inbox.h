// inbox.h - Inbox: what other Stacks of the process hand to one, because it came to their queue.
#pragma once

#include <atomic>
#include <mutex>
#include <variant>

#include "epoll/file.h"
#include "stack/base/ring.h"
#include "stack/ip/icmp.h"
#include "stack/link/arp.h"
#include "stack/socket/listen_group.h"
#include "stack/tcp/tcp.h"
#include "stack/udp/udp.h"

namespace pollux {

// A segment or an error that no connection here was for; a datagram (sockets of these live in Stack
// 0); a copy of a neighbour's message, which comes to one queue and concerns all; and what keeps
// the parts of a listening socket together (listen_group.h).
struct Letter {
  struct EchoReply {
    udp::Datagram datagram;
  };
  struct Neighbour {
    InterfaceId interface = 0;
    ArpMessage message;
  };
  struct ClosePart {
    ListenGroupRef group;
  };
  struct Acceptable {
    ListenGroupRef group;
  };
  NapiSet visited = 0;  // the Stacks that have had it
  std::variant<std::monostate, tcp::Arrival, udp::Datagram, EchoReply, icmp::Error, Neighbour,
               ListenPart, ClosePart, Acceptable>
      what;
};

// Bounded. Any thread, inside an entry or not; its lock is a leaf.
class Inbox {
 public:
  // False, and the letter still the caller's: full.
  bool push(Letter&& letter) {
    const std::lock_guard lock(mutex_);
    if (!letters_.push(std::move(letter))) return false;
    count_.fetch_add(1);
    return true;
  }
  bool pop(Letter& letter) {
    if (is_empty()) return false;
    const std::lock_guard lock(mutex_);
    if (letters_.empty()) return false;
    letter = letters_.pop();
    count_.fetch_sub(1);
    return true;
  }
  bool is_empty() const { return count_.load() == 0; }

 private:
  static constexpr std::size_t kCapacity = 1024;
  std::mutex mutex_;
  Ring<Letter> letters_{kCapacity};
  std::atomic<std::size_t> count_{0};
};

}  // namespace pollux
