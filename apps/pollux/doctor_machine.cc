// doctor_machine.cc - reads a Machine; a file that is not there is a thing that is not there.
#include "apps/pollux/doctor_machine.h"

#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pollux::tool {
namespace {

namespace fs = std::filesystem;

// The folder that stands for "/".
class Root {
 public:
  explicit Root(std::string path) : path_(std::move(path)) {}

  std::string at(const std::string& path) const { return path_ + path; }
  bool has(const std::string& path) const { return access(at(path).c_str(), F_OK) == 0; }
  bool opens(const std::string& path) const { return access(at(path).c_str(), R_OK | W_OK) == 0; }
  std::string first_line(const std::string& path) const {
    std::ifstream file(at(path));
    std::string line;
    std::getline(file, line);
    return line;
  }
  std::uint64_t number(const std::string& path) const {
    return std::strtoull(first_line(path).c_str(), nullptr, 10);
  }
  std::vector<std::string> names(const std::string& folder) const {
    std::vector<std::string> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(at(folder), ignored)) {
      found.push_back(entry.path().filename());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  // The last name of what a link points to.
  std::string link(const std::string& path) const {
    std::error_code ignored;
    return fs::read_symlink(at(path), ignored).filename();
  }
  // "KEY: VALUE" or "KEY   VALUE" of /proc's tables: what comes after the key; "": no such line.
  std::string value(const std::string& path, const std::string& key) const {
    std::ifstream file(at(path));
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(key)) continue;
      const std::size_t start = line.find_first_not_of(" \t:", key.size());
      return start == std::string::npos ? "" : line.substr(start);
    }
    return "";
  }

 private:
  std::string path_;
};

std::uint64_t megabytes(const Root& root, const std::string& key) {
  return std::strtoull(root.value("/proc/meminfo", key).c_str(), nullptr, 10) / 1024;
}

// "0-3,8": how many.
unsigned count_list(const std::string& list) {
  unsigned count = 0;
  std::istringstream ranges(list);
  for (std::string range; std::getline(ranges, range, ',');) {
    char* end = nullptr;
    const unsigned long first = std::strtoul(range.c_str(), &end, 10);
    const unsigned long last = *end == '-' ? std::strtoul(end + 1, nullptr, 10) : first;
    if (last >= first) count += static_cast<unsigned>(last - first + 1);
  }
  return count;
}

std::uint64_t limit(const Root& root, const std::string& name) {
  const std::string soft = root.value("/proc/self/limits", name);
  if (soft.empty() || soft.starts_with("unlimited")) return kUnlimited;
  return std::strtoull(soft.c_str(), nullptr, 10);
}

Process read_process(const Root& root) {
  const auto status = [&root](const char* key) { return root.value("/proc/self/status", key); };
  const std::uint64_t capabilities = std::strtoull(status("CapEff").c_str(), nullptr, 16);
  const auto has = [capabilities](unsigned bit) { return (capabilities >> bit & 1) != 0; };
  std::string real, effective;
  std::istringstream(status("Uid")) >> real >> effective;
  Process process;
  process.is_root = effective == "0";
  process.has_net_admin = has(CAP_NET_ADMIN);
  process.has_net_raw = has(CAP_NET_RAW);
  process.has_ipc_lock = has(CAP_IPC_LOCK);
  process.open_files = limit(root, "Max open files");
  process.locked_memory = limit(root, "Max locked memory");
  process.address_space = limit(root, "Max address space");
  process.processors = std::max(1u, count_list(status("Cpus_allowed_list")));
  return process;
}

Processors read_processors(const Root& root) {
  const std::string flags = root.value("/proc/cpuinfo", "flags") + " ";
  const auto has = [&flags](const std::string& flag) {
    return flags.find(flag + " ") != std::string::npos;
  };
  const std::string folder = "/sys/devices/system/";
  Processors processors;
  processors.vendor = root.value("/proc/cpuinfo", "vendor_id");
  processors.is_virtual = has("hypervisor");
  processors.has_steady_tsc = has("constant_tsc") && has("nonstop_tsc");
  processors.clocksource = root.first_line(folder + "clocksource/clocksource0/current_clocksource");
  processors.governor = root.first_line(folder + "cpu/cpu0/cpufreq/scaling_governor");
  processors.isolated = root.first_line(folder + "cpu/isolated");
  processors.has_smt = root.first_line(folder + "cpu/smt/active") == "1";
  return processors;
}

// A device that keeps its group from vfio: neither vfio's own, nor without a driver, nor a bridge.
bool keeps_vfio_out(const Root& root, const std::string& address) {
  const std::string folder = "/sys/bus/pci/devices/" + address;
  const std::string driver = root.link(folder + "/driver");
  return !driver.empty() && driver != "vfio-pci" && driver != "pcieport" &&
         !root.first_line(folder + "/class").starts_with("0x0604");
}

// A card of virtio has its interface one folder deeper.
std::string interface_of(const Root& root, const std::string& folder) {
  for (const std::string& name : root.names(folder + "/net")) return name;
  for (const std::string& inner : root.names(folder)) {
    if (!inner.starts_with("virtio")) continue;
    for (const std::string& name : root.names(folder + "/" + inner + "/net")) return name;
  }
  return "";
}

