// quick_start.cc - two calls of libc that DPDK is linked to make here (drivers/meson.build).
#include "drivers/dpdk/quick_start.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace pollux {
namespace {

constexpr long kLongestSleep = 2'000'000;  // ns
constexpr char kNodes[] = "/sys/devices/system/node/node";

thread_local bool is_starting = false;
thread_local std::bitset<64> absent_nodes;  // that were asked about and are not there

}  // namespace

QuickStart::QuickStart() {
  is_starting = true;
  absent_nodes.reset();
}
QuickStart::~QuickStart() { is_starting = false; }

}  // namespace pollux

using namespace pollux;

extern "C" {

int wrapped_nanosleep(const timespec* time, timespec* rest) asm("__wrap_nanosleep");
int wrapped_nanosleep(const timespec* time, timespec* rest) {
  if (!is_starting) return nanosleep(time, rest);
  const timespec shorter{0,
                         time->tv_sec > 0 ? kLongestSleep : std::min(time->tv_nsec, kLongestSleep)};
  return nanosleep(&shorter, rest);
}

int wrapped_access(const char* path, int mode) asm("__wrap_access");
int wrapped_access(const char* path, int mode) {
  constexpr std::size_t kLength = sizeof kNodes - 1;
  if (!is_starting || std::strncmp(path, kNodes, kLength) != 0) return access(path, mode);
  const auto node = static_cast<std::size_t>(std::atoi(path + kLength)) % 64;
  if (!absent_nodes[node]) {
    const std::string folder = kNodes + std::to_string(node);
    if (access(folder.c_str(), F_OK) == 0) return access(path, mode);
    absent_nodes.set(node);
  }
  errno = ENOENT;
  return -1;
}

}  // extern "C"
