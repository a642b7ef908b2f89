// delayed_ack.cc - the adaptive delay: 40 to 200 ms, none where it would cost the peer.
#include "stack/tcp/delayed_ack.h"

#include <algorithm>

#include "stack/tcp/shared.h"

namespace pollux::tcp {
namespace {
std::uint32_t microseconds(Instant now) { return static_cast<std::uint32_t>(now.to_ns() / 1000); }
std::uint32_t microseconds(Duration d) { return static_cast<std::uint32_t>(d.to_us()); }
}  // namespace

void DelayedAck::set_quick(bool quick) {
  interactive_ = !quick;
  if (!quick) quick_ = 0;
  if (quick && !deadline_.is_never()) now_ = true;
}

void DelayedAck::text_arrived(const Arrived& arrived, const TcpConfig& config, Instant now) {
  const std::uint32_t interval = microseconds(now) - last_text_us_;
  const std::uint32_t least = microseconds(config.delayed_ack_min);
  const std::uint32_t most = microseconds(config.delayed_ack_max);
  last_text_us_ = microseconds(now);
  // The delay follows the time between arrivals, so that the second segment finds it still running.
  if (ato_us_ == 0) {
    ato_us_ = least;
  } else if (interval <= least / 2) {
    ato_us_ = ato_us_ / 2 + least / 2;
  } else if (interval < ato_us_) {
    ato_us_ = std::min(ato_us_ / 2 + interval, most);
  } else if (interval > most && !interactive_) {
    quick_ = std::max<std::uint8_t>(quick_, 2);  // a pause: the peer may restart slowly
  }
  if (arrived.octets >= segment_size_) {
    segment_size_ = static_cast<std::uint16_t>(std::min(arrived.octets, arrived.mss));
    if (arrived.pushed && ends_ == 0) ends_ = 1;
  } else if (ends_ < 2) {
    ++ends_;
  }
  // SHLD-19: more than one full segment means that this is at least the second.
  if (arrived.unacked > segment_size_ || (quick_ != 0 && !interactive_)) now_ = true;
  if (!now_ && deadline_.is_never()) {
    deadline_ = now + Duration::us(std::clamp(ato_us_, least, most));
  }
}

bool DelayedAck::all_read() {
  if (deadline_.is_never() || ends_ < (interactive_ ? 2 : 1)) return false;
  now_ = true;
  return true;
}

void DelayedAck::text_sent(Instant now) {
  if (ato_us_ != 0 && microseconds(now) - last_text_us_ < ato_us_) interactive_ = true;
}

void DelayedAck::ack_sent() {
  if (quick_ != 0 && (now_ || !deadline_.is_never())) --quick_;
  now_ = false;
  ends_ = 0;
  deadline_ = Instant::never();
}

void DelayedAck::duplicate_sent() {
  --duplicates_;
  now_ = false;
  deadline_ = Instant::never();
}

void DelayedAck::timeout(Instant now, const TcpConfig& config) {
  if (now < deadline_) return;
  deadline_ = Instant::never();
  now_ = true;
  if (interactive_) {  // no answer came: it is not a dialogue any more
    interactive_ = false;
    ato_us_ = microseconds(config.delayed_ack_min);
  } else {
    ato_us_ = std::min(ato_us_ * 2, microseconds(config.delayed_ack_max));
  }
}

}  // namespace pollux::tcp
