// doctor_diagnosis.h - what keeps a stack from starting on a Machine, and what would speed it up.
#pragma once

#include <string>
#include <vector>

#include "apps/pollux/doctor_machine.h"

namespace pollux::tool {

struct PlannedPort {
  std::string name;    // "tap0"
  std::string device;  // "net_tap0,iface=plx0", "0000:03:00.0"
};

// What a configuration asks of the machine.
struct Plan {
  std::string options;  // "-c FILE ", for the commands that are advised
  std::uint64_t memory_mb = 0;
  std::uint64_t hugepages_mb = 0;  // instead; 0: it wants none
  std::vector<PlannedPort> ports;
  // Or none is chosen yet.
  bool asks_for_cards() const;
};

// 0000:03:00.0, as DPDK names a card.
bool is_card(const std::string& device);

// Of plx_needs().
Plan parse_plan(const std::string& needs, const std::string& options);

// One thing to do.
struct Step {
  std::string what;                   // "there is no /dev/net/tun"
  std::vector<std::string> commands;  // what to type; a line that begins with # is for reading
  std::string buys;                   // "": the start itself
};

// Whether one way to run works.
struct Way {
  std::string what;     // "tap0: net_tap0,iface=plx0"
  std::string why_not;  // "": it does
};

struct Diagnosis {
  std::vector<Way> ways;      // the plan's ports; without any, what else could be had
  std::vector<Step> needed;   // without these the plan does not start
  std::vector<Step> advised;  // what matters most first
  std::vector<std::string> in_order;
  bool starts() const { return needed.empty(); }
};

// What keeps the device from being the stack's; the first is the reason to name.
std::vector<Step> needs_of_device(const Machine& machine, const Plan& plan,
                                  const std::string& device);
std::string reserve_hugepages(const Machine& machine, const Plan& plan);
Diagnosis diagnose(const Machine& machine, const Plan& plan);
// A line of a list of the cards: address, driver, interface, whether to take it.
std::string describe_card(const Machine& machine, const NetworkCard& card);

}  // namespace pollux::tool
