// error_note.h - ErrorNote: what is kept of an ICMP error for recvmsg(MSG_ERRQUEUE); StreamErrors.
// ip(7): IP_RECVERR. Linux: struct sock_extended_err, sk_error_queue.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stack/ip/icmp.h"
#include "stack/socket/socket.h"

namespace pollux {

// Of an ICMP error, or of a datagram that this host found too large.
struct ErrorNote {
  Endpoint destination;    // where the packet had gone
  IpAddress reporter;      // unspecified: this host
  std::uint32_t info = 0;  // the path's MTU
  std::uint16_t error = 0;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
};

ErrorNote note_of(const icmp::Error& error, Errno what);

// What recvmsg(MSG_ERRQUEUE) gives for the note, in the form of the socket's family. The octets of
// what failed are not kept: it reads 0 of them (deviation). Linux: ip_recv_error(),
// ipv6_recv_error().
void put_error(ReceiveMessage& message, const ErrorNote& note, int family);

// A connect that ICMP has ended leaves one note, few ever do: so all streams of a world have one
// list, of a fixed capacity, in the order of arrival. Owned by the Stack. A socket counts its own.
class StreamErrors {
 public:
  explicit StreamErrors(std::size_t capacity) : capacity_(capacity) { kept_.reserve(capacity); }

  bool push(const void* owner, const ErrorNote& note);  // false: full, the note is lost
  const ErrorNote* front(const void* owner) const;      // null: none
  std::optional<ErrorNote> pop(const void* owner);
  void forget(const void* owner);
  std::size_t size() const { return kept_.size(); }

 private:
  struct Kept {
    const void* owner;
    ErrorNote note;
  };
  const std::size_t capacity_;
  std::vector<Kept> kept_;
};

}  // namespace pollux
