// checksum_test.cc - the checksum against a reference of two lines, for lengths, offsets and
// splits.
#include "stack/wire/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "stack/base/rng.h"
#include "tests/support/long_runs.h"

namespace pollux::wire {
namespace {

// RFC 1071, word by word.
std::uint16_t reference(ConstBytes bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::vector<std::byte> random_bytes(Rng& rng, std::size_t size) {
  std::vector<std::byte> bytes(size);
  // Runs of one value too: all ones is where carries hide.
  const bool is_flat = rng.chance(0.2);
  const auto flat = static_cast<std::byte>(rng.chance(0.5) ? 0xff : rng.next());
  for (std::byte& b : bytes) b = is_flat ? flat : static_cast<std::byte>(rng.next());
  return bytes;
}

TEST(Checksum, example_of_rfc_1071) {
  const std::uint8_t octets[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(ones_sum(std::as_bytes(std::span(octets))), 0xddf2);
  EXPECT_EQ(checksum(std::as_bytes(std::span(octets))), 0x220d);
}

TEST(Checksum, empty_is_zero) {
  EXPECT_EQ(ones_sum({}), 0);
  EXPECT_EQ(Sum().folded(), 0);
}

TEST(Checksum, every_length_and_offset_as_the_reference) {  // CSUM-1
  Rng rng(1);
  const std::vector<std::byte> bytes = random_bytes(rng, 4096);
  for (std::size_t size = 0; size < 600; ++size) {
    for (std::size_t offset = 0; offset < 17; ++offset) {
      const ConstBytes span = ConstBytes(bytes).subspan(offset, size);
      ASSERT_EQ(ones_sum(span), reference(span)) << size << " at " << offset;
    }
  }
}

TEST(Checksum, random_lengths_up_to_64k) {  // CSUM-1
  Rng rng(2);
  for (int i = 0; i < 3000; ++i) {
    const std::size_t most = rng.chance(0.1) ? 65536 : 2048;
    const std::vector<std::byte> bytes = random_bytes(rng, rng.below(most));
    ASSERT_EQ(ones_sum(bytes), reference(bytes)) << bytes.size();
  }
}

// CSUM-1: any length, offset and cut into 1 to 8 pieces, flat runs of 0 and 0xff included: the sum,
// the copying sum and the sum of the pieces are the reference's; 10^7 cases in the suite `long`.
TEST(Checksum, every_variant_agrees_with_the_reference) {
  Rng rng(7);
  std::vector<std::byte> bytes = random_bytes(rng, 66'000);
  std::fill(bytes.begin() + 10'000, bytes.begin() + 20'000, std::byte{0xff});
  std::fill(bytes.begin() + 30'000, bytes.begin() + 40'000, std::byte{0});
  std::vector<std::byte> copy(bytes.size());
  const std::uint32_t cases = testing_support::times(100'000, 10'000'000);
  for (std::uint32_t i = 0; i < cases; ++i) {
    const std::size_t size = rng.below(rng.chance(0.001) ? 65'536 : 160);
    const ConstBytes span = ConstBytes(bytes).subspan(rng.below(bytes.size() - size), size);
    const std::uint16_t right = reference(span);
    ASSERT_EQ(ones_sum(span), right) << size;
    ASSERT_EQ(copy_and_sum(copy.data(), span), right) << size;
    Sum sum;
    std::size_t done = 0;
    for (std::uint64_t pieces = 1 + rng.below(8); pieces > 0; --pieces) {
      const std::size_t piece = pieces == 1 ? size - done : rng.below(size - done + 1);
      sum.add(span.subspan(done, piece));
      done += piece;
    }
    ASSERT_EQ(sum.folded(), right) << size;
  }
}

TEST(Checksum, all_ones_of_64k_overflow_nothing) {
  const std::vector<std::byte> bytes(65535, std::byte{0xff});
  EXPECT_EQ(ones_sum(bytes), reference(bytes));
}

TEST(Checksum, copy_and_sum_copies_and_sums) {
  Rng rng(3);
  for (int i = 0; i < 5000; ++i) {
    const std::vector<std::byte> from = random_bytes(rng, rng.below(300));
    std::vector<std::byte> to(from.size() + 1, std::byte{0x5a});
    ASSERT_EQ(copy_and_sum(to.data(), from), reference(from));
    ASSERT_TRUE(std::equal(from.begin(), from.end(), to.begin()));
    ASSERT_EQ(to.back(), std::byte{0x5a});
  }
}

TEST(Checksum, splits_at_odd_places_sum_up_to_the_whole) {  // CSUM-1
  Rng rng(4);
  for (int i = 0; i < 20000; ++i) {
    const std::vector<std::byte> bytes = random_bytes(rng, rng.below(400));
    Sum sum;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(rng.below(60), bytes.size() - at);
      sum.add(ConstBytes(bytes).subspan(at, size));
      at += size;
    }
    ASSERT_EQ(sum.folded(), reference(bytes));
  }
}

// CSUM-1 (RFC 1624).
TEST(Checksum, update_is_the_same_as_summing_again) {
  Rng rng(5);
  for (int i = 0; i < 50000; ++i) {
    std::vector<std::byte> bytes = random_bytes(rng, 20);
    bytes[0] = std::byte{0x45};  // never all zero, as no header is
    const std::size_t at = 2 + 2 * rng.below(9);
    const auto word = [&] {
      return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 |
                                        std::to_integer<unsigned>(bytes[at + 1]));
    };
    const std::uint16_t before = checksum(bytes), was = word();
    const std::uint64_t draw = rng.next();
    bytes[at] = static_cast<std::byte>(draw % 3 == 0 ? 0 : draw >> 8);
    bytes[at + 1] = static_cast<std::byte>(draw % 3 == 0 ? 0 : draw >> 16);
    ASSERT_EQ(update_checksum(before, was, word()), checksum(bytes));
  }
}

TEST(Checksum, update_example_of_rfc_1624) {
  EXPECT_EQ(update_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
}

TEST(Checksum, right_one_makes_all_ones) {
  std::vector<std::byte> bytes(20, std::byte{7});
  bytes[10] = bytes[11] = std::byte{0};
  const be16 field = checksum(bytes);
  std::memcpy(&bytes[10], &field, sizeof field);
  EXPECT_TRUE(is_checksum_right(bytes));
  bytes[3] ^= std::byte{1};
  EXPECT_FALSE(is_checksum_right(bytes));
}

TEST(Checksum, pseudo_header_as_its_octets) {
  Rng rng(6);
  for (int i = 0; i < 1000; ++i) {
    const auto from = static_cast<std::uint32_t>(rng.next());
    const auto to = static_cast<std::uint32_t>(rng.next());
    const auto length = static_cast<std::uint16_t>(rng.next());
    struct {
      be32 source, destination;
      std::uint8_t zero = 0, protocol = 17;
      be16 length;
    } octets;
    octets.source = from;
    octets.destination = to;
    octets.length = length;
    const PseudoHeader pseudo{IpAddress::v4(from), IpAddress::v4(to), 17, length};
    ASSERT_EQ(pseudo_header_sum(pseudo), reference(std::as_bytes(std::span(&octets, 1))));
  }
}

}  // namespace
}  // namespace pollux::wire
