// doctor_devices.cc - what each kind of device needs of the machine, in the order to provide it.
#include <fmt/format.h>

#include <algorithm>

#include "apps/pollux/doctor_diagnosis.h"

namespace pollux::tool {
namespace {

using Commands = std::vector<std::string>;

class Needs {
 public:
  void add(std::string what, Commands commands) {
    steps_.push_back({std::move(what), std::move(commands), ""});
  }
  std::vector<Step> take() { return std::move(steps_); }

 private:
  std::vector<Step> steps_;
};

// "plx0" of "net_tap0,iface=plx0".
std::string argument_of(const std::string& device, const std::string& key) {
  const std::size_t at = device.find("," + key + "=");
  if (at == std::string::npos) return "";
  const std::size_t start = at + key.size() + 2;
  return device.substr(start, device.find(',', start) - start);
}

std::string run_with(const Plan& plan) { return "pollux run " + plan.options + "-- PROGRAM"; }

// Not setcap: of a program with file capabilities the loader ignores LD_PRELOAD. Ambient ones it
// respects.
Commands with_capability(const Plan& plan, const std::string& name) {
  return {"sudo " + run_with(plan), "# or as yourself, with this right alone:",
          "sudo setpriv --reuid $(id -u) --regid $(id -g) --init-groups \\",
          fmt::format("  --inh-caps +{0} --ambient-caps +{0} {1}", name, run_with(plan))};
}

void need_net_admin(const Machine& machine, const Plan& plan, bool is_tap, Needs& needs) {
  if (machine.process.has_net_admin) return;
  Commands commands = with_capability(plan, "net_admin");
  if (is_tap && machine.has_user_namespaces) {
    commands.insert(commands.begin(), {"# without root, to try it, in a shell that has both ends:",
                                       "unshare --user --map-root-user --net", "# or"});
  }
  needs.add("this user has no CAP_NET_ADMIN", commands);
}

void need_tap(const Machine& machine, const Plan& plan, const std::string& device, Needs& needs) {
  if (!machine.has_tun) {
    needs.add("there is no /dev/net/tun",
              {"sudo modprobe tun   # for a container: --device /dev/net/tun"});
  } else if (!machine.opens_tun) {
    needs.add("this user may not open /dev/net/tun", {"sudo chmod 666 /dev/net/tun"});
  }
  need_net_admin(machine, plan, true, needs);
  const Interface* tap = machine.interface(argument_of(device, "iface"));
  if (tap && tap->is_taken_tap) {
    needs.add("another process has the TAP device " + tap->name,
              {"fuser -v /dev/net/tun   # says which; end it, or give yours another iface="});
  }
}

void need_interface(const Machine& machine, const Plan& plan, const std::string& device,
                    Needs& needs) {
  const std::string name = argument_of(device, "iface");
  if (!name.empty() && !machine.interface(name)) {
    needs.add("this network namespace has no interface " + name,
              {"ip link   # lists them; the name stands in the port's device"});
  }
  if (!machine.process.has_net_raw) {
    needs.add("this user has no CAP_NET_RAW", with_capability(plan, "net_raw"));
  }
  if (device.starts_with("net_af_xdp")) need_net_admin(machine, plan, false, needs);
}

// vfio in the kernel, and what keeps devices apart for it.
void need_vfio(const Machine& machine, Needs& needs) {
  if (!machine.has_vfio_pci && !machine.loads_modules) {
    needs.add("this kernel has no vfio-pci, and no modules to load",
              {"# another kernel, or another device: memif, TAP and af_packet need no vfio"});
  } else if (!machine.has_vfio_pci) {
    needs.add("vfio-pci is not loaded", {"sudo modprobe vfio-pci"});
  }
  if (machine.has_iommu || machine.vfio_without_iommu.value_or(false)) return;
  Commands commands;
  if (machine.processors.is_virtual) {
    commands.push_back("# give this virtual machine an IOMMU (QEMU: -device intel-iommu), or");
  }
  if (machine.vfio_without_iommu) {
    commands.push_back("echo 1 | sudo tee /sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
  } else {
    commands.push_back(
        fmt::format("# switch it on in the firmware (VT-d, AMD-Vi); add {}iommu=pt to the kernel's "
                    "command line; reboot",
                    machine.processors.vendor == "GenuineIntel" ? "intel_iommu=on " : ""));
  }
  needs.add("there is no IOMMU in use", commands);
}

void need_driver(const NetworkCard& card, Needs& needs) {
  if (card.driver == "vfio-pci") return;
  Commands commands;
  if (!card.interface.empty()) commands.push_back("sudo ip link set " + card.interface + " down");
  commands.push_back("sudo dpdk-devbind.py -b vfio-pci " + card.address);
  needs.add(fmt::format("{} is {}", card.address,
                        card.driver.empty() ? "bound to no driver" : "bound to " + card.driver),
            commands);
}

void need_group(const Machine& machine, const NetworkCard& card, Needs& needs) {
  if (!card.group_others.empty()) {
    std::string others;
    for (const std::string& other : card.group_others) others += " " + other;
    needs.add("others of its IOMMU group are with the kernel's drivers:" + others,
              {"sudo dpdk-devbind.py -u" + others + "   # if you can do without them"});
  }
  const bool is_vfios = card.driver == "vfio-pci" && !card.iommu_group.empty();
  if (!is_vfios || machine.process.is_root) return;
  const auto& opens = machine.opens_groups;
  if (!machine.opens_vfio ||
      std::find(opens.begin(), opens.end(), card.iommu_group) == opens.end()) {
    needs.add("this user may not open /dev/vfio/" + card.iommu_group,
              {"sudo chown $(id -u) /dev/vfio/" + card.iommu_group});
  }
}

void need_memory(const Machine& machine, const Plan& plan, Needs& needs) {
  if (plan.hugepages_mb == 0) {
    needs.add("a card needs hugepages, and stack.hugepages is false",
              {"--set stack.hugepages=true"});
    return;
  }
  if (machine.free_hugepages_mb < plan.hugepages_mb) {
    needs.add(fmt::format("a card needs hugepages: {} MB, {} are free", plan.hugepages_mb,
                          machine.free_hugepages_mb),
              {reserve_hugepages(machine, plan)});
  }
  const std::uint64_t lockable_mb = machine.process.locked_memory >> 20;
  if (!machine.process.has_ipc_lock && lockable_mb < plan.hugepages_mb) {
    needs.add(fmt::format("this user may lock {} MB of memory, and the card needs {}", lockable_mb,
                          plan.hugepages_mb),
              {"# in /etc/security/limits.conf:  YOU - memlock unlimited; then log in again"});
  }
}

void need_card(const Machine& machine, const Plan& plan, const std::string& address, Needs& needs) {
  const NetworkCard* card = machine.card(address);
  if (!card) {
    needs.add("there is no network card " + address,
              {"# give the port's device the address of one that there is: lspci -D"});
  } else if (machine.has_default_route(*card)) {
    needs.add(fmt::format("{} ({}) carries this machine's default route", address, card->interface),
              {"# take another card: with this one you would lose the machine"});
  }
  const bool keeps_its_driver = card && card->driver == "mlx5_core";
  if (!keeps_its_driver) need_vfio(machine, needs);
  if (card && !keeps_its_driver && !machine.has_default_route(*card)) {
    need_driver(*card, needs);
    need_group(machine, *card, needs);
  }
  need_memory(machine, plan, needs);
}

}  // namespace

bool is_card(const std::string& device) {
  return device.size() >= 7 && device.find(':') != std::string::npos &&
         device.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
}

std::vector<Step> needs_of_device(const Machine& machine, const Plan& plan,
                                  const std::string& device) {
  Needs needs;
  const auto is = [&device](const char* driver) { return device.starts_with(driver); };
  const std::string name = device.substr(0, device.find(','));
  if (is_card(name)) need_card(machine, plan, name, needs);
  if (is("net_tap")) need_tap(machine, plan, device, needs);
  const bool is_pcap = is("net_pcap") && !argument_of(device, "iface").empty();
  if (is("net_af_packet") || is("net_af_xdp") || is_pcap) {
    need_interface(machine, plan, device, needs);
  }
  return needs.take();
}

std::string describe_card(const Machine& machine, const NetworkCard& card) {
  std::string text = fmt::format("{}  {:<12}  {:<12}  ", card.address,
                                 card.driver.empty() ? "no driver" : card.driver,
                                 card.interface.empty() ? "-" : card.interface);
  if (machine.has_default_route(card)) return text + "carries the default route: leave it";
  if (card.driver == "vfio-pci") return text + "ready for a stack";
  if (card.interface.empty() && !card.driver.empty()) {
    return text + "its interface is in no namespace seen from here: look before you take it";
  }
  return text + "could be a stack's";
}

}  // namespace pollux::tool
