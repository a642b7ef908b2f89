// doctor_diagnosis.cc - the order of what matters, with what each step buys.
#include "apps/pollux/doctor_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace pollux::tool {
namespace {

constexpr std::uint64_t kFewFiles = 4096;

bool has_device(const Plan& plan, const char* driver) {
  return std::any_of(plan.ports.begin(), plan.ports.end(),
                     [driver](const PlannedPort& port) { return port.device.starts_with(driver); });
}

bool has_command(const std::vector<Step>& steps, const std::string& command) {
  return std::any_of(steps.begin(), steps.end(),
                     [&command](const Step& step) { return step.commands.front() == command; });
}

// Two ports may lack the same.
void add_once(const Step& step, std::vector<Step>& steps) {
  const bool is_known = std::any_of(steps.begin(), steps.end(),
                                    [&step](const Step& other) { return other.what == step.what; });
  if (!is_known) steps.push_back(step);
}

void need_memory(const Machine& machine, const Plan& plan, Diagnosis& out) {
  const bool has_hugepages =
      plan.hugepages_mb != 0 && machine.free_hugepages_mb >= plan.hugepages_mb;
  if (!has_hugepages && machine.available_mb < plan.memory_mb) {
    out.needed.push_back({fmt::format("{} MB of memory are wanted, {} are available",
                                      plan.memory_mb, machine.available_mb),
                          {"# fewer packets: --set stack.packets=..., in the file [stack] packets"},
                          ""});
  }
  // With hugepages DPDK reserves addresses for all that could ever be.
  if (has_hugepages && machine.process.address_space != kUnlimited) {
    out.needed.push_back(
        {"this process's address space is limited, and hugepages take much of it",
         {"ulimit -v unlimited", "# or do without hugepages: --set stack.hugepages=false"},
         ""});
  }
}

void need_ports(const Machine& machine, const Plan& plan, Diagnosis& out) {
  for (const PlannedPort& port : plan.ports) {
    const std::vector<Step> steps = needs_of_device(machine, plan, port.device);
    out.ways.push_back({port.name + ": " + port.device, steps.empty() ? "" : steps.front().what});
    for (const Step& step : steps) add_once(step, out.needed);
  }
}

// The first card that may be taken, as far as it got; else why none may.
std::string why_no_card(const Machine& machine, const Plan& plan) {
  std::string reason = "this machine has no network card";
  for (const NetworkCard& card : machine.cards) {
    const std::vector<Step> steps = needs_of_device(machine, plan, card.address);
    if (steps.empty()) return "";
    reason = steps.front().what;
    if (!machine.has_default_route(card)) break;
  }
  return reason;
}

// For who has not chosen yet.
void show_ways(const Machine& machine, const Plan& plan, Diagnosis& out) {
  const auto add = [&](const char* what, const char* device) {
    const std::vector<Step> steps = needs_of_device(machine, plan, device);
    out.ways.push_back({what, steps.empty() ? "" : steps.front().what});
  };
  add("no device, the program talks to itself      config/loopback.toml", "");
  add("shared memory with another process          config/memif-a.toml, memif-b.toml", "net_memif");
  add("a TAP device to this machine's kernel       config/tap.toml", "net_tap");
  add("an interface of the kernel's, shared        config/af_packet.toml", "net_af_packet");
  out.ways.push_back(
      {"a network card to itself                    config/nic.toml", why_no_card(machine, plan)});
}

void advise_memory(const Machine& machine, const Plan& plan, Diagnosis& out) {
  if (plan.hugepages_mb == 0 || has_command(out.needed, reserve_hugepages(machine, plan))) return;
  if (machine.free_hugepages_mb >= plan.hugepages_mb) {
    out.in_order.push_back(fmt::format("{} MB of hugepages are free", machine.free_hugepages_mb));
    return;
  }
  out.advised.push_back(
      {machine.hugepages_mb == 0
           ? "no hugepages are reserved"
           : fmt::format("{} of {} MB of hugepages are free; the stack wants {} and does without",
                         machine.free_hugepages_mb, machine.hugepages_mb, plan.hugepages_mb),
       {reserve_hugepages(machine, plan)},
       "a few percent of throughput; a network card needs them"});
}

void advise_processors(const Machine& machine, Diagnosis& out) {
  const Processors& processors = machine.processors;
  const unsigned count = machine.process.processors;
  if (count == 1) {
    out.advised.push_back({"there is one processor: who spins keeps the other end from running",
                           {"pollux run --set stack.busy_poll=0 --set stack.busy_read=0 ..."},
                           "no 50 us lost before every sleep"});
  }
  if (!processors.governor.empty() && processors.governor != "performance") {
    out.advised.push_back(
        {fmt::format("the processors' clock is scaled by \"{}\"", processors.governor),
         {"sudo cpupower frequency-set -g performance"},
         "full clock at once: a stack that sleeps between packets looks idle to a governor"});
  }
  if (count >= 4 && processors.isolated.empty()) {
    out.advised.push_back(
        {"no processor is isolated from other programs",
         {fmt::format("# kernel command line, reboot: isolcpus={0} nohz_full={0} rcu_nocbs={0}",
                      count - 1),
          fmt::format("taskset -c {} pollux run ...", count - 1)},
         "the tail of latency: nothing else runs where the stack spins"});
  }
  if (processors.has_smt) {
    out.advised.push_back({"two hardware threads share each core",
                           {"cat /sys/devices/system/cpu/cpu*/topology/thread_siblings_list   # "
                            "leave the other idle"},
                           "a core's whole speed for a thread that spins"});
  }
}

void advise_clock(const Machine& machine, Diagnosis& out) {
  const Processors& processors = machine.processors;
  if (processors.clocksource == "tsc" && processors.has_steady_tsc) {
    out.in_order.push_back("the clock is the processor's (tsc)");
    return;
  }
  out.advised.push_back(
      {fmt::format("the kernel's clock is \"{}\", the processor's is {}", processors.clocksource,
                   processors.has_steady_tsc ? "steady" : "not steady"),
       {"# if `dmesg | grep -i tsc` does not call it unstable: kernel command line, tsc=reliable"},
       "10 ns for a look at the clock instead of a system call's 90 or more"});
}

void advise_files(const Machine& machine, Diagnosis& out) {
  const std::uint64_t files = machine.process.open_files;
  if (files >= kFewFiles) {
    out.in_order.push_back(files == kUnlimited ? "any number of descriptors"
                                               : fmt::format("{} descriptors", files));
    return;
  }
  out.advised.push_back({fmt::format("a process may have {} descriptors", files),
                         {"ulimit -n 65536"},
                         "as many connections under `pollux run`, where each takes one; programs "
                         "of plx_* calls need none"});
}

// The kernel answers on it too, and resets the stack's connections.
void advise_interfaces(const Machine& machine, const Plan& plan, Diagnosis& out) {
  for (const PlannedPort& port : plan.ports) {
    for (const Interface& interface : machine.interfaces) {
      if (!interface.has_default_route || !port.device.ends_with("iface=" + interface.name))
        continue;
      out.advised.push_back({interface.name + " carries this machine's default route",
                             {"# take an interface that has no address in the kernel"},
                             "one answer to each packet: here the kernel answers as well"});
    }
  }
}

void advise_device(const Plan& plan, Diagnosis& out) {
  if (!has_device(plan, "net_tap") && !has_device(plan, "net_af_packet") &&
      !has_device(plan, "net_pcap")) {
    return;
  }
  out.advised.push_back(
      {"each frame goes through the kernel: this device is for trying things",
       {"pollux doctor -c config/nic.toml   # what a network card needs; or memif, on one machine"},
       "24 M packets/s of one core on memif; af_packet does 1.6 M, a TAP device 2.3 M"});
}

void note_rights(const Machine& machine, Diagnosis& out) {
  if (machine.has_tun && machine.opens_tun) out.in_order.push_back("/dev/net/tun");
  if (machine.process.has_net_admin) out.in_order.push_back("CAP_NET_ADMIN");
  if (machine.process.has_net_raw) out.in_order.push_back("CAP_NET_RAW");
  if (machine.has_iommu) out.in_order.push_back("an IOMMU");
  if (machine.has_vfio_pci) out.in_order.push_back("vfio-pci");
}

// A container often has none.
void leave_out_sudo(std::vector<Step>& steps) {
  const std::string word = "sudo ";
  for (Step& step : steps) {
    for (std::string& command : step.commands) {
      const std::size_t at = command.find(word);
      if (at != std::string::npos) command.erase(at, word.size());
    }
  }
}

}  // namespace

