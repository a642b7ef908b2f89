// engine.h - Engine: libpollux, opened and started when a socket first needs it.
#pragma once

#include "pollux/numbers.h"

// Every plx_* call that is used here, without its prefix.
#define PRELOAD_ENGINE_CALLS(X)                                                               \
  X(init)                                                                                     \
  X(error)                                                                                    \
  X(await_device)                                                                             \
  X(leave)                                                                                    \
  X(use_numbers)                                                                              \
  X(forget)                                                                                   \
  X(adopt_epoll)                                                                              \
  X(count_kernel_files)                                                                       \
  X(epoll_hint)                                                                               \
  X(sleeper)                                                                                  \
  X(wake)                                                                                     \
  X(socket)                                                                                   \
  X(bind)                                                                                     \
  X(listen)                                                                                   \
  X(accept4)                                                                                  \
  X(connect)                                                                                  \
  X(shutdown)                                                                                 \
  X(getsockname)                                                                              \
  X(getpeername) X(getsockopt) X(setsockopt) X(read) X(readv) X(recv) X(recvfrom) X(recvmsg)  \
      X(write) X(writev) X(send) X(sendto) X(sendmsg) X(close) X(fcntl) X(ioctl) X(epoll_ctl) \
          X(epoll_pwait) X(epoll_pwait2) X(poll) X(ppoll) X(select) X(pselect)

namespace pollux::preload {

struct Engine {
#define PRELOAD_POINTER(name) decltype(&plx_##name) name;
  PRELOAD_ENGINE_CALLS(PRELOAD_POINTER)
#undef PRELOAD_POINTER
};

// Only where a number is the stack's, or after start_engine().
const Engine& engine();
bool engine_runs();
// True: it runs. Else ENETDOWN, and why has been said, once; where a device is another process's
// for now, engine_waits(), and a thread starts the stack when that process ends.
bool start_engine();
bool engine_waits();
// What starting reads, while it may still be read: before the process gives up being root.
void open_early();
// Readable once the waiting is over.
int waiting_bell();
// The process ends: what was sent is delivered, what is open closed.
void leave_stack();
// Around fork; in the child the stack was the parent's, and the next start makes one of its own.
void lock_engine();
void unlock_engine();
void lose_engine();

// The next number that Pollux takes in this thread is `number`, which is open already.
class OfferedNumber {
 public:
  explicit OfferedNumber(int number);
  OfferedNumber(const OfferedNumber&) = delete;
  OfferedNumber& operator=(const OfferedNumber&) = delete;
  ~OfferedNumber();
};
// Placeholders made in this thread meanwhile are close-on-exec.
class CloseOnExecPlaceholders {
 public:
  explicit CloseOnExecPlaceholders(bool wanted);
  CloseOnExecPlaceholders(const CloseOnExecPlaceholders&) = delete;
  CloseOnExecPlaceholders& operator=(const CloseOnExecPlaceholders&) = delete;
  ~CloseOnExecPlaceholders();
};

}  // namespace pollux::preload
