// delayed_ack.h - DelayedAck: when the peer is owed an acknowledgement.
// RFC 9293 3.8.6.3, RFC 5681 4.2. What is owed leaves at the end of the burst (MUST-58, MUST-59).
#pragma once

#include <cstdint>

#include "stack/base/instant.h"

namespace pollux::tcp {

struct TcpConfig;

// A member of Connection.
class DelayedAck {
 public:
  // The first ACKs of a connection are not delayed: the peer is in slow start.
  void start_quick() { quick_ = kQuickAcks; }
  // TCP_QUICKACK.
  void set_quick(bool quick);
  void owe_now() { now_ = true; }
  // A segment out of order arrived: an ACK for this one alone (RFC 5681 4.2).
  void owe_duplicate() {
    if (duplicates_ != 255) ++duplicates_;
  }
  // RCV.NXT has moved: one ACK says more than the duplicates would (MUST-59).
  void replace_duplicates() {
    now_ = now_ || duplicates_ != 0;
    duplicates_ = 0;
  }
  struct Arrived {
    std::uint32_t octets;   // of this segment, in order
    std::uint32_t unacked;  // RCV.NXT - Last.ACK.sent
    std::uint32_t mss;      // the most a full segment can be
    bool pushed = false;    // PSH
  };
  void text_arrived(const Arrived& arrived, const TcpConfig& config, Instant now);
  // The program has read all there is. The peer may be waiting for the ACK before it sends its next
  // write (Nagle), if the last ended with what arrived: a segment less than full, or pushed. In a
  // dialogue the answer brings it, so two are needed. Linux: __tcp_cleanup_rbuf(). True: owed now.
  bool all_read();
  // The program answers soon after it was sent to: the next ACKs will ride on its answers.
  void text_sent(Instant now);
  void ack_sent();        // in whatever segment
  void duplicate_sent();  // one of the duplicates owed
  void timeout(Instant now, const TcpConfig& config);

  bool is_due() const { return now_ || duplicates_ != 0; }
  unsigned duplicates() const { return duplicates_; }
  Instant deadline() const { return deadline_; }
  void stop() { deadline_ = Instant::never(), now_ = false, duplicates_ = 0; }
  std::uint32_t ato_us() const { return ato_us_; }
  std::uint16_t segment_size() const { return segment_size_; }  // the largest seen

 private:
  static constexpr std::uint8_t kQuickAcks = 16;

  Instant deadline_ = Instant::never();
  std::uint32_t last_text_us_ = 0;  // modulo 2^32
  std::uint32_t ato_us_ = 0;        // 0: no text yet
  std::uint16_t segment_size_ = 536;
  std::uint8_t quick_ = 0;
  std::uint8_t duplicates_ = 0;
  std::uint8_t ends_ = 0;  // of the peer's writes, as it looks, since the last ACK; at most 2
  bool now_ = false;
  bool interactive_ = false;  // Linux: pingpong
};

}  // namespace pollux::tcp
