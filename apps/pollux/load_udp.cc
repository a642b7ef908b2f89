// load_udp.cc - Load over UDP: each datagram carries its request's number, a lost one is replaced.

#include <cerrno>
#include <cstring>

#include "apps/pollux/load.h"

namespace pollux::tool {

namespace {

constexpr std::uint64_t kLostAfterNs = 200'000'000;

}  // namespace

bool Load::udp_start_all(Flow& flow, std::uint64_t now) {
  for (std::size_t i = 0; i < flow.requests.size(); ++i) {
    flow.requests[i].sequence = i;
    if (!udp_send(flow, flow.requests[i], now)) return false;
  }
  return true;
}

// ECONNREFUSED is what an ICMP error for an earlier datagram left on the socket: no server.
bool Load::udp_send(Flow& flow, Flow::Request& request, std::uint64_t now) {
  request.start = now;
  std::memcpy(pattern_.data(), &request.sequence, sizeof request.sequence);
  const ssize_t n = calls_.send(flow.fd, pattern_.data(), options_.size, MSG_NOSIGNAL);
  request.unsent = n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS);
  if (n < 0 && !request.unsent) return fail("send to");
  if (request.unsent) want_write(flow, true);
  return true;
}

bool Load::udp_send_unsent(Flow& flow) {
  want_write(flow, false);
  const std::uint64_t now = monotonic_ns();
  for (Flow::Request& request : flow.requests) {
    if (request.unsent && !udp_send(flow, request, now)) return false;
  }
  return true;
}

bool Load::udp_readable(Flow& flow) {
  for (unsigned i = 0; i < kDatagramsPerWake; ++i) {
    const ssize_t n = calls_.recv(flow.fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n < 0) return fail("receive from");
    const std::uint64_t now = monotonic_ns();
    std::uint64_t sequence = 0;
    const bool whole = static_cast<std::size_t>(n) == options_.size;
    if (whole) std::memcpy(&sequence, buffer_.data(), sizeof sequence);
    const std::size_t rest = options_.size - sizeof sequence;
    if (!whole || std::memcmp(buffer_.data() + sizeof sequence, pattern_.data() + sizeof sequence,
                              rest) != 0) {
      ++result_->corrupt;
      continue;
    }
    Flow::Request& request = flow.requests[sequence % options_.depth];
    if (request.sequence != sequence) continue;  // late: it was counted as lost
    complete(request.start, now);
    request.sequence += options_.depth;
    if (!udp_send(flow, request, now)) return false;
    // Depth 1: nothing else can have come, so the next read would only say so.
    if (options_.depth == 1) return true;
  }
  return true;
}

bool Load::udp_resend_lost(Flow& flow, std::uint64_t now) {
  for (Flow::Request& request : flow.requests) {
    if (request.unsent || now - request.start < kLostAfterNs) continue;
    if (now >= measure_from_) ++result_->lost;
    request.sequence += options_.depth;
    if (!udp_send(flow, request, now)) return false;
  }
  return true;
}

}  // namespace pollux::tool
