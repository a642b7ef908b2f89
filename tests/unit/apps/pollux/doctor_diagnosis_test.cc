// doctor_diagnosis_test.cc - what is advised, in which order, and when nothing starts.
#include "apps/pollux/doctor_diagnosis.h"

#include <gtest/gtest.h>

#include "tests/unit/apps/pollux/good_machine.h"

namespace pollux::tool {
namespace {

bool advises(const Diagnosis& diagnosis, const std::string& words) {
  for (const Step& step : diagnosis.advised) {
    if (step.what.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(DoctorDiagnosis, a_plan_as_plx_needs_writes_it) {
  const Plan plan = parse_plan(
      "memory_mb 32\nhugepages_mb 0\nport net_tap0,iface=plx0 tap0\nport 0000:03:00.0 my nic\n",
      "-c f ");
  EXPECT_EQ(plan.options, "-c f ");
  EXPECT_EQ(plan.memory_mb, 32u);
  EXPECT_EQ(plan.hugepages_mb, 0u);
  ASSERT_EQ(plan.ports.size(), 2u);
  EXPECT_EQ(plan.ports[0].name, "tap0");
  EXPECT_EQ(plan.ports[0].device, "net_tap0,iface=plx0");
  EXPECT_EQ(plan.ports[1].name, "my nic");
  EXPECT_TRUE(plan.asks_for_cards());
}

TEST(DoctorDiagnosis, a_good_machine_gets_no_advice) {
  const Diagnosis diagnosis = diagnose(good_machine(), plan_with("net_memif0,role=server"));
  EXPECT_TRUE(diagnosis.starts());
  EXPECT_TRUE(diagnosis.advised.empty()) << diagnosis.advised.front().what;
  ASSERT_EQ(diagnosis.ways.size(), 1u);
  EXPECT_EQ(diagnosis.ways[0].why_not, "");
}

TEST(DoctorDiagnosis, without_a_port_all_ways_are_named) {
  Machine machine = good_machine();
  machine.process.has_net_admin = false;
  machine.cards.clear();
  const Diagnosis diagnosis = diagnose(machine, plan_with_nothing());
  EXPECT_TRUE(diagnosis.starts());
  ASSERT_EQ(diagnosis.ways.size(), 5u);
  EXPECT_EQ(diagnosis.ways[0].why_not, "");
  EXPECT_EQ(diagnosis.ways[2].why_not, "this user has no CAP_NET_ADMIN");
  EXPECT_EQ(diagnosis.ways[4].why_not, "this machine has no network card");
}

TEST(DoctorDiagnosis, the_reason_of_the_card_that_could_be_taken) {
  Machine machine = good_machine();
  NetworkCard first;
  first.address = "0000:02:00.0";
  first.interface = "eth0";
  machine.interfaces = {{"eth0", true, false}};
  machine.cards.insert(machine.cards.begin(), first);
  EXPECT_EQ(diagnose(machine, plan_with_nothing()).ways[4].why_not, "");
  machine.cards[1].driver = "ixgbe";
  EXPECT_EQ(diagnose(machine, plan_with_nothing()).ways[4].why_not,
            "0000:03:00.0 is bound to ixgbe");
}

TEST(DoctorDiagnosis, hugepages_too_few_are_advice_and_no_obstacle) {
  Machine machine = good_machine();
  machine.free_hugepages_mb = 6;
  const Diagnosis diagnosis = diagnose(machine, plan_with_nothing());
  EXPECT_TRUE(diagnosis.starts());
  EXPECT_TRUE(advises(diagnosis, "6 of 128 MB of hugepages are free"));
}

TEST(DoctorDiagnosis, memory_that_is_not_there) {
  Machine machine = good_machine();
  machine.free_hugepages_mb = 0;
  machine.available_mb = 10;
  EXPECT_FALSE(diagnose(machine, plan_with_nothing()).starts());
}

TEST(DoctorDiagnosis, hugepages_and_a_limited_address_space) {
  Machine machine = good_machine();
  machine.process.address_space = 8'000'000'000;
  EXPECT_FALSE(diagnose(machine, plan_with_nothing()).starts());
  Plan plan = plan_with_nothing();
  plan.hugepages_mb = 0;
  EXPECT_TRUE(diagnose(machine, plan).starts());
}

TEST(DoctorDiagnosis, each_thing_that_slows_is_named) {
  Machine machine = good_machine();
  machine.processors.governor = "powersave";
  machine.processors.isolated = "";
  machine.processors.has_smt = true;
  machine.processors.clocksource = "hpet";
  machine.process.open_files = 1024;
  const Diagnosis diagnosis = diagnose(machine, plan_with("net_tap0,iface=plx0"));
  EXPECT_TRUE(diagnosis.starts());
  for (const char* words : {"through the kernel", "powersave", "isolated", "hardware threads",
                            "\"hpet\"", "1024 descriptors"}) {
    EXPECT_TRUE(advises(diagnosis, words)) << words;
  }
}

TEST(DoctorDiagnosis, one_processor_cannot_spin) {
  Machine machine = good_machine();
  machine.process.processors = 1;
  EXPECT_TRUE(advises(diagnose(machine, plan_with_nothing()), "one processor"));
}

TEST(DoctorDiagnosis, an_interface_that_the_kernel_needs) {
  Machine machine = good_machine();
  machine.interfaces = {{"eth0", true, false}};
  const Diagnosis diagnosis = diagnose(machine, plan_with("net_af_packet0,iface=eth0"));
  EXPECT_TRUE(diagnosis.starts());
  EXPECT_TRUE(advises(diagnosis, "eth0 carries this machine's default route"));
}

TEST(DoctorDiagnosis, what_two_ports_lack_is_said_once) {
  Machine machine = good_machine();
  machine.process.has_net_admin = machine.process.has_net_raw = false;
  machine.interfaces = {{"eth1", false, false}};
  Plan plan = plan_with("net_tap0");
  plan.ports.push_back({"port1", "net_af_xdp0,iface=eth1"});
  const Diagnosis diagnosis = diagnose(machine, plan);
  ASSERT_EQ(diagnosis.needed.size(), 2u);
  EXPECT_EQ(diagnosis.needed[1].what, "this user has no CAP_NET_RAW");
  EXPECT_EQ(diagnosis.ways[1].why_not, "this user has no CAP_NET_RAW");
}

TEST(DoctorDiagnosis, root_needs_no_sudo) {
  Machine machine = good_machine();
  machine.has_tun = false;
  EXPECT_TRUE(
      diagnose(machine, plan_with("net_tap0")).needed.at(0).commands[0].starts_with("sudo"));
  machine.process.is_root = true;
  EXPECT_TRUE(
      diagnose(machine, plan_with("net_tap0")).needed.at(0).commands[0].starts_with("modprobe"));
}

}  // namespace
}  // namespace pollux::tool
