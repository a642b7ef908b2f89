// good_machine.h - a Machine that lacks nothing, for tests to take something from.
#pragma once

#include "apps/pollux/doctor_diagnosis.h"

namespace pollux::tool {

inline Machine good_machine() {
  Machine machine;
  machine.kernel = "6.1.0";
  machine.loads_modules = machine.has_user_namespaces = true;
  machine.memory_mb = machine.available_mb = 8000;
  machine.hugepages_mb = machine.free_hugepages_mb = 128;
  machine.processors.vendor = "GenuineIntel";
  machine.processors.has_steady_tsc = true;
  machine.processors.clocksource = "tsc";
  machine.processors.governor = "performance";
  machine.processors.isolated = "2-3";
  machine.process.has_net_admin = machine.process.has_net_raw = true;
  machine.process.processors = 4;
  machine.has_tun = machine.opens_tun = true;
  machine.has_iommu = machine.has_vfio_pci = machine.opens_vfio = true;
  machine.opens_groups = {"7"};
  NetworkCard card;
  card.address = "0000:03:00.0";
  card.driver = "vfio-pci";
  card.iommu_group = "7";
  machine.cards = {card};
  return machine;
}

inline Plan plan_with_nothing() {
  Plan plan;
  plan.memory_mb = 32;
  plan.hugepages_mb = 19;
  return plan;
}
inline Plan plan_with(const std::string& device) {
  Plan plan = plan_with_nothing();
  plan.options = "-c x.toml ";
  plan.ports.push_back({"port0", device});
  return plan;
}

}  // namespace pollux::tool
