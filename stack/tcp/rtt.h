// rtt.h - Rtt: the retransmission timeout from round-trip times.
// RFC 6298; one segment is timed at a time, never one sent twice (Karn).
#pragma once

#include <cstdint>
#include <optional>

#include "stack/base/instant.h"
#include "stack/tcp/seq_num.h"

namespace pollux::tcp {

struct TcpConfig;

// MUST-18. A member of Connection. Fixed point as in RFC 6298 appendix-style arithmetic:
// microseconds times 8 and times 4, so that alpha = 1/8 and beta = 1/4 are exact shifts.
class Rtt {
 public:
  // RFC 6298 2.1: before the first sample. Also used for the 3 s of 5.7.
  void set_initial_rto(Duration rto) { rto_us_ = static_cast<std::uint32_t>(rto.to_us()); }
  // RFC 6298 2.2 and 2.3. Ends the back-off (5.7).
  void sample(Duration round_trip, const TcpConfig& config);
  bool has_sample() const { return srtt8_us_ != 0; }

  // Times the segment that ends at `end`, unless one is being timed.
  void start_timing(SeqNum end, Instant now) {
    if (is_timing_) return;
    is_timing_ = true;
    timed_end_ = end;
    timed_since_us_ = static_cast<std::uint32_t>(now.to_ns() / 1000);
  }
  void stop_timing() { is_timing_ = false; }
  // The time the timed segment took, if `una` covers it.
  std::optional<Duration> acknowledged(SeqNum una, Instant now);

  Duration rto(const TcpConfig& config) const;  // with the back-off
  void back_off() {
    if (backoff_ < 31) ++backoff_;
  }
  void end_back_off() { backoff_ = 0; }
  std::uint8_t backoff() const { return backoff_; }
  Duration srtt() const { return Duration::us(srtt8_us_ >> 3); }
  Duration rttvar() const { return Duration::us(rttvar4_us_ >> 2); }
  Duration min() const { return Duration::us(min_us_); }

 private:
  std::uint32_t timed_since_us_ = 0;  // modulo 2^32: 71 minutes
  SeqNum timed_end_;
  std::uint32_t srtt8_us_ = 0;  // 0: no sample yet
  std::uint32_t rttvar4_us_ = 0;
  std::uint32_t rto_us_ = 1'000'000;
  std::uint32_t min_us_ = 0;
  std::uint8_t backoff_ = 0;
  bool is_timing_ = false;
};

}  // namespace pollux::tcp
