// rtt.cc - RFC 6298's arithmetic.
#include "stack/tcp/rtt.h"

#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/shared.h"

namespace pollux::tcp {
namespace {
constexpr std::int64_t kMaxSampleUs = 120'000'000;  // keeps eight times a sample within 32 bits
}

void Rtt::sample(Duration round_trip, const TcpConfig& config) {
  const auto r =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(round_trip.to_us(), 1, kMaxSampleUs));
  if (srtt8_us_ == 0) {  // 2.2
    srtt8_us_ = r * 8;
    rttvar4_us_ = r * 2;
    min_us_ = r;
  } else {  // 2.3: RTTVAR before SRTT
    const std::uint32_t srtt = srtt8_us_ >> 3;
    const std::uint32_t error = srtt < r ? r - srtt : srtt - r;
    rttvar4_us_ = rttvar4_us_ - (rttvar4_us_ >> 2) + error;
    srtt8_us_ = std::max(srtt8_us_ - srtt + r, 8u);
    min_us_ = std::min(min_us_, r);
  }
  // 2.3, 2.4: RTO = SRTT + max(G, K * RTTVAR); G is far below the floor of 200 ms.
  const std::int64_t rto = std::int64_t{srtt8_us_ >> 3} + std::max(rttvar4_us_, 1u);
  rto_us_ =
      static_cast<std::uint32_t>(std::clamp(rto, config.min_rto.to_us(), config.max_rto.to_us()));
  backoff_ = 0;
}

std::optional<Duration> Rtt::acknowledged(SeqNum una, Instant now) {
  if (!is_timing_ || una < timed_end_) return std::nullopt;
  is_timing_ = false;
  return Duration::us(static_cast<std::uint32_t>(now.to_ns() / 1000) - timed_since_us_);
}

Duration Rtt::rto(const TcpConfig& config) const {
  const std::int64_t us = std::int64_t{rto_us_} << backoff_;
  return Duration::us(std::min(us, config.max_rto.to_us()));
}

}  // namespace pollux::tcp
