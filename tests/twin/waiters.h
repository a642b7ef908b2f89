// waiters.h - Waiters: threads that are blocked in a call, known to be asleep in it, and what each
// of them came back with.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "tests/twin/twin.h"

namespace pollux::twin {

// Longer than any step of a case, shorter than the patience of side.cc.
inline constexpr int kLongMs = 8000;

// The number of times that a thread or process has gone to sleep, if it is asleep now, and not for
// a lock; otherwise 0. Two equal answers: it has slept all the time in between.
uint64_t sleeps_of(const std::string& proc_directory);

// Of the process's first thread. They return after kLongMs at the latest.
void until_process_sleeps(pid_t pid);  // or is gone
void until_process_stops(pid_t pid);

// Belongs to one case. The threads are joined at the end at the latest, so each needs a reason to
// come back: the bell, which is readable in every set and poll of theirs once end() rings it.
class Waiters {
 public:
  explicit Waiters(Twin& twin) : t_(twin), bell_(twin.pair()) {}
  ~Waiters() { join(); }
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;

  void start(std::function<std::string()> call);
  void on_set(int set, int timeout_ms = kLongMs);  // one event; the bell's is Z
  void on_poll(int fd, short events);
  void on_select(int fd);  // for reading

  // Returns at a moment when all that have not come back are asleep.
  void until_asleep();
  void until_returned(size_t count);
  size_t returned();
  std::string each();   // in the order of start(), separated by ", "; "asleep" if still out
  std::string tally();  // "1 A:IN, 3 Z:IN", by name
  Waiters& end();       // rings, and waits for all
  void join();

 private:
  struct Waiter {
    std::function<std::string()> call;
    std::string proc_directory;  // once it runs
    std::string result;
    bool is_back = false;
    std::thread thread;
  };
  void run(Waiter& waiter);
  std::vector<uint64_t> sleeps();

  Twin& t_;
  const Pair bell_;
  std::mutex mutex_;  // guards what follows, but for the threads
  std::condition_variable changed_;
  std::list<Waiter> waiters_;
};

}  // namespace pollux::twin
