// attacks_test.cc - attacks on one connection: what they cost is bounded, what is true gets
// through.
#include <algorithm>
#include <array>
#include <numeric>

#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

std::string octets_from(std::uint32_t position, std::size_t count) {
  std::string octets(count, '\0');
  for (std::size_t i = 0; i < count; ++i) octets[i] = static_cast<char>((position + i) * 31 % 251);
  return octets;
}

// --- V7: single octets out of order (CVE-2018-5390, CVE-2018-6922)

// The orders in which `count` single octets, two apart, come: each puts the next one elsewhere.
std::vector<std::uint32_t> far_to_near(std::uint32_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.rbegin(), order.rend(), 0u);
  return order;
}
std::vector<std::uint32_t> from_both_ends(std::uint32_t count) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < count; ++i) order.push_back(i % 2 == 0 ? i / 2 : count - 1 - i / 2);
  return order;
}
std::vector<std::uint32_t> at_random(std::uint32_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  Rng rng(7);
  for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

// V7. Whatever the order, what waits never takes more than the receive buffer in true size, the
// texts in order arrive, and the stream is whole in the end. That an octet costs O(log n) is what
// Reassembly.many_holes_cost_logarithmic_work shows.
TEST(Attacks, v7_a_window_full_of_single_octets_is_bounded_and_does_not_stop_the_stream) {
  for (const auto& order_of : {far_to_near, from_both_ends, at_random}) {
    Peer::Setup setup;
    setup.syn = all_options();
    setup.options.receive_buffer = 131072;
    auto peer = established(setup);
    const TcpOptions stamp{.has_timestamps = true, .ts_val = 2};
    const SeqNum begin = peer->snd_nxt;
    const std::uint32_t window = peer->connection().rcv().wnd;
    int most_texts = 0;
    for (const std::uint32_t i : order_of(window / 2 - 1)) {
      const std::uint32_t at = 2 * i + 1;
      peer->sends({.seq = begin + at, .text = octets_from(at, 1), .options = stamp});
      most_texts = std::max(most_texts, peer->text.live());
      if (i % 64 == 0) peer->drain();
    }
    // Every text weighs a whole buffer: so many fit, and one more while it is looked at.
    const auto fit =
        static_cast<int>(setup.options.receive_buffer / (HeapText::kChunk + HeapText::kOverhead));
    EXPECT_LE(most_texts, fit + 1);
    EXPECT_GT(peer->counters.tcp_no_memory, 0u);
    std::string read;
    for (std::uint32_t at = 0; at < window; at += 1000) {
      const std::uint32_t size = std::min(1000u, window - at);
      peer->sends({.seq = begin + at, .text = octets_from(at, size), .options = stamp});
      peer->drain();
      read += peer->reads();
    }
    EXPECT_TRUE(read == octets_from(0, window)) << read.size() << " of " << window;
    EXPECT_LE(peer->text.live(), 1);
  }
}

// --- V8: SACK (CVE-2019-11477, 11478, 11479, CVE-2019-5599)

// What a hostile peer says of the octets una..max: anything, or single octets in the worst order.
SackBlock any_block(Rng& rng, SeqNum una, std::uint32_t in_flight, bool is_single) {
  const SeqNum left = una + static_cast<std::uint32_t>(rng.below(in_flight + 8)) - 4u;
  const auto length = static_cast<std::uint32_t>(is_single ? 1 : rng.below(in_flight) - 3);
  return {left, left + length};
}

// V8, fault-peer-mss. A million ACKs. The floor of 48 holds whatever the peer's MSS;
// no ACK makes us send more than it released; the flight ends as it should.
TEST(Attacks, v8_a_million_adversarial_sacks) {
  constexpr int kAcks = 340'000;
  constexpr std::uint32_t kOctets = 20'000;
  for (const std::uint16_t mss : {std::uint16_t{8}, std::uint16_t{48}, std::uint16_t{88}}) {
    Peer::Setup setup;
    setup.syn = {.mss = mss, .sack_permitted = true};
    auto peer = established(setup);
    ASSERT_EQ(peer->connection().send_mss(), std::max<std::uint16_t>(mss, 48));
    const std::string text = octets_from(0, kOctets);
    ASSERT_EQ(peer->writes(text), kOctets);
    std::uint64_t segments = peer->drain().size();
    Rng rng(mss);
    for (int i = 0; i < kAcks; ++i) {
      Seg ack{.ack = peer->connection().snd().una};
      const auto in_flight = static_cast<std::uint32_t>(peer->connection().snd().max - *ack.ack);
      ack.options = TcpOptions{.sack_count = 4};
      for (SackBlock& block : ack.options->sack) {
        block = any_block(rng, *ack.ack, in_flight, i % 2 == 0);
      }
      peer->sends(ack);
      if (i % 16 != 0) continue;
      const SeqNum sent = peer->connection().snd().max;
      for (const Segment& seg : peer->drain()) {
        ++segments;  // what is sent again may be as short as the hole that it fills
        const bool is_last = seg.seq + seg.len() == peer->connection().snd().max;
        ASSERT_TRUE(seg.seq < sent || seg.text_length >= 48 || is_last) << Peer::describe(seg);
      }
    }
    ASSERT_EQ(peer->state(), State::ESTABLISHED);
    EXPECT_LE(peer->shared().scoreboards.used(), 1u);
    EXPECT_LE(segments, kAcks / 16 * 2u) << "of MSS " << mss;
    for (int i = 0; i < 2000 && peer->connection().unacked_octets() != 0; ++i) {
      peer->sends({.ack = peer->connection().snd().max});
      peer->drain();
    }
    EXPECT_EQ(peer->connection().unacked_octets(), 0u);
  }
}

// --- V2: urgent pointers (CVE-2019-12255, 12260, 12261, 12263, CVE-2020-17437)

constexpr std::array<std::uint16_t, 8> kPointers = {0, 1, 2, 5, 6, 7, 0x7fff, 0xffff};

// How the program looks for the urgent octet.
enum class Looks : std::uint8_t { never, peeks, reads };

// Everything there is, mark by mark.
std::string all_read(Peer& peer, Looks looks) {
  std::string all;
  for (;;) {
    if (looks != Looks::never) peer.reads(1, {.peek = looks == Looks::peeks, .oob = true});
    const std::string some = peer.reads(3);
    if (some.empty()) return all;
    all += some;
  }
}

// `part` is `whole` with at most `most` octets left out.
bool is_all_but(const std::string& part, const std::string& whole, std::size_t most) {
  std::size_t at = 0;
  for (const char octet : whole) {
    if (at < part.size() && part[at] == octet) ++at;
  }
  return at == part.size() && part.size() + most >= whole.size();
}

// V2, MUST-31, MUST-66. Two texts of five octets with any two pointers: before, inside and beyond
// them, receding, far away. In line every octet is read; out of line, all but the urgent ones.
TEST(Attacks, v2_no_urgent_pointer_costs_an_octet_that_is_not_urgent) {
  for (const bool is_inline : {false, true}) {
    for (const Looks looks : {Looks::never, Looks::peeks, Looks::reads}) {
      for (std::size_t i = 0; i < kPointers.size() * kPointers.size(); ++i) {
        auto peer = established();
        peer->connection().options().oob_inline = is_inline;
        peer->sends({.ctl = URG | ACK, .up = kPointers[i / kPointers.size()], .text = "abcde"});
        peer->snd_nxt += 5;
        peer->sends({.ctl = URG | ACK, .up = kPointers[i % kPointers.size()], .text = "fghij"});
        peer->snd_nxt += 5;
        peer->sends_text("klmnopqrst");
        const std::string read = all_read(*peer, looks), whole = "abcdefghijklmnopqrst";
        EXPECT_TRUE(is_all_but(read, whole, is_inline ? 0 : 2)) << read << " " << i;
        EXPECT_EQ(peer->connection().readable_octets(), 0u);
        EXPECT_EQ(peer->state(), State::ESTABLISHED);
      }
    }
  }
}

// V2. With the window closed the pointer counts and the text does not; afterwards all of it is
// read.
TEST(Attacks, v2_urgent_pointers_at_a_closed_window_cost_no_octet) {
  for (const std::uint16_t up : kPointers) {
    Peer::Setup setup;
    setup.options.receive_buffer = 2304;
    setup.options.oob_inline = true;
    auto peer = established(setup);
    std::string whole = octets_from(0, peer->connection().rcv().wnd);
    peer->sends_text(whole);
    peer->expects({.wnd = 0, .ctl = ACK});
    peer->sends({.ctl = URG | ACK, .up = up, .text = "urgent"});
    peer->expects({.ack = peer->snd_nxt, .ctl = ACK});
    std::string read = all_read(*peer, Looks::never);
    EXPECT_TRUE(read == whole) << up;
    peer->drain();
    peer->sends({.ctl = URG | ACK, .up = up, .text = "urgent"});
    read = all_read(*peer, Looks::never);
    EXPECT_EQ(read, "urgent");
  }
}

// V2. In the SYN,ACK of a connect: there is no text that it could point into.
TEST(Attacks, v2_an_urgent_pointer_while_connecting_is_ignored) {
  for (const std::uint16_t up : kPointers) {
    Peer peer;
    peer.connection().open_active(peer.tuple(), peer.iss, 1500, peer.now);
    peer.drain();
    peer.sends({.ctl = SYN | ACK | URG, .up = up});
    peer.snd_nxt += 1;
    EXPECT_EQ(peer.state(), State::ESTABLISHED);
    EXPECT_FALSE(peer.connection().has_urgent());
    peer.sends_text("text");
    EXPECT_EQ(peer.reads(), "text");
  }
}

}  // namespace
}  // namespace pollux::testing_support
