// reassembly_test.cc - fragments in any order, every overlap, every bound.
#include "stack/ip/reassembly.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "tests/support/long_runs.h"
#include "tests/unit/ip/ip_test_support.h"

namespace pollux {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

class ReassemblyTest : public PacketTest {
 protected:
  ReassemblyTest() { start({}); }
  void start(const Reassembly::Limits& limits) { reassembly.emplace(limits, rng); }

  struct Piece {
    std::size_t begin;
    std::size_t end;
  };
  // The octets [begin, end) of `whole`; more follow unless end is its size.
  Accepted<ipv4::Arrived> add(const Octets& whole, Piece piece, Header header = {}) {
    const bool more = piece.end < whole.size();
    header.fragment = static_cast<std::uint16_t>((more ? 0x2000 : 0) | piece.begin / 8);
    const Octets part(whole.begin() + static_cast<long>(piece.begin),
                      whole.begin() + static_cast<long>(piece.end));
    return reassembly->add(arrive(ip_packet(header, part)), now);
  }
  Drop refusal(const Accepted<ipv4::Arrived>& result) {
    return result ? Drop::count : result.error();
  }

  Rng rng{1};
  Instant now = Instant::from_ns(0) + Duration::seconds(1000);
  std::optional<Reassembly> reassembly;
};

TEST_F(ReassemblyTest, in_order) {
  const Octets whole = pattern(3000);
  EXPECT_EQ(refusal(add(whole, {0, 1480})), Drop::fragment_held);
  EXPECT_EQ(refusal(add(whole, {1480, 2960})), Drop::fragment_held);
  const auto arrived = add(whole, {2960, 3000});
  ASSERT_TRUE(arrived);
  EXPECT_EQ(octets_in(arrived->packet), whole);
  EXPECT_EQ(arrived->info.source, kPeer);
  EXPECT_EQ(arrived->info.header_length, 20);
  EXPECT_FALSE(arrived->is_fragment);
  EXPECT_EQ(reassembly->datagrams(), 0u);
  EXPECT_EQ(reassembly->fragments(), 0u);
  EXPECT_EQ(reassembly->memory(), 0u);
}

// 1122-3.3.2: random cuts, random order, duplicates: octet-exact.
TEST_F(ReassemblyTest, any_cut_in_any_order) {
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = 1 + rng.below(round % 10 == 0 ? 65515 : 4000);
    const Octets whole = pattern(size, static_cast<unsigned>(round));
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < size;) {
      const std::size_t step = size > 8000 ? 1480 : 8 * (1 + rng.below(100));
      pieces.push_back({at, std::min(size, at + step)});
      at = pieces.back().end;
    }
    for (std::size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[rng.below(i)]);
    const Header header{.id = static_cast<std::uint16_t>(round)};
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto arrived = add(whole, pieces[i], header);
      if (i + 1 == pieces.size()) {
        ASSERT_TRUE(arrived);
        ASSERT_EQ(octets_in(arrived->packet), whole);
      } else {
        ASSERT_EQ(refusal(arrived), Drop::fragment_held);
        ASSERT_EQ(refusal(add(whole, pieces[rng.below(i + 1)], header)), Drop::fragment_held);
      }
    }
    ASSERT_EQ(reassembly->memory(), 0u);
  }
}

TEST_F(ReassemblyTest, datagrams_are_kept_apart) {
  const Octets a = pattern(32), b = pattern(32, 100);
  const Header first{.id = 1};
  for (const Header& other :
       {Header{.id = 2}, Header{.source = IpAddress::v4(198, 18, 0, 3), .id = 1},
        Header{.protocol = 99, .id = 1}}) {
    EXPECT_EQ(refusal(add(a, {0, 16}, first)), Drop::fragment_held);
    EXPECT_EQ(refusal(add(b, {16, 32}, other)), Drop::fragment_held);
    EXPECT_EQ(octets_in(add(b, {0, 16}, other)->packet), b);
    EXPECT_EQ(octets_in(add(a, {16, 32}, first)->packet), a);
  }
}

