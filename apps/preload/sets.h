// sets.h - epoll sets of the program: the kernel's, and the half in Pollux that some have.
#pragma once

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

namespace pollux::preload {

// epoll_create has made a set; of every set its numbers and the sets that it is in are known.
void note_set(int fd);
void note_set_duplicate(int fd, int duplicate);
void note_set_close(int fd);  // and what it was is the kernel's

// epoll_ctl for a descriptor that is the stack's, or for a set with two halves; gives `epfd` its
// other half first.
int control_stacks(int epfd, int operation, int fd, epoll_event* event);
// epoll_ctl for a descriptor of the kernel's.
int control_kernels(int epfd, int operation, int fd, epoll_event* event);
// epoll_ctl for a set that has but the kernel's half.
int control_kernel_set(int epfd, int operation, int fd, epoll_event* event);

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

// Around fork.
void lock_sets();
void unlock_sets();
void lose_sets();  // in the child: no thread sleeps in one

}  // namespace pollux::preload
