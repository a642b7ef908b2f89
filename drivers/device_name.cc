// device_name.cc - taking the names of devices apart.
#include "drivers/device_name.h"

#include <algorithm>
#include <cctype>

namespace pollux {

bool is_pci_address(const std::string& device) {
  const std::string name = device.substr(0, device.find(','));
  const auto dots = std::count(name.begin(), name.end(), '.');
  const auto colons = std::count(name.begin(), name.end(), ':');
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isxdigit(c) != 0 || c == ':' || c == '.';
  });
  return plain && dots == 1 && (colons == 1 || colons == 2);
}

std::string device_argument(const std::string& device, const std::string& key) {
  const std::string start = "," + key + "=";
  const std::size_t at = device.find(start);
  if (at == std::string::npos) return {};
  const std::size_t value = at + start.size();
  return device.substr(value, device.find(',', value) - value);
}

}  // namespace pollux
