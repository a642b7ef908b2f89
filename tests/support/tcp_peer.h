// tcp_peer.h - Peer: the other end of one Connection, played by a test, segment by segment.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stack/tcp/connection.h"
#include "tests/support/heap_text.h"

namespace pollux::testing_support {

using namespace tcp;  // NOLINT: a test's vocabulary is the RFC's

// What the peer sends, or what a segment of ours must look like; what is left out is filled in from
// the peer's own state when sending, and not looked at when expecting.
struct Seg {
  std::optional<SeqNum> seq;
  std::optional<SeqNum> ack;
  std::optional<std::uint32_t> wnd;
  Control ctl = ACK;
  std::uint16_t up = 0;
  std::string text;
  std::optional<std::uint32_t> len;  // expecting: length of the text
  std::optional<TcpOptions> options;
  std::size_t piece = HeapText::kChunk;  // sending: octets per buffer
  std::uint8_t ecn = 0;                  // sending: codepoint of the IP header
};

// One Connection and its opposite. Time stands still unless the test moves it.
class Peer {
 public:
  struct Setup {
    TcpConfig config;
    UserOptions options;
    std::uint16_t mtu = 1500;
    TcpOptions syn{.mss = 1460};  // what the peer's SYN offers
    std::uint32_t wnd = 65535;
  };
  Peer() : Peer(Setup()) {}
  explicit Peer(const Setup& setup)
      : setup_(setup),
        shared_(setup_.config, text.memory(), counters, rng_, 16),
        connection_(std::make_unique<Connection>(shared_)) {
    connection_->options() = setup.options;
  }

  // --- handshakes
  void open_active() {
    connection().open_active(tuple(), iss, setup_.mtu, now);
    expects({.seq = iss, .ctl = SYN, .len = 0u});
    sends({.seq = snd_nxt,
           .ack = iss + 1,
           .wnd = setup_.wnd,
           .ctl = SYN | ACK,
           .options = setup_.syn});
    snd_nxt += 1;
    expects({.seq = iss + 1, .ack = snd_nxt, .ctl = ACK, .len = 0u});
    connection().take_events();
  }
  void open_passive() {
    Segment syn = make({.seq = snd_nxt, .wnd = setup_.wnd, .ctl = SYN, .options = setup_.syn});
    connection().open_passive(tuple(), iss, setup_.mtu, syn, now);
    snd_nxt += 1;
    expects({.seq = iss, .ack = snd_nxt, .ctl = SYN | ACK, .len = 0u});
    sends({.ctl = ACK});
    connection().take_events();
  }

  // --- the three verbs
  void sends(const Seg& seg) { connection().segment_arrives(make(seg), now); }
  // Text at SND.NXT, which moves.
  void sends_text(std::string_view octets, Control control = PSH | ACK) {
    sends({.ctl = control, .text = std::string(octets)});
    snd_nxt += static_cast<std::uint32_t>(octets.size());
  }
  Segment expects(const Seg& want, int line = __builtin_LINE());  // the caller's line
  void expects_nothing() {
    const auto seg = pull();
    EXPECT_FALSE(seg.has_value()) << "unexpected: " << describe(*seg);
  }
  // Everything there is to send now.
  std::vector<Segment> drain() {
    std::vector<Segment> all;
    while (auto seg = pull()) all.push_back(std::move(*seg));
    return all;
  }
  void advance(Duration d) {
    const Instant end = now + d;
    while (connection().next_timeout() <= end) step();
    now = end;
  }
  // To the next timeout, which happens.
  Duration step() {
    const Instant then = connection().next_timeout();
    EXPECT_FALSE(then.is_never());
    const Duration waited = then - now;
    now = then;
    connection().timeout(now);
    return waited;
  }
  // Acknowledges everything received.
  void acks() { sends({.ctl = ACK}); }

  // --- user calls
  std::string reads(std::size_t most = 65536, ReceiveFlags flags = {}) {
    std::string out(most, '\0');
    const auto n = connection().receive(std::as_writable_bytes(std::span(out)), flags, now);
    last_error = n.ok() ? Errno{} : n.error();
    out.resize(n.ok() ? *n : 0);
    return out;
  }
  std::size_t writes(std::string_view octets, SendFlags flags = {}) {
    const auto n = connection().send(std::as_bytes(std::span(octets)), flags, now);
    last_error = n.ok() ? Errno{} : n.error();
    return n.ok() ? *n : 0;
  }
  std::string text_of(const Segment& seg) {
    std::string out;
    TextPiece piece[64];
    const SeqNum first = seg.seq + (seg.ctl.has(SYN) ? 1u : 0u);
    const unsigned n = connection().text(first, seg.text_length, piece);
    for (unsigned i = 0; i < n; ++i) {
      out.append(reinterpret_cast<const char*>(piece[i].node->data) + piece[i].offset,
                 piece[i].size);
    }
    return out;
  }