bool Plan::asks_for_cards() const {
  return ports.empty() || std::any_of(ports.begin(), ports.end(), [](const PlannedPort& port) {
           return is_card(port.device.substr(0, port.device.find(',')));
         });
}

std::string reserve_hugepages(const Machine& machine, const Plan& plan) {
  constexpr std::uint64_t kAtLeast = 64, kPageMb = 2;
  const std::uint64_t used = machine.hugepages_mb - machine.free_hugepages_mb;
  return fmt::format("echo {} | sudo tee /proc/sys/vm/nr_hugepages   # until the next boot",
                     std::max(kAtLeast, (used + plan.hugepages_mb) / kPageMb + 1));
}

Plan parse_plan(const std::string& needs, const std::string& options) {
  Plan plan;
  plan.options = options;
  std::istringstream lines(needs);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "memory_mb") words >> plan.memory_mb;
    if (key == "hugepages_mb") words >> plan.hugepages_mb;
    if (key != "port") continue;
    PlannedPort port;
    words >> port.device;
    std::getline(words >> std::ws, port.name);
    plan.ports.push_back(port);
  }
  return plan;
}

Diagnosis diagnose(const Machine& machine, const Plan& plan) {
  Diagnosis out;
  if (plan.ports.empty()) show_ways(machine, plan, out);
  need_ports(machine, plan, out);
  need_memory(machine, plan, out);
  advise_interfaces(machine, plan, out);
  advise_device(plan, out);
  advise_processors(machine, out);
  advise_memory(machine, plan, out);
  advise_clock(machine, out);
  advise_files(machine, out);
  note_rights(machine, out);
  if (machine.process.is_root) {
    leave_out_sudo(out.needed);
    leave_out_sudo(out.advised);
  }
  return out;
}

}  // namespace pollux::tool
