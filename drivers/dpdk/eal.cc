// eal.cc - which arguments EAL gets, and what is restored after it.
#include "drivers/dpdk/eal.h"

#include <dirent.h>
#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "drivers/dpdk/eal_log.h"
#include "drivers/dpdk/guest.h"
#include "drivers/dpdk/quick_start.h"

namespace pollux {
namespace {

// An allow list that names no device: EAL probes none by itself (above all not the machine's own
// NIC); the ports name theirs later.
constexpr const char* kNoPciDevice = "ffff:ff:1f.7";

std::uint64_t read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return file ? number : 0;
}

// Free memory in hugepages of all sizes, in MiB.
std::uint64_t free_hugepages_mb() {
  const std::string root = "/sys/kernel/mm/hugepages/";
  DIR* folder = opendir(root.c_str());
  if (!folder) return 0;
  std::uint64_t kilobytes = 0;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;  // hugepages-2048kB
    if (!name.starts_with("hugepages-")) continue;
    const std::uint64_t size = std::strtoull(name.c_str() + 10, nullptr, 10);
    kilobytes += size * read_number(root + name + "/free_hugepages");
  }
  closedir(folder);
  return kilobytes / 1024;
}

bool choose_hugepages(const EalOptions& options) {
  return options.use_hugepages && free_hugepages_mb() >= options.hugepages_mb;
}

std::vector<std::string> arguments(const EalOptions& options, bool hugepages,
                                   const std::string& processors) {
  std::vector<std::string> list = {"pollux", "--no-telemetry", "--log-level=" + options.log_level,
                                   "--lcores", "0@(" + processors + ")"};
  if (hugepages) {
    list.insert(list.end(), {"--in-memory", "--single-file-segments"});
  } else {
    list.insert(list.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(options.memory_mb)});
  }
  if (options.probe_pci) {
    list.insert(list.end(), {"-a", kNoPciDevice});
  } else {
    list.push_back("--no-pci");
  }
  return list;
}

DriverError start_error(int error, bool hugepages) {
  if (error == EALREADY) return {error, "DPDK was already started in this process (once only)"};
  std::string message = std::string("DPDK did not start: ") + std::strerror(error);
  const std::string quoted = last_eal_log();
  if (!quoted.empty()) message += " (" + quoted + ")";
  if (hugepages) {
    message +=
        "; set stack.hugepages = false, or reserve hugepages: echo 512 >"
        " /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
  } else {
    message += "; lower stack.packets, or allow the process more memory (ulimit -v, cgroup)";
  }
  return {error, message};
}

bool is_log_level(const std::string& level) {
  constexpr const char* kLevels[] = {"critical", "error", "warning", "notice", "info", "debug"};
  return std::any_of(std::begin(kLevels), std::end(kLevels),
                     [&level](const char* known) { return level == known; });
}

bool is_chatty(const std::string& level) {
  return level == "notice" || level == "info" || level == "debug";
}

int init(const EalOptions& options, bool hugepages) {
  const AffinityKept affinity;
  const SignalsBlocked signals;
  const DescriptorWatch descriptors;
  const QuickStart quick;
  std::vector<std::string> list = arguments(options, hugepages, affinity.processors());
  std::vector<char*> argv;
  for (std::string& argument : list) argv.push_back(argument.data());
  argv.push_back(nullptr);
  keep_eal_log(is_chatty(options.log_level));
  clear_eal_log();
  const int parsed = rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
  const int error = parsed < 0 ? rte_errno : 0;
  if (error == 0) descriptors.await_epoll();
  descriptors.close_on_exec();
  return parsed < 0 && error == 0 ? EINVAL : error;
}

}  // namespace

DriverError start_eal(const EalOptions& options) {
  static bool called = false;
  if (called) return start_error(EALREADY, false);
  if (!is_log_level(options.log_level)) {
    return {EINVAL, "log level \"" + options.log_level +
                        "\" is none of critical, error, warning, notice, info, debug"};
  }
  called = true;
  const bool hugepages = choose_hugepages(options);
  const int error = init(options, hugepages);
  return error == 0 ? DriverError() : start_error(error, hugepages);
}

void stop_eal() { rte_eal_cleanup(); }

bool eal_uses_hugepages() { return rte_eal_has_hugepages() != 0; }

void keep_packets_out_of_dumps() {
  const auto keep_out = [](const rte_memseg_list* list, void*) {
    ::madvise(list->base_va, list->len, MADV_DONTDUMP);
    return 0;
  };
  rte_memseg_list_walk(keep_out, nullptr);
}

LcoreScope::LcoreScope(unsigned lcore)
    : id_(RTE_PER_LCORE(_lcore_id)), before_(std::exchange(id_, lcore)) {}

}  // namespace pollux
