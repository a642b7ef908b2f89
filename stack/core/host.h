// host.h - Host: everything of Pollux in this process; made by plx_init, one at a time.
#pragma once

#include "epoll/busy_poll.h"
#include "epoll/fd_table.h"
#include "stack/core/stack.h"

namespace pollux {

// SKETCH of what stack/api uses.
class Host {
 public:
  FdTable& fds();
  Stack& stack_for_new_socket();
  Stack& stack_of(Socket& socket);
  PollContext& poll_context();
  const BusyPollParams& busy_poll() const;   // the configuration's defaults, for poll, select and blocking calls
};

// Null before plx_init, after plx_exit, and in a forked child.
Host* host();

}  // namespace pollux
