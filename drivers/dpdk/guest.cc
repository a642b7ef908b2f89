// guest.cc - signals, affinity and descriptors: remember, then restore.
#include "drivers/dpdk/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pollux {
namespace {

std::vector<int> open_descriptors() {
  std::vector<int> found;
  DIR* folder = opendir("/proc/self/fd");
  if (!folder) return found;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (fd != dirfd(folder)) found.push_back(fd);
  }
  closedir(folder);
  std::sort(found.begin(), found.end());
  return found;
}

bool is_epoll(int fd) {
  char target[64] = "";
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return readlink(link.c_str(), target, sizeof target - 1) > 0 &&
         std::strstr(target, "[eventpoll]") != nullptr;
}

}  // namespace

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

RealTimeSignalsIgnored::RealTimeSignalsIgnored() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) {
    struct sigaction& before = before_[static_cast<std::size_t>(s)];
    sigaction(s, nullptr, &before);
    if (before.sa_handler == SIG_DFL) sigaction(s, &ignore, nullptr);
  }
}

RealTimeSignalsIgnored::~RealTimeSignalsIgnored() {
  for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) {
    const struct sigaction& before = before_[static_cast<std::size_t>(s)];
    if (before.sa_handler == SIG_DFL) sigaction(s, &before, nullptr);
  }
}

AffinityKept::AffinityKept() {
  CPU_ZERO(&before_);
  sched_getaffinity(0, sizeof before_, &before_);
}

AffinityKept::~AffinityKept() { sched_setaffinity(0, sizeof before_, &before_); }

std::string AffinityKept::processors() const {
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<unsigned>(cpu), &before_)) continue;
    int last = cpu;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(static_cast<unsigned>(last + 1), &before_)) ++last;
    if (!list.empty()) list += ',';
    list += std::to_string(cpu);
    if (last > cpu) list += '-' + std::to_string(last);
    cpu = last;
  }
  return list;
}

DescriptorWatch::DescriptorWatch() : before_(open_descriptors()) {}

std::vector<int> DescriptorWatch::opened() const {
  std::vector<int> fresh;
  for (const int fd : open_descriptors()) {
    if (!std::binary_search(before_.begin(), before_.end(), fd)) fresh.push_back(fd);
  }
  return fresh;
}

void DescriptorWatch::close_on_exec() const {
  for (const int fd : opened()) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void DescriptorWatch::await_epoll() const {
  const timespec pause{0, 100'000};
  for (int attempt = 0; attempt < 200; ++attempt) {
    const std::vector<int> fresh = opened();
    if (std::any_of(fresh.begin(), fresh.end(), is_epoll)) return;
    nanosleep(&pause, nullptr);
  }
}

bool has_capability(unsigned capability) {
  std::FILE* status = std::fopen("/proc/thread-self/status", "re");
  if (!status) return false;
  char line[256];
  std::uint64_t effective = 0;
  while (std::fgets(line, sizeof line, status)) {
    if (std::sscanf(line, "CapEff: %lx", &effective) == 1) break;
  }
  std::fclose(status);
  return (effective >> capability & 1) != 0;
}

}  // namespace pollux
