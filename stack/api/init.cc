// init.cc - plx_init, plx_exit: the configuration becomes a Host.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "epoll/waiting.h"
#include "pollux/numbers.h"
#include "stack/api/config.h"
#include "stack/api/ownership.h"
#include "stack/core/host.h"

namespace pollux {
namespace {

std::mutex start_mutex;
// plx_exit's to destroy and nobody else's: at exit(3) other threads may still be inside a call, and
// in a forked child it is a copy of the parent's.
Host* owned_host = nullptr;
std::string& last_error = *std::make_unique<std::string>().release();  // as long as the process

ForeignNumbers foreign_numbers;
// What the last plx_init found to be other processes'.
std::vector<std::string>& busy_devices = *std::make_unique<std::vector<std::string>>().release();

int fail(int error, std::string message) {
  last_error = std::move(message);
  errno = error;
  return -1;
}

// The file that counts, read and checked.
ConfigError read(const char* config_file, const char* const* settings, Config& config) {
  const char* from_environment = secure_getenv("POLLUX_CONFIG");
  const char* file = config_file ? config_file : from_environment;
  return read_config(file ? file : "", settings, config);
}

// As many as a placeholder may ever have; Linux's own limit is this at first (fs.nr_open).
std::uint32_t numbers_of_process() {
  constexpr rlim_t kMost = 1u << 20;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::uint32_t>(std::min(limit.rlim_max, kMost));
}

int start(const char* config_file, const char* const* settings) {
  if (owned_host && !host()) {
    return fail(EALREADY, "this process was forked from one that had called plx_init; fork before");
  }
  if (owned_host) return fail(EALREADY, "plx_init has been called already in this process");
  Config config;
  if (ConfigError error = read(config_file, settings, config)) {
    return fail(EINVAL, std::move(error.message));
  }
  config.numbers = foreign_numbers;
  if (foreign_numbers.take) config.descriptors = numbers_of_process();
  PortClaims claims;
  DriverError error = claim_ports(config, claims);
  busy_devices = claims.busy;
  if (error) return fail(error.error, std::move(error.message));
  owned_host = Host::start(config, std::move(claims), error).release();
  if (!owned_host) return fail(error.error, std::move(error.message));
  set_host(owned_host);
  last_error.clear();
  return 0;
}

std::string needs_of(const Config& config) {
  const MemoryNeeds memory = memory_needs(config);
  std::string text = fmt::format("memory_mb {}\nhugepages_mb {}\n", memory.pages_mb,
                                 config.hugepages ? memory.hugepages_mb : 0);
  for (const PortConfig& port : config.ports) {
    text += fmt::format("port {} {}\n", port.device, port.name);
  }
  return text;
}

std::string& last_text = *std::make_unique<std::string>().release();

const char* text_of(const char* config_file, const char* const* settings,
                    std::string (*describe)(const Config&)) {
  Config config;
  if (ConfigError error = read(config_file, settings, config)) {
    fail(EINVAL, std::move(error.message));
    return nullptr;
  }
  last_text = describe(config);
  return last_text.c_str();
}

constexpr std::size_t kDrops = static_cast<std::size_t>(Drop::count);
struct Snapshot {
  Counters counters;
  std::array<std::uint64_t, kDrops> drops;
};

// Of one moment, unless the stack is one thread's alone: that may be another.
Snapshot take_snapshot(Stack& stack) {
  std::optional<Entered> entered;
  if (stack.entry().mode() == ThreadMode::shared) entered.emplace(stack.entry());
  Snapshot snapshot{.counters = stack.counters(), .drops = {}};
  for (std::size_t i = 0; i < kDrops; ++i) snapshot.drops[i] = stack.drops(static_cast<Drop>(i));
  return snapshot;
}

// Visited afterwards: the visitor may call the stack.
std::vector<PortCount> take_device_counts(Host& host) {
  std::optional<Entered> entered;
  Entry& entry = host.stack_for_new_socket().entry();
  if (entry.mode() == ThreadMode::shared) entered.emplace(entry);
  return host.device_counts();
}

}  // namespace
}  // namespace pollux

extern "C" {

int plx_init(const char* config_file, const char* const* settings) {
  std::lock_guard lock(pollux::start_mutex);
  return pollux::start(config_file, settings);
}

void plx_exit(void) {
  // Not started, or a forked child's copy of its parent's; there the lock may be held for ever.
  if (!pollux::host()) return;
  std::lock_guard lock(pollux::start_mutex);
  if (!pollux::host()) return;
  pollux::set_host(nullptr);
  const std::unique_ptr<pollux::Host> ended(std::exchange(pollux::owned_host, nullptr));
}

void plx_use_numbers(const plx_numbers* numbers) {
  pollux::foreign_numbers = {numbers->take, numbers->give_back};
}

const char* plx_rules(const char* config_file, const char* const* settings) {
  std::lock_guard lock(pollux::start_mutex);
  return pollux::text_of(config_file, settings, pollux::ownership_rules);
}

const char* plx_needs(const char* config_file, const char* const* settings) {
  std::lock_guard lock(pollux::start_mutex);
  return pollux::text_of(config_file, settings, pollux::needs_of);
}

void plx_await_device(void) {
  std::vector<std::string> names;
  {
    std::lock_guard lock(pollux::start_mutex);
    names = pollux::busy_devices;
  }
  pollux::await_claims(names);
}

const char* plx_error(void) { return pollux::last_error.c_str(); }

int plx_counters(void (*visit)(void* argument, const char* name, const char* meaning,
                               uint64_t value),
                 void* argument) {
  pollux::Host* host = pollux::host();
  if (!host) return 0;
  int count = 0;
  const pollux::Snapshot snapshot = pollux::take_snapshot(host->stack_for_new_socket());
#define POLLUX_VISIT(name, meaning) \
  visit(argument, #name, meaning, snapshot.counters.name), ++count;
  POLLUX_COUNTERS(POLLUX_VISIT)
#undef POLLUX_VISIT
#define POLLUX_VISIT(name, meaning)                                    \
  visit(argument, "drop_" #name, meaning,                              \
        snapshot.drops[static_cast<std::size_t>(pollux::Drop::name)]), \
      ++count;
  POLLUX_DROPS(POLLUX_VISIT)
#undef POLLUX_VISIT
#define POLLUX_VISIT(name, meaning) \
  visit(argument, #name, meaning, pollux::waits(pollux::WaitCounter::name)), ++count;
  POLLUX_WAIT_COUNTERS(POLLUX_VISIT)
#undef POLLUX_VISIT
  for (const auto& [name, value] : pollux::take_device_counts(*host)) {
    visit(argument, name.c_str(), "as the port's driver counts it", value), ++count;
  }
  return count;
}

}  // extern "C"