std::vector<NetworkCard> read_cards(const Root& root) {
  std::vector<NetworkCard> cards;
  for (const std::string& address : root.names("/sys/bus/pci/devices")) {
    const std::string folder = "/sys/bus/pci/devices/" + address;
    if (!root.first_line(folder + "/class").starts_with("0x0200")) continue;
    NetworkCard card;
    card.address = address;
    card.driver = root.link(folder + "/driver");
    card.interface = interface_of(root, folder);
    card.iommu_group = root.link(folder + "/iommu_group");
    if (!card.iommu_group.empty()) {
      const std::string group = "/sys/kernel/iommu_groups/" + card.iommu_group + "/devices";
      for (const std::string& other : root.names(group)) {
        if (other != address && keeps_vfio_out(root, other)) card.group_others.push_back(other);
      }
    }
    cards.push_back(card);
  }
  return cards;
}

// Interfaces of routes to everywhere, of both families; "lo" has IPv6's refusals.
std::vector<std::string> default_routes(const Root& root) {
  std::vector<std::string> found;
  std::ifstream routes(root.at("/proc/net/route"));
  for (std::string line; std::getline(routes, line);) {
    std::string name, destination, skipped, mask;
    std::istringstream words(line);
    words >> name >> destination;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> mask;
    if (destination == "00000000" && mask == "00000000") found.push_back(name);
  }
  std::ifstream routes6(root.at("/proc/net/ipv6_route"));
  for (std::string line; std::getline(routes6, line);) {
    const std::string name = line.substr(line.find_last_of(' ') + 1);
    if (line.starts_with(std::string(32, '0') + " 00 ") && name != "lo") found.push_back(name);
  }
  return found;
}

std::vector<Interface> read_interfaces(const Root& root) {
  const std::vector<std::string> defaults = default_routes(root);
  std::vector<Interface> interfaces;
  for (const std::string& name : root.names("/sys/class/net")) {
    const std::string folder = "/sys/class/net/" + name;
    Interface interface;
    interface.name = name;
    interface.has_default_route =
        std::find(defaults.begin(), defaults.end(), name) != defaults.end();
    interface.is_taken_tap =
        root.has(folder + "/tun_flags") && root.first_line(folder + "/carrier") == "1";
    interfaces.push_back(interface);
  }
  return interfaces;
}

void read_memory(const Root& root, Machine& machine) {
  machine.memory_mb = megabytes(root, "MemTotal");
  machine.available_mb = megabytes(root, "MemAvailable");
  const std::string folder = "/sys/kernel/mm/hugepages";
  for (const std::string& name : root.names(folder)) {  // hugepages-2048kB
    const std::uint64_t kilobytes = std::strtoull(name.c_str() + name.find('-') + 1, nullptr, 10);
    const std::string pages = folder + "/" + name;
    machine.hugepages_mb += root.number(pages + "/nr_hugepages") * kilobytes / 1024;
    machine.free_hugepages_mb += root.number(pages + "/free_hugepages") * kilobytes / 1024;
  }
}

void read_vfio(const Root& root, Machine& machine) {
  machine.has_iommu = !root.names("/sys/class/iommu").empty();
  machine.has_vfio_pci = root.has("/sys/bus/pci/drivers/vfio-pci");
  machine.opens_vfio = root.opens("/dev/vfio/vfio");
  for (const std::string& group : root.names("/dev/vfio")) {
    if (group != "vfio" && root.opens("/dev/vfio/" + group)) machine.opens_groups.push_back(group);
  }
  const std::string unsafe =
      root.first_line("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
  if (!unsafe.empty()) machine.vfio_without_iommu = unsafe == "Y" || unsafe == "1";
}

}  // namespace

const NetworkCard* Machine::card(const std::string& address) const {
  for (const NetworkCard& card : cards) {
    if (card.address == address || card.address == "0000:" + address) return &card;
  }
  return nullptr;
}

const Interface* Machine::interface(const std::string& name) const {
  for (const Interface& interface : interfaces) {
    if (interface.name == name) return &interface;
  }
  return nullptr;
}

bool Machine::has_default_route(const NetworkCard& card) const {
  const Interface* its = interface(card.interface);
  return its && its->has_default_route;
}

Machine read_machine(const std::string& path) {
  const Root root(path);
  Machine machine;
  machine.kernel = root.first_line("/proc/sys/kernel/osrelease");
  machine.loads_modules = root.has("/lib/modules/" + machine.kernel);
  machine.has_user_namespaces =
      root.number("/proc/sys/user/max_user_namespaces") > 0 &&
      root.first_line("/proc/sys/kernel/unprivileged_userns_clone") != "0" &&
      root.first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1";
  read_memory(root, machine);
  machine.processors = read_processors(root);
  machine.process = read_process(root);
  machine.has_tun = root.has("/dev/net/tun");
  machine.opens_tun = root.opens("/dev/net/tun");
  read_vfio(root, machine);
  machine.cards = read_cards(root);
  machine.interfaces = read_interfaces(root);
  return machine;
}

}  // namespace pollux::tool