  Connection& connection() { return *connection_; }
  State state() const { return connection_->status(); }
  Shared& shared() { return shared_; }
  FourTuple tuple() const {
    return {{IpAddress::v4(198, 18, 0, 1), 1000}, {IpAddress::v4(198, 18, 0, 2), 2000}};
  }
  static std::string describe(const Segment& seg) {
    const char names[] = "FSRPAUEC";
    std::string bits;
    for (int i = 0; i < 8; ++i) {
      if ((seg.ctl.bits() >> i & 1) != 0) bits += names[i];
    }
    return bits + " seq " + std::to_string(seg.seq.value()) + " ack " +
           std::to_string(seg.ack.value()) + " len " + std::to_string(seg.text_length);
  }

  HeapText text;
  Counters counters;
  Instant now = Instant::from_ns(1'000'000'000'000);
  SeqNum iss{1000};      // of the connection
  SeqNum snd_nxt{5000};  // the peer's
  SeqNum rcv_nxt{};      // what the peer has received in order
  std::uint32_t peer_wnd = 65535;
  Errno last_error{};

 private:
  std::optional<Segment> pull() {
    const bool is_linked = connection().is_linked();
    auto seg = connection().next_segment(now);
    EXPECT_TRUE(is_linked || !seg) << "did not say that it has " << (seg ? describe(*seg) : "");
    if (!seg) shared_.output_pending.clear();
    if (seg && !seg->ctl.has(RST)) {
      const bool is_first = seg->ctl.has(SYN);
      if (is_first || seg->seq == rcv_nxt) rcv_nxt = seg->seq + seg->len();
    }
    return seg;
  }
  Segment make(const Seg& seg) {
    Segment out;
    out.seq = seg.seq.value_or(snd_nxt);
    out.ack = seg.ack.value_or(rcv_nxt);
    out.wnd = seg.wnd.value_or(peer_wnd);
    out.ctl = seg.ctl;
    out.up = seg.up;
    out.ecn = seg.ecn;
    if (seg.options) out.options = *seg.options;
    out.text_length = static_cast<std::uint32_t>(seg.text.size());
    out.text = text.chain(std::as_bytes(std::span(seg.text)), seg.piece);
    return out;
  }

  Setup setup_;
  Rng rng_{1};
  Shared shared_;
  std::unique_ptr<Connection> connection_;
};

inline Segment Peer::expects(const Seg& want, int line) {
  auto seg = pull();
  const testing::ScopedTrace trace("the test", line, "expects");
  if (!seg) {
    ADD_FAILURE() << "nothing was sent";
    return {};
  }
  EXPECT_EQ(seg->ctl.bits(), want.ctl.bits()) << describe(*seg);
  if (want.seq) {
    EXPECT_EQ(seg->seq.value(), want.seq->value()) << describe(*seg);
  }
  if (want.ack) {
    EXPECT_EQ(seg->ack.value(), want.ack->value()) << describe(*seg);
  }
  if (want.wnd) {
    EXPECT_EQ(seg->wnd, *want.wnd);
  }
  if (want.len) {
    EXPECT_EQ(seg->text_length, *want.len) << describe(*seg);
  }
  if (want.up != 0) {
    EXPECT_EQ(seg->up, want.up);
  }
  if (!want.text.empty()) {
    EXPECT_EQ(text_of(*seg), want.text);
  }
  return std::move(*seg);
}

// A Peer whose connection is ESTABLISHED.
inline std::unique_ptr<Peer> established(const Peer::Setup& setup = {}) {
  auto peer = std::make_unique<Peer>(setup);
  peer->open_active();
  return peer;
}

// Options of a SYN that offers all we know.
inline TcpOptions all_options() {
  return {.mss = 1460,
          .window_scale = 7,
          .has_window_scale = true,
          .sack_permitted = true,
          .has_timestamps = true,
          .ts_val = 1};
}
inline Peer::Setup plain(std::uint16_t mss = 1000) {
  Peer::Setup setup;
  setup.syn = {.mss = mss};
  return setup;
}
inline TcpOptions sack_only() { return {.mss = 1460, .sack_permitted = true}; }

}  // namespace pollux::testing_support
