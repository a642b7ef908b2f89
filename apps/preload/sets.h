// sets.h - epoll sets of the program: the kernel's, and the half in Pollux that some have.
#pragma once

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

namespace pollux::preload {

// epoll_ctl for a descriptor that is the stack's; gives the set its other half first.
int control_stacks(int epfd, int operation, int fd, epoll_event* event);

// A wait for a set, in whatever form the program called it.
struct SetWait {
  int epfd;
  epoll_event* events;
  int max_events;
  int timeout_ms;
  const timespec* timeout;  // where has_timespec
  const sigset_t* mask;
  bool has_timespec;
};
int wait_for(const SetWait& wait);

}  // namespace pollux::preload
