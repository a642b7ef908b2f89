// doctor_machine_test.cc - a Machine read from a folder that looks like /proc, /sys and /dev.
#include "apps/pollux/doctor_machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pollux::tool {
namespace {

namespace fs = std::filesystem;

class DoctorMachine : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/pollux-machine.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream(root_ + path) << text << '\n';
  }
  void link(const std::string& path, const std::string& target) {
    fs::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    fs::create_symlink(target, root_ + path);
  }
  void add_card(const std::string& address, const std::string& driver, const std::string& group) {
    const std::string folder = "/sys/bus/pci/devices/" + address;
    write(folder + "/class", "0x020000");
    if (!driver.empty()) link(folder + "/driver", "../../../bus/pci/drivers/" + driver);
    link(folder + "/iommu_group", "../../../kernel/iommu_groups/" + group);
    write("/sys/kernel/iommu_groups/" + group + "/devices/" + address, "");
  }
  Machine machine() const { return read_machine(root_); }

  std::string root_;
};

TEST_F(DoctorMachine, nothing_there_is_a_machine_without_anything) {
  const Machine bare = machine();
  EXPECT_TRUE(bare.cards.empty());
  EXPECT_FALSE(bare.has_tun || bare.has_iommu || bare.has_vfio_pci || bare.opens_vfio);
  EXPECT_FALSE(bare.vfio_without_iommu.has_value());
  EXPECT_EQ(bare.hugepages_mb, 0u);
  EXPECT_EQ(bare.process.processors, 1u);
  EXPECT_EQ(bare.process.open_files, kUnlimited);
}

TEST_F(DoctorMachine, hugepages_of_all_sizes_count) {
  write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "64");
  write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10");
  write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2");
  write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1");
  EXPECT_EQ(machine().hugepages_mb, 128u + 2048u);
  EXPECT_EQ(machine().free_hugepages_mb, 20u + 1024u);
}

TEST_F(DoctorMachine, rights_and_limits_of_the_process) {
  write("/proc/self/status",
        "Name:\tpollux\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000003000\n"
        "Cpus_allowed:\tf\nCpus_allowed_list:\t0-2,5");
  write("/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units\n"
        "Max open files            1024                 20000                files\n"
        "Max locked memory         8388608              8388608              bytes\n"
        "Max address space         unlimited            unlimited            bytes");
  const Process process = machine().process;
  EXPECT_FALSE(process.is_root);
  EXPECT_TRUE(process.has_net_admin);
  EXPECT_TRUE(process.has_net_raw);
  EXPECT_FALSE(process.has_ipc_lock);
  EXPECT_EQ(process.processors, 4u);
  EXPECT_EQ(process.open_files, 1024u);
  EXPECT_EQ(process.locked_memory, 8388608u);
  EXPECT_EQ(process.address_space, kUnlimited);
}

TEST_F(DoctorMachine, a_card_its_driver_its_group_and_its_interface) {
  add_card("0000:03:00.0", "ixgbe", "7");
  write("/sys/bus/pci/devices/0000:03:00.0/net/eth1/mtu", "1500");
  add_card("0000:03:00.1", "", "7");
  add_card("0000:03:00.2", "snd", "7");
  write("/sys/bus/pci/devices/0000:04:00.0/class", "0x010000");
  const Machine read = machine();
  ASSERT_EQ(read.cards.size(), 3u);
  const NetworkCard& card = read.cards[0];
  EXPECT_EQ(card.address, "0000:03:00.0");
  EXPECT_EQ(card.driver, "ixgbe");
  EXPECT_EQ(card.interface, "eth1");
  EXPECT_EQ(card.iommu_group, "7");
  EXPECT_EQ(card.group_others, std::vector<std::string>{"0000:03:00.2"});
  EXPECT_EQ(read.card("03:00.1")->driver, "");
  EXPECT_EQ(read.card("0000:04:00.0"), nullptr);
}

TEST_F(DoctorMachine, a_card_of_virtio_has_its_interface_deeper) {
  add_card("0000:00:03.0", "virtio-pci", "1");
  write("/sys/bus/pci/devices/0000:00:03.0/virtio2/net/eth0/mtu", "1500");
  EXPECT_EQ(machine().cards.at(0).interface, "eth0");
}

TEST_F(DoctorMachine, the_default_route_of_either_family) {
  for (const char* name : {"eth0", "eth1", "eth2", "lo"}) {
    write(std::string("/sys/class/net/") + name + "/mtu", "1500");
  }
  write("/proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0");
  const std::string zeros(32, '0');
  const std::string end = " 00 fd00 00000400 00000002 00000000 00000003     ";
  write("/proc/net/ipv6_route", zeros + " 00 " + zeros + end + "eth2\n" + zeros + " 00 " + zeros +
                                    end + "lo\n" + "fd00" + std::string(28, '0') + " 40 " + zeros +
                                    end + "eth1");
  const Machine read = machine();
  EXPECT_TRUE(read.interface("eth0")->has_default_route);
  EXPECT_FALSE(read.interface("eth1")->has_default_route);
  EXPECT_TRUE(read.interface("eth2")->has_default_route);
  EXPECT_FALSE(read.interface("lo")->has_default_route);
}

TEST_F(DoctorMachine, a_tap_device_that_somebody_has_open) {
  write("/sys/class/net/plx0/tun_flags", "0x102");
  write("/sys/class/net/plx0/carrier", "1");
  write("/sys/class/net/plx1/tun_flags", "0x102");
  write("/sys/class/net/plx1/carrier", "0");
  EXPECT_TRUE(machine().interface("plx0")->is_taken_tap);
  EXPECT_FALSE(machine().interface("plx1")->is_taken_tap);
}

TEST_F(DoctorMachine, vfio_modules_and_clock) {
  write("/proc/sys/kernel/osrelease", "6.1.0");
  write("/lib/modules/6.1.0/modules.dep", "");
  write("/sys/class/iommu/dmar0/uevent", "");
  write("/sys/bus/pci/drivers/vfio-pci/bind", "");
  write("/dev/vfio/vfio", "");
  write("/dev/vfio/7", "");
  write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N");
  write("/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu constant_tsc nonstop_tsc");
  write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet");
  const Machine read = machine();
  EXPECT_TRUE(read.loads_modules && read.has_iommu && read.has_vfio_pci && read.opens_vfio);
  EXPECT_EQ(read.opens_groups, std::vector<std::string>{"7"});
  EXPECT_EQ(read.vfio_without_iommu, std::optional(false));
  EXPECT_EQ(read.processors.vendor, "GenuineIntel");
  EXPECT_TRUE(read.processors.has_steady_tsc);
  EXPECT_FALSE(read.processors.is_virtual);
  EXPECT_EQ(read.processors.clocksource, "hpet");
}

}  // namespace
}  // namespace pollux::tool
