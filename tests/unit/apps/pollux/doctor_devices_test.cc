// doctor_devices_test.cc - what each kind of device needs, taken from a machine one by one.
#include <gtest/gtest.h>

#include "tests/unit/apps/pollux/good_machine.h"

namespace pollux::tool {
namespace {

std::vector<std::string> needs(const Machine& machine, const std::string& device) {
  std::vector<std::string> found;
  for (const Step& step : needs_of_device(machine, plan_with(device), device)) {
    EXPECT_FALSE(step.commands.empty()) << step.what;
    found.push_back(step.what);
  }
  return found;
}
using Texts = std::vector<std::string>;

constexpr const char* kCard = "0000:03:00.0";
constexpr const char* kTap = "net_tap0,iface=plx0";

TEST(DoctorDevices, a_good_machine_has_all) {
  Machine machine = good_machine();
  machine.interfaces = {{"eth1", false, false}};
  for (const char* device : {kCard, "03:00.0", kTap, "net_af_packet0,iface=eth1",
                             "net_af_xdp0,iface=eth1", "net_memif0,role=server", "net_ring0"}) {
    EXPECT_EQ(needs(machine, device), Texts{}) << device;
  }
}

TEST(DoctorDevices, tap) {
  Machine machine = good_machine();
  machine.opens_tun = false;
  machine.process.has_net_admin = false;
  machine.interfaces = {{"plx0", false, true}};
  EXPECT_EQ(needs(machine, kTap),
            (Texts{"this user may not open /dev/net/tun", "this user has no CAP_NET_ADMIN",
                   "another process has the TAP device plx0"}));
  EXPECT_EQ(needs(machine, "net_tap0,iface=plx1").size(), 2u);
  machine.has_tun = false;
  EXPECT_EQ(needs(machine, kTap).front(), "there is no /dev/net/tun");
}

TEST(DoctorDevices, a_user_namespace_is_offered_where_there_are_some) {
  Machine machine = good_machine();
  machine.process.has_net_admin = false;
  const auto commands = [&machine] {
    std::string all;
    for (const Step& step : needs_of_device(machine, plan_with(kTap), kTap)) {
      for (const std::string& command : step.commands) all += command + "\n";
    }
    return all;
  };
  EXPECT_NE(commands().find("unshare --user"), std::string::npos);
  EXPECT_NE(commands().find("--ambient-caps +net_admin pollux run -c x.toml"), std::string::npos);
  machine.has_user_namespaces = false;
  EXPECT_EQ(commands().find("unshare --user"), std::string::npos);
}

TEST(DoctorDevices, an_interface_of_the_kernels) {
  Machine machine = good_machine();
  machine.process.has_net_raw = machine.process.has_net_admin = false;
  EXPECT_EQ(
      needs(machine, "net_af_packet0,iface=eth1"),
      (Texts{"this network namespace has no interface eth1", "this user has no CAP_NET_RAW"}));
  EXPECT_EQ(needs(machine, "net_af_xdp0,iface=eth1").size(), 3u);
  EXPECT_EQ(needs(machine, "net_pcap0,iface=eth1").size(), 2u);
  EXPECT_EQ(needs(machine, "net_pcap0,rx_pcap=x,tx_pcap=y"), Texts{});
}

TEST(DoctorDevices, a_card_that_is_not_there_shows_what_any_card_needs) {
  Machine machine = good_machine();
  machine.cards.clear();
  machine.has_vfio_pci = machine.has_iommu = false;
  machine.free_hugepages_mb = 2;
  EXPECT_EQ(needs(machine, kCard),
            (Texts{"there is no network card 0000:03:00.0", "vfio-pci is not loaded",
                   "there is no IOMMU in use", "a card needs hugepages: 19 MB, 2 are free"}));
  machine.vfio_without_iommu = true;
  machine.loads_modules = false;
  EXPECT_EQ(needs(machine, kCard).at(1), "this kernel has no vfio-pci, and no modules to load");
  EXPECT_EQ(needs(machine, kCard).size(), 3u);
}

TEST(DoctorDevices, the_card_of_the_default_route_is_never_taken) {
  Machine machine = good_machine();
  machine.cards[0].driver = "ixgbe";
  machine.cards[0].interface = "eth0";
  machine.interfaces = {{"eth0", true, false}};
  const auto steps = needs_of_device(machine, plan_with(kCard), kCard);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].what, "0000:03:00.0 (eth0) carries this machine's default route");
  EXPECT_EQ(steps[0].commands[0].find("devbind"), std::string::npos);
  EXPECT_NE(describe_card(machine, machine.cards[0]).find("leave it"), std::string::npos);
}

TEST(DoctorDevices, a_card_with_the_kernels_driver) {
  Machine machine = good_machine();
  machine.cards[0].driver = "ixgbe";
  machine.cards[0].interface = "eth1";
  machine.interfaces = {{"eth1", false, false}};
  const auto steps = needs_of_device(machine, plan_with(kCard), kCard);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].what, "0000:03:00.0 is bound to ixgbe");
  EXPECT_EQ(steps[0].commands.back(), "sudo dpdk-devbind.py -b vfio-pci 0000:03:00.0");
  machine.cards[0].driver = "mlx5_core";  // the one that shares its card with DPDK
  EXPECT_EQ(needs(machine, kCard), Texts{});
}

TEST(DoctorDevices, rights_to_a_card) {
  Machine machine = good_machine();
  machine.opens_groups.clear();
  machine.process.locked_memory = 8 << 20;
  machine.cards[0].group_others = {"0000:03:00.1"};
  EXPECT_EQ(needs(machine, kCard),
            (Texts{"others of its IOMMU group are with the kernel's drivers: 0000:03:00.1",
                   "this user may not open /dev/vfio/7",
                   "this user may lock 8 MB of memory, and the card needs 19"}));
  machine.process.is_root = machine.process.has_ipc_lock = true;
  EXPECT_EQ(needs(machine, kCard).size(), 1u);
}

}  // namespace
}  // namespace pollux::tool
