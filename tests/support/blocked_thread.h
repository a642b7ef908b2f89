// blocked_thread.h - Blocked: a thread that is inside a call which sleeps.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

namespace pollux::testing_support {

// Made once `act` sleeps in a wait of Pollux's, which is one ppoll.
class Blocked {
 public:
  template <typename Act>
  explicit Blocked(Act act)
      : thread_([this, act = std::move(act)] {
          tid_ = gettid();
          act();
        }) {
    while (!is_asleep()) std::this_thread::yield();
  }
  ~Blocked() {
    if (thread_.joinable()) thread_.join();
  }
  void join() { thread_.join(); }
  void interrupt() { pthread_kill(thread_.native_handle(), SIGUSR1); }

 private:
  bool is_asleep() const {
    if (tid_ == 0) return false;
    std::ifstream file("/proc/self/task/" + std::to_string(tid_) + "/syscall");
    long call = -1;
    return file >> call && call == SYS_ppoll;
  }
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

}  // namespace pollux::testing_support
