// ecn.h - Ecn: congestion that routers mark instead of dropping segments.
// RFC 3168 6.1.
#pragma once

#include <cstdint>

#include "stack/tcp/segment.h"

namespace pollux::tcp {

// TcpConfig::ecn, with the numbers of Linux's tcp_ecn.
inline constexpr std::uint32_t kEcnOff = 0, kEcnAsk = 1, kEcnAnswer = 2;

// A member of Connection. As receiver it echoes a mark until the sender says that it has reduced
// its window; as sender it reduces once for a window of text, and says so.
class Ecn {
 public:
  // Codepoints of the IP header. What is sent is ECT(0); ECT(1) is for experiments (RFC 8311).
  static constexpr std::uint8_t kNotEct = 0, kEct0 = 2, kCe = 3;

  // --- the handshake, 6.1.1: a SYN asks with both bits, a SYN,ACK agrees with one; both of one
  // that reflects what it does not know mean nothing.
  static bool is_asked_by(Control syn) { return syn.has(ECE) && syn.has(CWR); }
  static bool is_agreed_by(Control syn_ack) { return syn_ack.has(ECE) && !syn_ack.has(CWR); }
  void agree(bool both) { agreed_ = both; }
  bool is_agreed() const { return agreed_; }

  // --- receiving, 6.1.3: of a segment that passed every check. True: the peer's window is small
  // now, it is to be answered at once (Linux: tcp_ecn_accept_cwr(), __tcp_ecn_check_ce()).
  bool arrived(const Segment& seg) {
    if (!agreed_) return false;
    const bool has_text = seg.text_length != 0;
    seen_ = seen_ || seg.ecn != kNotEct;
    const bool is_reduced = seg.ctl.has(CWR);
    if (is_reduced) echoes_ = false;
    const bool is_marked = has_text && seg.ecn == kCe;  // 6.1.4: a bare ACK cannot be
    const bool is_news = is_marked && !echoes_;
    echoes_ = echoes_ || is_marked;
    return has_text && (is_reduced || is_news);
  }
  // Nothing that arrived() would have to hear of.
  bool is_known(std::uint8_t codepoint) const {
    return codepoint == kNotEct || (codepoint != kCe && seen_);
  }
  bool echoes() const { return echoes_; }
  bool has_seen() const { return seen_; }  // an ECN-capable packet

  // --- sending, 6.1.2. Until what is sent after the reduction is acknowledged, echoes are of marks
  // from before.
  bool is_echo(Control ctl) const { return agreed_ && ctl.has(ECE) && !ctl.has(SYN); }
  bool may_reduce() const { return !reducing_; }
  void reduced(SeqNum max) {  // for a mark or a loss
    if (!agreed_) return;
    reducing_ = owes_cwr_ = true;
    reduced_at_ = max;
  }
  void acknowledged(SeqNum una) { reducing_ = reducing_ && una <= reduced_at_; }
  bool owes_cwr() const { return owes_cwr_; }
  bool take_cwr() {
    const bool owed = owes_cwr_;
    owes_cwr_ = false;
    return owed;
  }

 private:
  SeqNum reduced_at_;  // SND.MAX then; meaningful if reducing_
  bool agreed_ : 1 = false, echoes_ : 1 = false, seen_ : 1 = false;
  bool reducing_ : 1 = false, owes_cwr_ : 1 = false;
};

}  // namespace pollux::tcp
