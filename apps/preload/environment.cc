// environment.cc - reads the variables that apps/pollux/run.cc sets.
#include "apps/preload/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>

namespace pollux::preload {
namespace {

std::atomic<bool> is_taken{false};

std::string variable(const char* name) {
  const char* const value = secure_getenv(name);
  return value ? value : "";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

const Environment& environment() {
  // As long as the process: it may be asked while that ends.
  static const Environment& taken =
      *std::make_unique<Environment>(Environment{.library = variable("POLLUX_LIBRARY"),
                                                 .config = variable("POLLUX_CONFIG"),
                                                 .settings = lines_of(variable("POLLUX_SETTINGS")),
                                                 .rules = variable("POLLUX_RULES")})
           .release();
  is_taken.store(true, std::memory_order_relaxed);
  return taken;
}

bool has_environment() { return is_taken.load(std::memory_order_relaxed) || environ; }

}  // namespace pollux::preload