// frag-overlap, V6: four fragments of a datagram, then any other range: all or nothing.
TEST_F(ReassemblyTest, every_overlap_spoils_the_datagram) {
  const Octets whole = pattern(64);
  for (std::size_t begin = 0; begin < 64; begin += 8) {
    for (std::size_t end = begin + 8; end <= 64; end += 8) {
      start({});
      ASSERT_EQ(refusal(add(whole, {0, 16})), Drop::fragment_held);
      ASSERT_EQ(refusal(add(whole, {32, 48})), Drop::fragment_held);
      const bool is_copy = (begin == 0 && end == 16) || (begin == 32 && end == 48);
      const bool overlaps = !is_copy && (begin < 16 || (begin < 48 && end > 32));
      const Drop reason = refusal(add(whole, {begin, end}));
      ASSERT_EQ(reason, overlaps ? Drop::fragment_overlap : Drop::fragment_held)
          << begin << " to " << end;
      if (!overlaps) continue;
      EXPECT_EQ(reassembly->fragments(), 0u);
      // Nothing of it is ever delivered.
      EXPECT_EQ(refusal(add(whole, {0, 32})), Drop::fragment_overlap);
      EXPECT_EQ(refusal(add(whole, {32, 64})), Drop::fragment_overlap);
    }
  }
}

// Four fragments, each the octets of two ends in units of 8, all filled with their own number.
struct FourFragments {
  std::array<std::pair<std::size_t, std::size_t>, 4> ends;

  // What the rules make of them: how many are to be taken before the datagram is whole (0: it never
  // is), and whose octets each unit has.
  std::size_t whole_after = 0;
  std::array<std::size_t, 4> owner{9, 9, 9, 9};
  void judge() {
    bool has_end = false;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& [begin, end] = ends[i];
      if (std::count(ends.begin(), ends.begin() + static_cast<long>(i), ends[i]) != 0) continue;
      for (std::size_t unit = begin; unit < end; ++unit) {
        if (owner[unit] != 9) return;  // an overlap: nothing comes of it
        owner[unit] = i;
      }
      has_end |= end == 4;
      if (has_end && std::count(owner.begin(), owner.end(), 9u) == 0) {
        whole_after = i + 1;
        return;
      }
    }
  }
};

// frag-overlap, V6 b: every choice of four ranges of a datagram of four units, in every order: it
// is delivered where ranges tile it without an overlap, copies apart, and then as the first of each
// said.
TEST_F(ReassemblyTest, every_shape_of_four_fragments) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  for (std::size_t begin = 0; begin < 4; ++begin) {
    for (std::size_t end = begin + 1; end <= 4; ++end) ranges.emplace_back(begin, end);
  }
  const std::size_t n = ranges.size();
  unsigned delivered = 0;
  for (std::size_t choice = 0; choice < n * n * n * n; ++choice) {
    FourFragments four{{ranges[choice % n], ranges[choice / n % n], ranges[choice / n / n % n],
                        ranges[choice / n / n / n]}};
    four.judge();
    start({});
    const Header header{.id = static_cast<std::uint16_t>(choice)};
    for (std::size_t i = 0; i < 4 && (four.whole_after == 0 || i < four.whole_after); ++i) {
      const Octets filled(32, static_cast<std::uint8_t>(i));
      const auto arrived = add(filled, {four.ends[i].first * 8, four.ends[i].second * 8}, header);
      ASSERT_EQ(arrived.ok(), i + 1 == four.whole_after) << choice;
      if (!arrived) continue;
      const Octets got = octets_in(arrived->packet);
      for (std::size_t at = 0; at < 32; ++at) ASSERT_EQ(got[at], four.owner[at / 8]) << choice;
      ++delivered;
    }
  }
  EXPECT_GT(delivered, 100u);
}

TEST_F(ReassemblyTest, spoiled_datagram_is_forgotten_in_time) {
  const Octets whole = pattern(64);
  add(whole, {0, 32}).ok();
  EXPECT_EQ(refusal(add(whole, {24, 64})), Drop::fragment_overlap);
  now = now + Duration::seconds(31);
  EXPECT_EQ(refusal(add(whole, {0, 32})), Drop::fragment_held);
  EXPECT_TRUE(add(whole, {32, 64}));
}

// frag-overlap, V6.
TEST_F(ReassemblyTest, two_ends_contradict) {
  const Octets whole = pattern(64), shorter = pattern(40), longer = pattern(80);
  add(whole, {48, 64}).ok();
  EXPECT_EQ(refusal(add(shorter, {32, 40})), Drop::fragment_overlap);
  const Header other{.id = 8};
  add(whole, {48, 64}, other).ok();
  EXPECT_EQ(refusal(add(longer, {64, 72}, other)), Drop::fragment_overlap) << "behind the end";
  const Header third{.id = 9};
  add(longer, {64, 72}, third).ok();
  EXPECT_EQ(refusal(add(whole, {40, 64}, third)), Drop::fragment_overlap) << "an end too early";
}

