// vfio_interrupt_test.cc - configuration spaces, and the kind of interrupt that suits each.
#include "drivers/dpdk/vfio_interrupt.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

namespace pollux {
namespace {

constexpr unsigned char kPower = 0x01, kMsi = 0x05, kMsix = 0x11;
constexpr unsigned k82574 = 0x10d3, k82576 = 0x10c9;

using Space = std::array<unsigned char, 256>;

Space card(unsigned device, std::initializer_list<unsigned char> capabilities) {
  Space space{0x86, 0x80, static_cast<unsigned char>(device),
              static_cast<unsigned char>(device >> 8)};
  if (capabilities.size() > 0) space[0x06] = 0x10;
  std::size_t link = 0x34, at = 0x40;
  for (const unsigned char capability : capabilities) {
    space[link] = static_cast<unsigned char>(at);
    space[at] = capability;
    link = at + 1;
    at += 0x10;
  }
  return space;
}

TEST(VfioInterrupt, msix_where_it_works) {
  EXPECT_EQ(interrupt_kind(card(k82576, {kPower, kMsi, kMsix})), InterruptKind::msix);
  EXPECT_EQ(interrupt_kind(card(k82574, {kPower, kMsi, kMsix})), InterruptKind::msi);
}

TEST(VfioInterrupt, a_card_without_msix_gets_what_it_has) {
  EXPECT_EQ(interrupt_kind(card(k82576, {kPower, kMsi})), InterruptKind::msi);
  EXPECT_EQ(interrupt_kind(card(k82576, {kPower})), InterruptKind::legacy);
  EXPECT_EQ(interrupt_kind(card(k82576, {})), InterruptKind::legacy);
}

TEST(VfioInterrupt, who_reads_only_the_header_leaves_it_to_eal) {
  const Space space = card(k82576, {kMsi});
  EXPECT_EQ(interrupt_kind(std::span(space).first(64)), InterruptKind::by_eal);
  EXPECT_EQ(interrupt_kind({}), InterruptKind::by_eal);
}

TEST(VfioInterrupt, a_list_that_runs_in_a_circle_ends) {
  Space space = card(k82576, {kPower, kMsi});
  space[0x51] = 0x40;
  EXPECT_EQ(interrupt_kind(space), InterruptKind::msi);
}

}  // namespace
}  // namespace pollux
