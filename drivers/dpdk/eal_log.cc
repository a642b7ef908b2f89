// eal_log.cc - a FILE whose writes end in a short string.
#include "drivers/dpdk/eal_log.h"

#include <rte_log.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>

namespace pollux {
namespace {

constexpr std::size_t kKept = 4096;
constexpr std::size_t kQuoted = 500;

// Process-wide, as DPDK's log is; the interrupt thread of EAL writes too.
std::mutex log_mutex;
std::string log_text;
bool log_to_stderr = false;

ssize_t keep(void*, const char* text, std::size_t size) {
  const std::lock_guard lock(log_mutex);
  log_text.append(text, size);
  if (log_text.size() > kKept) log_text.erase(0, log_text.size() - kKept);
  if (log_to_stderr && write(STDERR_FILENO, text, size) < 0) return static_cast<ssize_t>(size);
  return static_cast<ssize_t>(size);
}

}  // namespace

void keep_eal_log(bool also_stderr) {
  {
    const std::lock_guard lock(log_mutex);
    log_to_stderr = also_stderr;
  }
  static std::FILE* stream = nullptr;
  if (!stream) {
    stream = fopencookie(nullptr, "w", {nullptr, keep, nullptr, nullptr});
    if (stream) setvbuf(stream, nullptr, _IOLBF, 0);
  }
  if (stream) rte_openlog_stream(stream);
}

void clear_eal_log() {
  const std::lock_guard lock(log_mutex);
  log_text.clear();
}

std::string last_eal_log() {
  const std::lock_guard lock(log_mutex);
  std::string quoted;
  for (const char c : log_text) {
    if (c != '\n') {
      quoted += c;
    } else if (!quoted.empty() && !quoted.ends_with("; ")) {
      quoted += "; ";
    }
  }
  if (quoted.ends_with("; ")) quoted.resize(quoted.size() - 2);
  if (quoted.size() > kQuoted) quoted.erase(0, quoted.size() - kQuoted);
  return quoted;
}

}  // namespace pollux