TEST_F(ReassemblyTest, ping_of_death) {  // frag-pod
  const Octets whole = pattern(70000);
  EXPECT_EQ(refusal(add(whole, {65520, 65528})), Drop::bad_length);
  const Octets longest = pattern(65515);
  EXPECT_EQ(refusal(add(longest, {65504, 65515})), Drop::fragment_held);
  EXPECT_EQ(refusal(add(pattern(65516), {65504, 65516}, {.id = 9})), Drop::bad_length);
}

TEST_F(ReassemblyTest, lengths_that_no_fragment_has) {
  const Octets whole = pattern(64);
  EXPECT_EQ(refusal(add(whole, {0, 12})), Drop::bad_length) << "not a multiple of 8";
  EXPECT_EQ(refusal(add(whole, {64, 64})), Drop::bad_length) << "empty";
  EXPECT_EQ(reassembly->datagrams(), 0u);
}

// frag-overlap (RFC 1858, RFC 3128): no tiny first fragment.
TEST_F(ReassemblyTest, tcp_headers_are_not_cut) {
  const Octets whole = pattern(64);
  const Header tcp{.protocol = 6};
  EXPECT_EQ(refusal(add(whole, {0, 8}, tcp)), Drop::bad_length);
  EXPECT_EQ(refusal(add(whole, {0, 16}, tcp)), Drop::bad_length);
  EXPECT_EQ(refusal(add(whole, {8, 16}, tcp)), Drop::bad_length);
  EXPECT_EQ(refusal(add(whole, {0, 24}, tcp)), Drop::fragment_held);
  EXPECT_TRUE(add(whole, {24, 64}, tcp));
}

// 1122-3.3.2.
TEST_F(ReassemblyTest, times_out_after_30_s_and_tells_of_the_first_fragment) {
  const Octets whole = pattern(64);
  EXPECT_TRUE(reassembly->next_timeout().is_never());
  add(whole, {0, 16}).ok();
  add(whole, {32, 64}, {.id = 8}).ok();
  EXPECT_EQ(reassembly->next_timeout(), now + Duration::seconds(30));
  now = now + Duration::seconds(20);
  add(whole, {16, 32}).ok();  // no fragment prolongs it
  now = now + Duration::seconds(10) - Duration::ns(1);
  reassembly->advance(now);
  EXPECT_EQ(reassembly->datagrams(), 2u);
  reassembly->advance(now + Duration::ns(1));
  EXPECT_EQ(reassembly->datagrams(), 0u);
  EXPECT_EQ(reassembly->timeouts(), 2u);
  ipv4::Arrived first;
  ASSERT_TRUE(reassembly->next_expired(first));
  EXPECT_EQ(octets_in(first.packet), pattern(16));
  EXPECT_EQ(first.info.source, kPeer);
  EXPECT_FALSE(reassembly->next_expired(first)) << "the other had no first fragment";
}

// --- bounds (frag-limits, V6)

// frag-limits.
TEST_F(ReassemblyTest, fragments_of_a_datagram_are_bounded) {
  start({.fragments_per_datagram = 4});
  const Octets whole = pattern(400);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(refusal(add(whole, {i * 16, i * 16 + 8})), Drop::fragment_held);
  }
  EXPECT_EQ(refusal(add(whole, {64, 72})), Drop::fragment_limit);
  EXPECT_EQ(reassembly->fragments(), 0u);
}

// frag-limits, V6.
TEST_F(ReassemblyTest, one_source_takes_only_its_share) {
  start({.datagrams = 32, .datagrams_per_source = 8});
  const Octets whole = pattern(64);
  for (std::uint16_t id = 0; id < 20; ++id) {
    const Drop reason = refusal(add(whole, {0, 8}, {.id = id}));
    EXPECT_EQ(reason, id < 8 ? Drop::fragment_held : Drop::fragment_limit);
  }
  const Header other{.source = IpAddress::v4(198, 18, 0, 77)};
  EXPECT_EQ(refusal(add(whole, {0, 32}, other)), Drop::fragment_held);
  EXPECT_TRUE(add(whole, {32, 64}, other));
}

TEST_F(ReassemblyTest, the_oldest_datagram_gives_way) {
  start({.datagrams = 4});
  const Octets whole = pattern(64);
  for (std::uint16_t id = 0; id < 5; ++id) {
    add(whole, {0, 32}, {.id = id}).ok();
    now = now + Duration::ms(1);
  }
  EXPECT_EQ(reassembly->evictions(), 1u);
  EXPECT_FALSE(add(whole, {32, 64}, {.id = 0})) << "evicted";
  EXPECT_TRUE(add(whole, {32, 64}, {.id = 4}));
}

