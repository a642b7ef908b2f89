// device_name_test.cc - addresses, names and arguments of devices.
#include "drivers/device_name.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

TEST(DeviceName, pci_addresses_are_told_from_names) {
  EXPECT_TRUE(is_pci_address("0000:03:00.0"));
  EXPECT_TRUE(is_pci_address("af:1f.7"));
  EXPECT_TRUE(is_pci_address("0000:03:00.0,rx_pad=net_x"));
  EXPECT_FALSE(is_pci_address("net_tap0"));
  EXPECT_FALSE(is_pci_address("virtio_user0"));
  EXPECT_FALSE(is_pci_address(""));
  EXPECT_FALSE(is_pci_address("03.0"));
  EXPECT_FALSE(is_pci_address("net_x0,peer=0000:03:00.0"));
}

TEST(DeviceName, arguments_are_found_by_their_whole_key) {
  EXPECT_EQ(device_argument("net_tap0,mac=fixed,iface=plx0", "iface"), "plx0");
  EXPECT_EQ(device_argument("net_tap0,iface=plx0,mac=fixed", "iface"), "plx0");
  EXPECT_EQ(device_argument("net_tap0,remote_iface=x", "iface"), "");
  EXPECT_EQ(device_argument("net_tap0", "iface"), "");
}

}  // namespace
}  // namespace pollux
