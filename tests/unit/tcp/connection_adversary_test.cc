// connection_adversary_test.cc - a peer that sends anything: nothing breaks, nothing is amplified.
#include <cstdlib>

#include "tests/support/tcp_peer.h"

namespace pollux::testing_support {
namespace {

// A number near something that matters, or any number.
SeqNum near(Rng& rng, SeqNum a, SeqNum b) {
  const SeqNum base = rng.chance(0.5) ? a : b;
  switch (rng.below(4)) {
    case 0:
      return base;
    case 1:
      return base + static_cast<std::uint32_t>(rng.below(5)) - 2u;
    case 2:
      return base + static_cast<std::uint32_t>(rng.below(140'000)) - 70'000u;
    default:
      return SeqNum(static_cast<std::uint32_t>(rng.next()));
  }
}

Seg any_segment(Rng& rng, const Connection& connection) {
  const SeqNum nxt = connection.rcv().nxt;
  Seg seg;
  seg.seq = near(rng, nxt, nxt + connection.rcv().wnd);
  seg.ack = near(rng, connection.snd().una, connection.snd().max);
  seg.wnd = static_cast<std::uint32_t>(rng.chance(0.3) ? 0 : rng.below(65536));
  const bool is_wild = rng.chance(0.01);
  seg.ctl = is_wild ? Control(static_cast<std::uint8_t>(rng.below(256)))
                    : (rng.chance(0.2) ? PSH | ACK : Control(ACK));
  if (rng.chance(0.005)) seg.ctl = seg.ctl | FIN;
  if (rng.chance(0.1)) seg.ctl = seg.ctl | URG;
  seg.up = static_cast<std::uint16_t>(rng.chance(0.5) ? rng.below(20) : rng.below(65536));
  if (rng.chance(0.6)) seg.text = std::string(rng.below(2000), 'x');
  seg.piece = 1 + rng.below(2048);
  TcpOptions options;
  options.has_timestamps = rng.chance(0.8);
  options.ts_val = static_cast<std::uint32_t>(rng.chance(0.9) ? 1 + rng.below(50) : rng.next());
  options.ts_ecr = static_cast<std::uint32_t>(rng.next());
  options.sack_count = static_cast<std::uint8_t>(rng.below(5));
  for (SackBlock& block : options.sack) {
    block.left = near(rng, connection.snd().una, connection.snd().max);
    block.right = near(rng, connection.snd().una, connection.snd().max);
  }
  seg.options = options;
  return seg;
}

void any_call(Rng& rng, Peer& peer) {
  switch (rng.below(13)) {
    case 0:
    case 1:
    case 2:
      peer.writes(std::string(rng.below(5000), 'y'), {.oob = rng.chance(0.1)});
      break;
    case 3:
    case 4:
      peer.reads(rng.below(3000), {.peek = rng.chance(0.2), .oob = rng.chance(0.2)});
      break;
    case 5:
      peer.advance(Duration::ms(static_cast<std::int64_t>(rng.below(3000))));
      break;
    case 6:
      peer.connection().options().oob_inline = rng.chance(0.5);
      break;
    case 7:
      peer.connection().options_changed(peer.now);
      break;
    case 8:
      if (rng.chance(0.1)) peer.connection().shutdown_send(peer.now);
      break;
    case 9:
      if (rng.chance(0.05)) peer.connection().close(peer.now);
      break;
    case 10:
      peer.shared().memory_is_low = rng.chance(0.3);
      break;
    case 11:
      peer.connection().path_may_take(static_cast<std::uint16_t>(rng.below(1600)), peer.now);
      break;
    default:
      peer.connection().path_mtu(
          static_cast<std::uint16_t>(rng.below(1600)),
          peer.connection().snd().una + static_cast<std::uint32_t>(rng.below(3000)), peer.now);
  }
}

// Faults V2, V8, V13, V23, V25: the invariants are checked inside after every event. Most segments
// say that the connection goes on, so that a run reaches far.
TEST(ConnectionAdversary, anything_may_come) {
  std::uint64_t arrived = 0, left = 0;
  const char* many = std::getenv("POLLUX_SEEDS");
  const std::uint64_t count = many ? std::strtoull(many, nullptr, 10) : 300;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    const std::string note = "seed " + std::to_string(seed);
    set_check_note(note.c_str());
    Rng rng(seed);
    Peer::Setup setup;
    setup.config.mtu_probing = static_cast<std::uint32_t>(rng.below(3));
    setup.syn = rng.chance(0.5) ? all_options() : sack_only();
    setup.options.receive_buffer = rng.chance(0.5) ? 8192 : 0;
    auto peer = established(setup);
    for (int i = 0; i < 300 && peer->state() != State::CLOSED; ++i) {
      peer->sends(any_segment(rng, peer->connection()));
      ++arrived;
      if (rng.chance(0.3)) any_call(rng, *peer);
      if (rng.chance(0.7)) left += peer->drain().size();
      peer->connection().take_events();
    }
    peer->drain();
    set_check_note(nullptr);
    ASSERT_FALSE(HasFailure()) << note;
  }
  EXPECT_GT(arrived, 60 * count);  // the runs reached far
  EXPECT_GT(left, 5 * count);
}

// Faults V23; 5961-10: two ends that disagree about everything do not answer each other for ever.
TEST(ConnectionAdversary, desynchronised_ends_fall_silent) {
  auto a = established();
  Peer::Setup other;
  auto b = std::make_unique<Peer>(other);
  b->iss = SeqNum(0x70000000);
  b->snd_nxt = SeqNum(0x10000000);
  b->open_active();
  std::size_t exchanged = 0;
  a->writes("hello");
  for (int round = 0; round < 100; ++round) {
    for (Segment& seg : a->drain()) {
      ++exchanged;
      b->sends({.seq = seg.seq, .ack = seg.ack, .ctl = seg.ctl, .text = a->text_of(seg)});
    }
    for (Segment& seg : b->drain()) {
      ++exchanged;
      a->sends({.seq = seg.seq, .ack = seg.ack, .ctl = seg.ctl});
    }
    a->advance(Duration::ms(100));
    b->advance(Duration::ms(100));
  }
  EXPECT_LE(exchanged, 20u);  // ten seconds: the retransmissions of one text and what they cause
}

// V23: both ends have closed their windows and have text to send: probes and their answers, further
// and further apart, not an answer for each answer.
TEST(ConnectionAdversary, two_closed_windows_make_no_storm) {
  Peer::Setup setup;
  setup.options.receive_buffer = 4096;
  auto a = established(setup);
  Peer::Setup other = setup;
  auto b = std::make_unique<Peer>(other);
  b->iss = a->snd_nxt - 1u;
  b->snd_nxt = a->iss;
  b->open_passive();
  std::size_t exchanged = 0;
  const auto pump = [&](Peer& from, Peer& to) {
    for (Segment& seg : from.drain()) {
      ++exchanged;
      to.sends({.seq = seg.seq,
                .ack = seg.ack,
                .wnd = seg.wnd,
                .ctl = seg.ctl,
                .text = from.text_of(seg)});
    }
  };
  a->writes(std::string(100'000, 'a'));
  b->writes(std::string(100'000, 'b'));
  const auto pass = [&](int tenths) {
    for (int tenth = 0; tenth < tenths; ++tenth) {
      a->advance(Duration::ms(100));
      b->advance(Duration::ms(100));
      for (int round = 0; round < 10; ++round) pump(*a, *b), pump(*b, *a);
    }
  };
  for (int round = 0; round < 200; ++round) pump(*a, *b), pump(*b, *a);
  pass(30);  // until the last octets of either window are sent
  EXPECT_EQ(a->connection().snd().wnd, 0u);
  EXPECT_EQ(b->connection().snd().wnd, 0u);
  exchanged = 0;
  pass(100);
  EXPECT_GT(exchanged, 4u);
  EXPECT_LE(exchanged, 40u);  // six probes each way, six answers to each
}

// V18: one segment acknowledged octet by octet opens the window by one segment at most; what was
// never sent, acknowledged, opens it by nothing (opt-ack).
TEST(ConnectionAdversary, acks_that_are_split_or_invented_gain_nothing) {
  auto peer = established();
  peer->writes(std::string(500'000, 'x'));
  peer->drain();
  const auto cwnd = [&] { return peer->connection().info(peer->now).snd_cwnd; };
  const std::uint32_t before = cwnd();
  for (std::uint32_t n = 1; n <= 1460; ++n) {
    peer->sends({.ack = peer->iss + 1 + n});
    peer->drain();
  }
  EXPECT_LE(cwnd(), before + 1);
  const std::uint32_t then = cwnd();
  for (const std::uint32_t beyond : {1u, 1460u, 100'000u, 0x7fffffffu}) {
    peer->sends({.ack = peer->connection().snd().max + beyond});
    peer->drain();
  }
  EXPECT_EQ(cwnd(), then);
}

}  // namespace
}  // namespace pollux::testing_support