// frag-limits, V6.
TEST_F(ReassemblyTest, memory_is_bounded_by_whole_buffers) {
  start({.memory = 20000});
  const Octets whole = pattern(64);
  for (std::uint16_t id = 0; id < 100; ++id) {
    add(whole, {0, 8}, {.id = id}).ok();
    ASSERT_LE(reassembly->memory(), 20000u);
  }
  EXPECT_GE(reassembly->evictions(), 50u);
}

// frag-limits, V6 a (CVE-2018-5391): random fragments of a hundred sources, a million of them in
// the suite `long`: what they hold stays bounded, and the datagrams of another source become whole
// in their midst.
TEST_F(ReassemblyTest, a_flood_of_random_fragments_stays_bounded) {
  start({.datagrams = 64, .fragments = 256, .memory = 600000});
  const Octets whole = pattern(64);
  const auto hostile = [&] {
    ipv4::Arrived fragment;
    fragment.info.source = IpAddress::v4(198, 18, 0, 100 + static_cast<unsigned>(rng.below(100)));
    fragment.info.destination = kUs;
    fragment.info.protocol = wire::kProtocolUdp;
    fragment.info.interface = kA;
    fragment.id = static_cast<std::uint16_t>(rng.below(500));
    fragment.fragment_offset = static_cast<std::uint16_t>(8 * rng.below(8000));
    fragment.more_fragments = rng.chance(0.99);
    fragment.is_fragment = true;
    fragment.packet = test_pool().allocate();
    fragment.packet.put(static_cast<std::uint16_t>(8 * (1 + rng.below(20))));
    return fragment;
  };
  const std::uint32_t fragments = testing_support::times(50'000, 1'000'000);
  std::uint32_t whole_ones = 0;
  for (std::uint32_t i = 0; i < fragments; ++i) {
    reassembly->add(hostile(), now).ok();
    now = now + Duration::us(10);
    ASSERT_LE(reassembly->datagrams(), 64u);
    ASSERT_LE(reassembly->fragments(), 256u);
    ASSERT_LE(reassembly->memory(), 600000u);
    const Header quiet{.id = static_cast<std::uint16_t>(i / 1000)};
    if (i % 1000 == 0) add(whole, {0, 32}, quiet).ok();
    if (i % 1000 == 8) whole_ones += add(whole, {32, 64}, quiet).ok();
  }
  EXPECT_EQ(whole_ones, fragments / 1000);
}

// 3168-5.3: every pair of codepoints, in both orders. CE is never lost; beside Not-ECT it is
// forged.
TEST_F(ReassemblyTest, congestion_experienced_by_any_fragment_is_the_datagrams) {
  constexpr std::uint8_t kDscp = 0x28, kNotEct = 0, kCe = 3;
  const Octets whole = pattern(64);
  for (std::uint8_t first = 0; first < 4; ++first) {
    for (std::uint8_t second = 0; second < 4; ++second) {
      const auto tos = [&](std::uint8_t ecn) { return static_cast<std::uint8_t>(kDscp | ecn); };
      add(whole, {32, 64}, {.tos = tos(second)}).ok();
      const auto arrived = add(whole, {0, 32}, {.tos = tos(first)});
      EXPECT_EQ(reassembly->memory(), 0u);
      if ((first == kCe && second == kNotEct) || (first == kNotEct && second == kCe)) {
        EXPECT_EQ(refusal(arrived), Drop::fragment_ecn);
        continue;
      }
      ASSERT_TRUE(arrived) << int{first} << int{second};
      EXPECT_EQ(arrived->info.tos, tos(first == kCe || second == kCe ? kCe : first));
    }
  }
}

TEST_F(ReassemblyTest, checksum_of_the_whole_is_in_doubt) {
  const Octets whole = pattern(64);
  const auto fragment = [&](std::uint16_t field, std::size_t begin, Checksum verdict) {
    const Octets part(whole.begin() + static_cast<long>(begin),
                      whole.begin() + static_cast<long>(begin) + 32);
    ipv4::Arrived arrived = arrive(ip_packet({.fragment = field}, part));
    arrived.packet.meta().l4_checksum = verdict;
    return reassembly->add(std::move(arrived), now);
  };
  for (const Checksum verdict : {Checksum::unknown, Checksum::good, Checksum::valid}) {
    fragment(0x2000, 0, verdict).ok();
    const auto arrived = fragment(4, 32, verdict);
    ASSERT_TRUE(arrived);
    const Checksum expected = verdict == Checksum::valid ? Checksum::valid : Checksum::unknown;
    EXPECT_EQ(arrived->packet.meta().l4_checksum, expected);
  }
}

}  // namespace
}  // namespace pollux
