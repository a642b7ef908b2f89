// guest.h - keeping the process as its program left it while DPDK creates things in it.
#pragma once

#include <sched.h>
#include <signal.h>

#include <array>
#include <string>
#include <vector>

namespace pollux {

// Threads that DPDK starts meanwhile inherit a full mask: a program that waits for a signal with
// sigwait would be killed by a thread that does not block it.
class SignalsBlocked {
 public:
  SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked();

 private:
  sigset_t before_;
};

// net_tap takes the first real-time signal without a handler and makes packets interrupt the
// program's sleeps; finding none free, it does without (reception does not need it).
class RealTimeSignalsIgnored {
 public:
  RealTimeSignalsIgnored();
  RealTimeSignalsIgnored(const RealTimeSignalsIgnored&) = delete;
  RealTimeSignalsIgnored& operator=(const RealTimeSignalsIgnored&) = delete;
  ~RealTimeSignalsIgnored();

 private:
  std::array<struct sigaction, 65> before_{};
};

// EAL pins the thread that starts it.
class AffinityKept {
 public:
  AffinityKept();
  AffinityKept(const AffinityKept&) = delete;
  AffinityKept& operator=(const AffinityKept&) = delete;
  ~AffinityKept();
  // The allowed processors as EAL's list wants them: "0-3,8".
  std::string processors() const;

 private:
  cpu_set_t before_;
};

// Finds what was opened since it was made: nothing of DPDK's is close-on-exec, and some drivers do
// not tell their descriptor.
class DescriptorWatch {
 public:
  DescriptorWatch();
  std::vector<int> opened() const;
  void close_on_exec() const;
  // EAL's interrupt thread makes its epoll when it gets to run, perhaps after rte_eal_init() has
  // returned: waits for it, 20 ms at most.
  void await_epoll() const;

 private:
  std::vector<int> before_;
};

// True if the thread's effective capabilities have bit `capability`.
bool has_capability(unsigned capability);

}  // namespace pollux
