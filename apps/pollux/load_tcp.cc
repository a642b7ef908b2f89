// load_tcp.cc - Load over TCP: requests are pipelined on a stream, answers come back in order.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/pollux/load.h"

namespace pollux::tool {

bool Load::tcp_start(Flow& flow, std::size_t requests, std::uint64_t now) {
  for (std::size_t i = 0; i < requests; ++i) {
    flow.requests[flow.started % options_.depth].start = now;
    ++flow.started;
  }
  flow.unsent += requests * options_.size;
  return tcp_push(flow);
}

// One send per request, as independent requests would come: depth does not make them one large one.
bool Load::tcp_push(Flow& flow) {
  while (flow.unsent != 0) {
    const std::size_t length = options_.size - flow.tx_offset;
    const ssize_t n = calls_.send(flow.fd, pattern_.data() + flow.tx_offset, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return fail("send to");
    if (n < 0) break;
    const auto sent = static_cast<std::size_t>(n);
    flow.unsent -= sent;
    flow.tx_offset = (flow.tx_offset + sent) % options_.size;
  }
  want_write(flow, flow.unsent != 0);
  return true;
}

bool Load::tcp_readable(Flow& flow) {
  const ssize_t n = calls_.recv(flow.fd, buffer_.data(), buffer_.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n == 0) errno = ECONNRESET;
  if (n <= 0) return fail("receive from");
  const std::uint64_t now = monotonic_ns();
  const auto length = static_cast<std::size_t>(n);
  if (!tcp_check(flow, length)) ++result_->corrupt;
  const std::size_t answers = (flow.rx_offset + length) / options_.size;
  flow.rx_offset = (flow.rx_offset + length) % options_.size;
  if (flow.completed + answers > flow.started) {
    errno = EPROTO;
    return fail("more octets than were sent, from");
  }
  for (std::size_t i = 0; i < answers; ++i) {
    complete(flow.requests[flow.completed % options_.depth].start, now);
    ++flow.completed;
  }
  if (options_.interval_s > 0 && answers != 0) {
    resting_.push_back({now + to_ns(options_.interval_s), &flow, answers});
    return true;
  }
  return answers == 0 || tcp_start(flow, answers, now);
}

bool Load::tcp_start_rested(std::uint64_t now) {
  while (!resting_.empty() && resting_.front().until <= now) {
    const Rest rest = resting_.front();
    resting_.pop_front();
    if (!tcp_start(*rest.flow, rest.requests, monotonic_ns())) return false;
  }
  return true;
}

bool Load::tcp_check(Flow& flow, std::size_t length) const {
  std::size_t offset = flow.rx_offset;
  for (std::size_t done = 0; done < length;) {
    const std::size_t part = std::min(length - done, pattern_.size() - offset);
    if (std::memcmp(buffer_.data() + done, pattern_.data() + offset, part) != 0) return false;
    done += part;
    offset = (offset + part) % options_.size;
  }
  return true;
}

}  // namespace pollux::tool
