// new_reno.cc - growth and reduction of the congestion window.
#include "stack/tcp/new_reno.h"

#include <algorithm>

namespace pollux::tcp {
namespace {
constexpr std::uint32_t kMaxWindow = 1u << 30;
}

std::uint32_t Congestion::initial_window(std::uint32_t mss) {
  return std::min(10 * mss, std::max(2 * mss, 14'600u));
}

void Congestion::grow(std::uint32_t octets, std::uint32_t mss) {
  if (cwnd < ssthresh) {
    // RFC 3465 2.3: L = 2, but 1 after a timeout.
    const std::uint32_t limit = phase == Phase::loss ? mss : 2 * mss;
    cwnd = std::min(cwnd + std::min(octets, limit), kMaxWindow);
    return;
  }
  acked += std::min(octets, cwnd);
  if (acked < cwnd) return;
  acked -= cwnd;
  cwnd = std::min(cwnd + mss, kMaxWindow);
}

void Congestion::halve(std::uint32_t flight, std::uint32_t mss) {
  ssthresh = std::max(flight / 2, 2 * mss);
  acked = 0;
}

void Congestion::on_echo(std::uint32_t mss) {
  halve(cwnd, mss);
  cwnd = std::min(cwnd, ssthresh);
}

void Congestion::restart(std::uint32_t mss) { cwnd = std::min(cwnd, initial_window(mss)); }

}  // namespace pollux::tcp
