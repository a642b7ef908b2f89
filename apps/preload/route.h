// route.h - the body that most interposed calls have: libc's, the stack's, or nobody's.
#pragma once

#include <cerrno>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"

namespace pollux::preload {

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

// A call that a stack's descriptor answers with `error`, as a socket of Linux's does.
template <typename LibcCall, typename... Arguments>
auto refuse(int error, LibcCall libc_call, int fd, Arguments... arguments)
    -> decltype((libc().*libc_call)(fd, arguments...)) {
  const Turn turn = turn_of(fd);
  if (turn == Turn::kernels) return (libc().*libc_call)(fd, arguments...);
  if (turn == Turn::stacks) errno = error;
  return -1;
}

}  // namespace pollux::preload
