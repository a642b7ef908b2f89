// ip_options_test.cc - IPv4 options: what a host ignores, source routes, lengths that lie.
#include "stack/wire/ip_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace pollux::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

IpOptions check(const Octets& octets) { return check_ip_options(std::as_bytes(std::span(octets))); }

TEST(IpOptions, harmless_ones_are_ignored) {  // MUST-50
  EXPECT_EQ(check({}), IpOptions::harmless);
  EXPECT_EQ(check({1, 1, 1, 0}), IpOptions::harmless);
  EXPECT_EQ(check({7, 7, 4, 0, 0, 0, 0, 0}), IpOptions::harmless);                // record route
  EXPECT_EQ(check({68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}), IpOptions::harmless);  // time stamps
  EXPECT_EQ(check({148, 4, 0, 0}), IpOptions::harmless);                          // router alert
  EXPECT_EQ(check({255, 2, 0, 0}), IpOptions::harmless);
}

TEST(IpOptions, source_routes_are_found_wherever_they_stand) {  // MUST-51 to MUST-53: deviation
  EXPECT_EQ(check({131, 7, 4, 1, 2, 3, 4, 0}), IpOptions::source_route);
  EXPECT_EQ(check({137, 3, 4, 0}), IpOptions::source_route);
  EXPECT_EQ(check({1, 7, 3, 4, 131, 3, 4, 0}), IpOptions::source_route);
}

TEST(IpOptions, behind_the_end_nothing_counts) {
  EXPECT_EQ(check({0, 131, 3, 4}), IpOptions::harmless);
}

TEST(IpOptions, lengths_that_lie) {
  EXPECT_EQ(check({7, 0, 0, 0}), IpOptions::malformed);
  EXPECT_EQ(check({7, 1, 0, 0}), IpOptions::malformed);
  EXPECT_EQ(check({7, 5, 0, 0}), IpOptions::malformed);
  EXPECT_EQ(check({1, 1, 1, 7}), IpOptions::malformed);
  EXPECT_EQ(check({131, 255, 0, 0}), IpOptions::malformed);
}

// The option alone among NOPs, in a heap block that ends where the options do: ASan sees a step too
// far.
void check_one_ip_option(unsigned kind, unsigned length, std::size_t room) {
  const auto block = std::make_unique<std::byte[]>(room);
  std::fill_n(block.get(), room, std::byte{1});
  const std::size_t at = (kind + length) % room;
  block[at] = static_cast<std::byte>(kind);
  if (kind > 1 && at + 1 < room) block[at + 1] = static_cast<std::byte>(length);
  const IpOptions found = check_ip_options({block.get(), room});
  const bool is_bad = kind > 1 && (length < 2 || at + length > room);
  ASSERT_EQ(found == IpOptions::malformed, is_bad) << kind << " of " << length << " in " << room;
}

TEST(IpOptions, every_kind_length_and_position_stays_inside) {  // V3
  for (unsigned kind = 0; kind < 256; ++kind) {
    for (unsigned length = 0; length < 256; length += length < 44 ? 1 : 17) {
      for (std::size_t room = 4; room <= 40; room += 4) check_one_ip_option(kind, length, room);
    }
  }
}

}  // namespace
}  // namespace pollux::wire
