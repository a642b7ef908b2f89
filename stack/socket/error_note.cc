// error_note.cc - from an ICMP error to a control message.
#include "stack/socket/error_note.h"

#include <netinet/in.h>
// netinet/in.h and ctime come before the kernel's headers, which build on them.
#include <algorithm>
#include <ctime>

#include <linux/errqueue.h>

#include "stack/socket/control_message.h"

namespace pollux {
namespace {

// The error, and who reported it.
template <typename Address>
struct Reported {
  ::sock_extended_err error;
  Address reporter;
};

template <typename Address>
Reported<Address> reported(const ErrorNote& note) {
  Reported<Address> value{};
  const bool is_local = note.reporter.is_unspecified();
  value.error.ee_errno = note.error;
  value.error.ee_origin = is_local ? SO_EE_ORIGIN_LOCAL : SO_EE_ORIGIN_ICMP;
  value.error.ee_type = note.type;
  value.error.ee_code = note.code;
  value.error.ee_info = note.info;
  return value;
}

}  // namespace

ErrorNote note_of(const icmp::Error& error, Errno what) {
  return {.destination = error.tuple.remote,
          .reporter = error.reporter,
          .info = error.is_too_big ? error.mtu : 0u,
          .error = static_cast<std::uint16_t>(what),
          .type = error.type,
          .code = error.code};
}

void put_error(ReceiveMessage& message, const ErrorNote& note, int family) {
  const bool has_reporter = !note.reporter.is_unspecified();
  message.from = note.destination;
  message.has_from = true;
  message.out_flags |= MSG_ERRQUEUE;
  ControlWriter writer(message);
  if (family == AF_INET6) {
    auto value = reported<::sockaddr_in6>(note);
    if (has_reporter) {
      value.reporter.sin6_family = AF_INET6;
      std::copy_n(note.reporter.octets().begin(), 16, value.reporter.sin6_addr.s6_addr);
    }
    writer.put(IPPROTO_IPV6, IPV6_RECVERR, value);
  } else {
    auto value = reported<::sockaddr_in>(note);
    if (has_reporter) {
      value.reporter.sin_family = AF_INET;
      value.reporter.sin_addr.s_addr = htonl(note.reporter.v4_bits());
    }
    writer.put(IPPROTO_IP, IP_RECVERR, value);
  }
  writer.finish();
}

bool StreamErrors::push(const void* owner, const ErrorNote& note) {
  if (kept_.size() == capacity_) return false;
  kept_.push_back({owner, note});
  return true;
}

const ErrorNote* StreamErrors::front(const void* owner) const {
  const auto is_its = [owner](const Kept& kept) { return kept.owner == owner; };
  const auto found = std::find_if(kept_.begin(), kept_.end(), is_its);
  return found == kept_.end() ? nullptr : &found->note;
}

std::optional<ErrorNote> StreamErrors::pop(const void* owner) {
  const auto is_its = [owner](const Kept& kept) { return kept.owner == owner; };
  const auto found = std::find_if(kept_.begin(), kept_.end(), is_its);
  if (found == kept_.end()) return std::nullopt;
  const ErrorNote note = found->note;
  kept_.erase(found);
  return note;
}

void StreamErrors::forget(const void* owner) {
  std::erase_if(kept_, [owner](const Kept& kept) { return kept.owner == owner; });
}

}  // namespace pollux
