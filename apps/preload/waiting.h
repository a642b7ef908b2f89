// waiting.h - poll and select while a device is another process's.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <time.h>

#include <optional>

namespace pollux::preload {

// On CLOCK_MONOTONIC; nothing: never.
class Deadline {
 public:
  static Deadline in(const timespec* timeout);
  static Deadline in_ms(int timeout);
  bool is_never() const { return !end_; }
  timespec rest() const;  // at least 0

 private:
  std::optional<timespec> end_;
};

// A dormant socket among them is not ready; when it can be, the call goes on as the stack's.
int poll_while_waiting(pollfd* fds, nfds_t count, const Deadline& deadline, const sigset_t* mask);
int select_while_waiting(int n, fd_set* read, fd_set* write, fd_set* except, timeval* timeout);
int pselect_while_waiting(int n, fd_set* read, fd_set* write, fd_set* except,
                          const timespec* timeout, const sigset_t* mask);

// FD_ISSET, also beyond FD_SETSIZE.
inline bool is_in(const fd_set* set, int fd) {
  constexpr int kBits = 8 * sizeof(unsigned long);
  const auto* words = reinterpret_cast<const unsigned long*>(set);
  return set && (words[fd / kBits] >> fd % kBits & 1) != 0;
}

}  // namespace pollux::preload
