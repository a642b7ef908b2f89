// doctor_machine.h - Machine: what matters of a machine for Pollux, read from /proc, /sys and /dev.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pollux::tool {

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

struct NetworkCard {
  std::string address;                    // "0000:03:00.0"
  std::string driver;                     // of the kernel's that has it; "": none
  std::string interface;                  // "eth0"; "": it has none in this network namespace
  std::string iommu_group;                // "": in none
  std::vector<std::string> group_others;  // of its group, with drivers that keep vfio out
};

struct Interface {
  std::string name;
  bool has_default_route = false;
  bool is_taken_tap = false;  // a TAP device that a process has open
};

struct Process {
  bool is_root = false;
  bool has_net_admin = false, has_net_raw = false, has_ipc_lock = false;
  std::uint64_t open_files = kUnlimited, locked_memory = kUnlimited, address_space = kUnlimited;
  unsigned processors = 1;  // that it may run on
};

struct Processors {
  std::string vendor;  // "GenuineIntel"
  bool is_virtual = false;
  bool has_steady_tsc = false;
  std::string clocksource;
  std::string governor;  // of the first; "": nothing scales
  std::string isolated;  // "2-3"
  bool has_smt = false;
};

struct Machine {
  std::string kernel;  // "6.1.0-18-amd64"
  bool loads_modules = false;
  bool has_user_namespaces = false;
  std::uint64_t memory_mb = 0, available_mb = 0;
  std::uint64_t hugepages_mb = 0, free_hugepages_mb = 0;
  Processors processors;
  Process process;
  bool has_tun = false, opens_tun = false;
  bool has_iommu = false;
  bool has_vfio_pci = false;
  bool opens_vfio = false;                 // /dev/vfio/vfio
  std::vector<std::string> opens_groups;   // of /dev/vfio, those that can be opened
  std::optional<bool> vfio_without_iommu;  // none: this kernel's vfio always wants an IOMMU
  std::vector<NetworkCard> cards;
  std::vector<Interface> interfaces;  // of this network namespace

  const NetworkCard* card(const std::string& address) const;
  const Interface* interface(const std::string& name) const;
  bool has_default_route(const NetworkCard& card) const;
};

// Reads only. `root`: where /proc, /sys, /dev and /lib are; "" is this machine.
Machine read_machine(const std::string& root);

}  // namespace pollux::tool
