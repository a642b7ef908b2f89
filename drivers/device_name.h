// device_name.h - what a line of the configuration calls a device: "net_tap0,iface=plx0", a PCI
// address.
#pragma once

#include <string>

namespace pollux {

// 0000:03:00.0 or 03:00.0, with or without arguments.
bool is_pci_address(const std::string& device);
// "plx0" for the key "iface"; "" where the device has no such argument.
std::string device_argument(const std::string& device, const std::string& key);

}  // namespace pollux
