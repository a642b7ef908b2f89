// init.cc - plx_init, plx_exit: the configuration becomes a Host.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

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

}  // extern "C"
