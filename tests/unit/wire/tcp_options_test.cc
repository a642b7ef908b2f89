// tcp_options_test.cc - options parsed and built: every kind, every length, Linux's order.
#include "stack/wire/tcp_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "stack/base/rng.h"

namespace pollux::wire {
namespace {

using tcp::SeqNum;
using tcp::TcpOptions;
using Octets = std::vector<std::uint8_t>;

TcpOptions parse(const Octets& octets, bool is_syn = true) {
  TcpOptions options;
  parse_tcp_options(std::as_bytes(std::span(octets)), is_syn, options);
  return options;
}

Octets build(const TcpOptions& options) {
  std::byte out[kTcpMaxOptions];
  const std::size_t size = build_tcp_options(options, out);
  EXPECT_EQ(size, tcp_options_size(options));
  const auto* at = reinterpret_cast<const std::uint8_t*>(out);
  return Octets(at, at + size);
}

const TcpOptions kAll{.mss = 1460,
                      .window_scale = 7,
                      .has_window_scale = true,
                      .sack_permitted = true,
                      .has_timestamps = true,
                      .ts_val = 0x01020304,
                      .ts_ecr = 0x05060708};

TEST(ParseTcpOptions, syn_of_linux) {  // MUST-4
  const TcpOptions o = parse({2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7});
  EXPECT_EQ(o.mss, 1460);
  EXPECT_TRUE(o.sack_permitted);
  EXPECT_TRUE(o.has_timestamps);
  EXPECT_EQ(o.ts_val, 0x01020304u);
  EXPECT_EQ(o.ts_ecr, 0x05060708u);
  EXPECT_TRUE(o.has_window_scale);
  EXPECT_EQ(o.window_scale, 7);
  EXPECT_EQ(o.sack_count, 0);
}

TEST(ParseTcpOptions, timestamps_at_every_alignment) {  // MUST-64
  for (std::size_t nops = 0; nops < 8; ++nops) {
    Octets octets(nops, 1);
    octets.insert(octets.end(), {8, 10, 0, 0, 0, 9, 0, 0, 0, 8});
    const TcpOptions o = parse(octets, false);
    EXPECT_TRUE(o.has_timestamps) << nops;
    EXPECT_EQ(o.ts_val, 9u);
    EXPECT_EQ(o.ts_ecr, 8u);
  }
}

TEST(ParseTcpOptions, in_other_segments_only_what_belongs_there) {  // MUST-5, MUST-65
  const TcpOptions o =
      parse({2, 4, 5, 0xb4, 3, 3, 7, 4, 2, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 5}, false);
  EXPECT_EQ(o.mss, 0);
  EXPECT_FALSE(o.has_window_scale);
  EXPECT_FALSE(o.sack_permitted);
  ASSERT_EQ(o.sack_count, 1);
  EXPECT_EQ(o.sack[0].left, SeqNum(1));
  EXPECT_EQ(o.sack[0].right, SeqNum(5));
}

TEST(ParseTcpOptions, sack_in_a_syn_is_ignored) {
  EXPECT_EQ(parse({1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 5}, true).sack_count, 0);
}

TEST(ParseTcpOptions, shift_beyond_14_is_14) {  // RFC 7323 2.3
  EXPECT_EQ(parse({3, 3, 14}).window_scale, 14);
  EXPECT_EQ(parse({3, 3, 15}).window_scale, 14);
  EXPECT_EQ(parse({3, 3, 255}).window_scale, 14);
}

TEST(ParseTcpOptions, unknown_kinds_are_stepped_over) {  // MUST-6
  for (const int kind : {253, 254, 200, 19, 30, 34, 6, 7}) {
    for (std::uint8_t length = 2; length <= 36; ++length) {
      Octets octets(length, 0xff);
      octets[0] = static_cast<std::uint8_t>(kind);
      octets[1] = length;
      octets.insert(octets.end(), {2, 4, 2, 0x18});
      EXPECT_EQ(parse(octets).mss, 536) << kind << " of " << int{length};
    }
  }
}

TEST(ParseTcpOptions, what_is_behind_the_end_is_ignored) {  // MUST-69
  EXPECT_EQ(parse({0, 2, 4, 2, 0x18}).mss, 0);
  EXPECT_EQ(parse({2, 4, 2, 0x18, 0, 0xff, 0xff, 0xff}).mss, 536);
}

TEST(ParseTcpOptions, illegal_lengths_end_the_walk) {  // MUST-7
  for (const Octets& bad : {Octets{2, 0}, Octets{2, 1}, Octets{8, 0}, Octets{8, 1}, Octets{2},
                            Octets{8, 10, 1, 2}, Octets{99, 41}, Octets{5, 255}}) {
    Octets octets{2, 4, 2, 0x18};
    octets.insert(octets.end(), bad.begin(), bad.end());
    const TcpOptions o = parse(octets);
    EXPECT_EQ(o.mss, 536) << "what was before the bad one counts";
    EXPECT_FALSE(o.has_timestamps);
  }
}

TEST(ParseTcpOptions, known_kinds_of_wrong_length_are_ignored) {
  EXPECT_EQ(parse({2, 3, 5, 2, 4, 2, 0x18}).mss, 536);
  EXPECT_EQ(parse({2, 5, 5, 5, 5}).mss, 0);
  EXPECT_FALSE(parse({3, 4, 7, 7}).has_window_scale);
  EXPECT_FALSE(parse({4, 3, 0}).sack_permitted);
  EXPECT_FALSE(parse({8, 9, 0, 0, 0, 0, 0, 0, 0}).has_timestamps);
  EXPECT_EQ(parse({5, 9, 0, 0, 0, 0, 0, 0, 0}, false).sack_count, 0);
  EXPECT_EQ(parse({5, 2}, false).sack_count, 0);
}

// The option at every fifth place among NOPs, in a heap block that ends where the options do: ASan
// sees a step too far.
void check_one_tcp_option(unsigned kind, unsigned length, std::size_t room) {
  const auto block = std::make_unique<std::byte[]>(room);
  for (std::size_t at = 0; at < room; at += 5) {
    std::fill_n(block.get(), room, std::byte{1});
    block[at] = static_cast<std::byte>(kind);
    if (at + 1 < room) block[at + 1] = static_cast<std::byte>(length);
    TcpOptions o;
    parse_tcp_options({block.get(), room}, kind % 2 == 0, o);
    ASSERT_LE(o.sack_count, 4);
    ASSERT_LE(o.window_scale, 14);
  }
}

TEST(ParseTcpOptions, every_kind_length_and_position_stays_inside) {  // V1
  for (unsigned kind = 0; kind < 256; ++kind) {
    for (unsigned length = 0; length <= 41; ++length) {
      for (std::size_t room = 1; room <= kTcpMaxOptions; room += 3)
        check_one_tcp_option(kind, length, room);
    }
  }
}

// 7413-4.1
TEST(ParseTcpOptions, row_7413_4_1_fast_open_of_every_length) {
  for (std::uint8_t size = 0; size <= 20; ++size) {
    Octets octets = {34, static_cast<std::uint8_t>(2 + size)};
    for (std::uint8_t i = 0; i < size; ++i) octets.push_back(static_cast<std::uint8_t>(100 + i));
    const TcpOptions o = parse(octets);
    const bool is_legal = size == 0 || (size >= 4 && size <= 16 && size % 2 == 0);
    EXPECT_EQ(o.has_fast_open, is_legal) << int{size};
    EXPECT_FALSE(o.is_fast_open_experimental);
    if (!is_legal) continue;
    EXPECT_EQ(o.fast_open.size, size);
    if (size != 0) {
      EXPECT_EQ(o.fast_open.octets[size - 1u], 99 + size);
    }
    EXPECT_FALSE(parse(octets, false).has_fast_open);  // in a SYN only
  }
}

TEST(ParseTcpOptions, fast_open_of_before_its_number) {
  const TcpOptions request = parse({254, 4, 0xf9, 0x89});
  EXPECT_TRUE(request.has_fast_open);
  EXPECT_TRUE(request.is_fast_open_experimental);
  EXPECT_EQ(request.fast_open.size, 0);
  EXPECT_EQ(parse({254, 8, 0xf9, 0x89, 1, 2, 3, 4}).fast_open.octets[3], 4);
  EXPECT_FALSE(parse({254, 4, 0xf9, 0x88}).has_fast_open);  // another experiment
  const TcpOptions twice = parse({254, 8, 0xf9, 0x89, 1, 2, 3, 4, 34, 2});
  EXPECT_EQ(twice.fast_open, tcp::FastOpenCookie());  // the last one counts
  EXPECT_FALSE(twice.is_fast_open_experimental);
  EXPECT_FALSE(parse({254, 3, 0xf9, 0x89}).has_fast_open);
}

TEST(BuildTcpOptions, fast_open_is_padded_and_comes_last) {
  TcpOptions options{.mss = 1460, .has_fast_open = true};
  EXPECT_EQ(build(options), (Octets{2, 4, 5, 0xb4, 1, 1, 34, 2}));
  options.fast_open = {.size = 4, .octets = {9, 8, 7, 6}};
  EXPECT_EQ(build(options), (Octets{2, 4, 5, 0xb4, 1, 1, 34, 6, 9, 8, 7, 6}));
  options.is_fast_open_experimental = true;
  EXPECT_EQ(build(options), (Octets{2, 4, 5, 0xb4, 254, 8, 0xf9, 0x89, 9, 8, 7, 6}));
}

TEST(BuildTcpOptions, the_longest_cookie_fits_beside_all_a_syn_has) {
  for (const bool is_experimental : {false, true}) {
    TcpOptions options = kAll;
    options.has_fast_open = true;
    options.is_fast_open_experimental = is_experimental;
    options.fast_open = {.size = 16,
                         .octets = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    const Octets octets = build(options);
    EXPECT_EQ(octets.size(), 40u);
    const TcpOptions o = parse(octets);
    EXPECT_EQ(o.fast_open, options.fast_open);
    EXPECT_EQ(o.is_fast_open_experimental, is_experimental);
    EXPECT_EQ(o.window_scale, 7);
  }
}

TEST(BuildTcpOptions, syn_in_linux_order) {
  EXPECT_EQ(build(kAll), (Octets{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7}));
}

TEST(BuildTcpOptions, syn_without_timestamps) {
  TcpOptions o = kAll;
  o.has_timestamps = false;
  EXPECT_EQ(build(o), (Octets{2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7}));
}

TEST(BuildTcpOptions, timestamps_alone) {
  const TcpOptions o{.has_timestamps = true, .ts_val = 1, .ts_ecr = 2};
  EXPECT_EQ(build(o), (Octets{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}));
}

TEST(BuildTcpOptions, nothing_is_nothing) { EXPECT_TRUE(build({}).empty()); }

TEST(BuildTcpOptions, as_many_sack_blocks_as_fit) {  // RFC 2018 3
  TcpOptions o{.sack_count = 4};
  for (unsigned i = 0; i < 4; ++i) o.sack[i] = {SeqNum(100 * i), SeqNum(100 * i + 10)};
  EXPECT_EQ(build(o).size(), 36u);
  o.has_timestamps = true;
  const Octets octets = build(o);
  EXPECT_EQ(octets.size(), 40u);  // three blocks beside the timestamps
  EXPECT_EQ(octets[12], 1);
  EXPECT_EQ(octets[14], 5);
  EXPECT_EQ(octets[15], 26);
}

TEST(BuildTcpOptions, what_is_built_is_read_back) {  // MUST-68
  Rng rng(7);
  for (int i = 0; i < 20000; ++i) {
    TcpOptions o;
    const bool is_syn = rng.chance(0.5);
    if (is_syn) {
      o.mss = static_cast<std::uint16_t>(rng.next());
      o.has_window_scale = rng.chance(0.5);
      if (o.has_window_scale) o.window_scale = static_cast<std::uint8_t>(rng.below(15));
      o.sack_permitted = rng.chance(0.5);
    } else {
      o.sack_count = static_cast<std::uint8_t>(rng.below(4));
      for (auto& b : o.sack) b = {SeqNum(static_cast<std::uint32_t>(rng.next())), SeqNum(5)};
    }
    o.has_timestamps = rng.chance(0.5);
    o.ts_val = o.has_timestamps ? static_cast<std::uint32_t>(rng.next()) : 0;
    const Octets octets = build(o);
    ASSERT_EQ(octets.size() % 4, 0u);
    const TcpOptions back = parse(octets, is_syn);
    ASSERT_EQ(back.mss, o.mss);
    ASSERT_EQ(back.has_window_scale, o.has_window_scale);
    ASSERT_EQ(back.window_scale, o.window_scale);
    ASSERT_EQ(back.sack_permitted, o.sack_permitted);
    ASSERT_EQ(back.ts_val, o.ts_val);
    ASSERT_EQ(back.sack_count, o.sack_count);
    for (std::size_t b = 0; b < o.sack_count; ++b) ASSERT_EQ(back.sack[b], o.sack[b]);
  }
}

}  // namespace
}  // namespace pollux::wire
