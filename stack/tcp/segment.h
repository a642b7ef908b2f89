// segment.h - Segment: what RFC 9293 calls SEG, in host order, already checked for shape.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/text.h"
#include "stack/tcp/seq_num.h"
#include "stack/tcp/text_chain.h"

namespace pollux::tcp {

// Control bits, in the header's positions.
enum ControlBit : std::uint8_t {
  FIN = 0x01,
  SYN = 0x02,
  RST = 0x04,
  PSH = 0x08,
  ACK = 0x10,
  URG = 0x20,
  ECE = 0x40,
  CWR = 0x80
};

class Control {
 public:
  constexpr Control() = default;
  constexpr Control(ControlBit bit) : bits_(bit) {}  // NOLINT: implicit
  constexpr explicit Control(std::uint8_t bits) : bits_(bits) {}
  constexpr bool has(ControlBit bit) const { return (bits_ & bit) != 0; }
  constexpr std::uint8_t bits() const { return bits_; }
  friend constexpr Control operator|(Control a, Control b) {
    return Control(static_cast<std::uint8_t>(a.bits_ | b.bits_));
  }
  friend constexpr bool operator==(Control, Control) = default;

 private:
  std::uint8_t bits_ = 0;
};
constexpr Control operator|(ControlBit a, ControlBit b) { return Control(a) | Control(b); }

struct SackBlock {
  SeqNum left;   // first octet held
  SeqNum right;  // the octet after the last one held
  friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

// RFC 7413 4.1.1. Of no octets: a request for one.
struct FastOpenCookie {
  std::uint8_t size = 0;
  std::array<std::uint8_t, 16> octets{};
  friend bool operator==(const FastOpenCookie&, const FastOpenCookie&) = default;
};

// What wire/tcp_options found, or is to write. RFC 9293 3.2, RFC 7323, RFC 2018.
struct TcpOptions {
  std::uint16_t mss = 0;          // 0: absent
  std::uint8_t window_scale = 0;  // meaningful if has_window_scale
  bool has_window_scale = false;
  bool sack_permitted = false;
  bool has_timestamps = false;
  std::uint32_t ts_val = 0;
  std::uint32_t ts_ecr = 0;
  std::uint8_t sack_count = 0;
  std::array<SackBlock, 4> sack{};
  bool has_fast_open = false;
  bool is_fast_open_experimental = false;  // kind 254 with 0xf989, as before RFC 7413
  FastOpenCookie fast_open;                // meaningful if has_fast_open
};

// Arriving: `text` is a chain of texts (TextNode::next) of text_length octets in all.
// Leaving: `text` is empty; the octets are Connection::text(seq, text_length)'s, taken by
// reference.
struct Segment {
  SeqNum seq;             // SEG.SEQ
  SeqNum ack;             // SEG.ACK, meaningful if ctl has ACK
  std::uint32_t wnd = 0;  // SEG.WND as in the header: 16 bits, not scaled
  std::uint16_t up = 0;   // SEG.UP, meaningful if ctl has URG
  Control ctl;
  TcpOptions options;
  std::uint32_t text_length = 0;
  std::uint16_t gso_size = 0;  // leaving: not 0 if text_length may exceed one segment
  std::uint8_t ecn = 0;  // codepoint of the IP header (RFC 3168), as it arrived or is to leave
  TextChain text;
  std::uint32_t len() const {  // SEG.LEN
    return text_length + (ctl.has(SYN) ? 1u : 0u) + (ctl.has(FIN) ? 1u : 0u);
  }
};

}  // namespace pollux::tcp
