// inbox.h - Inbox: what other Stacks of the process hand to one, because it came to their queue.
#pragma once

#include <atomic>
#include <deque>
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

  // A packet comes again; nobody says again that a listener has closed.
  bool may_be_lost() const {
    return !std::holds_alternative<ListenPart>(what) && !std::holds_alternative<ClosePart>(what) &&
           !std::holds_alternative<Acceptable>(what);
  }
};

// Bounded, but for what must not be lost: that is one letter for each call on a listener and each
// connection, and its poster delivers it. Any thread, inside an entry or not; its lock is a leaf.
class Inbox {
 public:
  explicit Inbox(std::size_t capacity) : letters_(capacity) {}
  // False, and the letter still the caller's: full.
  bool push(Letter&& letter) {
    const std::lock_guard lock(mutex_);
    if (!letter.may_be_lost()) {
      kept_.push_back(std::move(letter));
    } else if (!letters_.push(std::move(letter))) {
      return false;
    }
    count_.fetch_add(1);
    return true;
  }
  bool pop(Letter& letter) {
    if (is_empty()) return false;
    const std::lock_guard lock(mutex_);
    if (!kept_.empty()) {
      letter = std::move(kept_.front());
      kept_.pop_front();
    } else if (!letters_.empty()) {
      letter = letters_.pop();
    } else {
      return false;
    }
    count_.fetch_sub(1);
    return true;
  }
  bool is_empty() const { return count_.load() == 0; }

 private:
  std::mutex mutex_;
  Ring<Letter> letters_;
  std::deque<Letter> kept_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace pollux
