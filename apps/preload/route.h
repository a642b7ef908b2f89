// route.h - the body that most interposed calls have: libc's, the stack's, or nobody's.
#pragma once

#include <cerrno>

#include "apps/preload/calls.h"
#include "apps/preload/cancel.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"

namespace pollux::preload {

// Linux: ERESTARTSYS. True: the call was ended by handlers that all have SA_RESTART.
class Restart {
 public:
  template <typename Number>
  bool is_due(Number result) const {
    return result == -1 && errno == EINTR && ran_without_restart == without_ &&
           ran_with_restart != with_;
  }

 private:
  const unsigned without_ = ran_without_restart, with_ = ran_with_restart;
};

// A call that may sleep: a cancellation point, and made again after handlers that want it so.
template <typename Act>
auto blocking(Act&& act) -> decltype(act()) {
  for (;;) {
    const Restart restart;
    const auto result = cancellable(act);
    if (!restart.is_due(result)) return result;
  }
}

template <typename LibcCall, typename StackCall, typename... Arguments>
auto route(LibcCall libc_call, StackCall stack_call, int fd, Arguments... arguments)
    -> decltype((libc().*libc_call)(fd, arguments...)) {
  switch (turn_of(fd)) {
    case Turn::kernels:
      return (libc().*libc_call)(fd, arguments...);
    case Turn::stacks: {
      const Inside inside;
      return (engine().*stack_call)(fd, arguments...);
    }
    default:
      return -1;
  }
}

template <typename LibcCall, typename StackCall, typename... Arguments>
auto route_blocking(LibcCall libc_call, StackCall stack_call, int fd, Arguments... arguments)
    -> decltype((libc().*libc_call)(fd, arguments...)) {
  switch (turn_of(fd)) {
    case Turn::kernels:
      return (libc().*libc_call)(fd, arguments...);
    case Turn::stacks:
      return blocking([&] { return (engine().*stack_call)(fd, arguments...); });
    default:
      return -1;
  }
}

// A call that a stack's descriptor answers with `error`, as a socket of Linux's does.
template <typename LibcCall, typename... Arguments>
auto refuse(int error, LibcCall libc_call, int fd, Arguments... arguments)
    -> decltype((libc().*libc_call)(fd, arguments...)) {
  const Turn turn = turn_of(fd);
  if (turn == Turn::kernels) return (libc().*libc_call)(fd, arguments...);
  if (turn == Turn::stacks) errno = error;
  return -1;
}
template <typename LibcCall, typename... Arguments>
auto refuse_blocking(int error, LibcCall libc_call, int fd, Arguments... arguments) {
  if (!is_inside()) pthread_testcancel();
  return refuse(error, libc_call, fd, arguments...);
}

}  // namespace pollux::preload
