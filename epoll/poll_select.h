// poll_select.h - poll(2) and select(2) on the same wait queues; and waiting for one file.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>

#include <span>

#include "epoll/busy_poll.h"
#include "epoll/fd_table.h"
#include "stack/base/result.h"

namespace pollux {

// How long, and how, a poll or select waits. Deadline in the past: look once. sigmask may be null.
struct Blocking {
  Instant deadline;
  const sigset_t* sigmask;
  PollContext& context;
  const BusyPollParams& params;  // net.core.busy_poll; spun for only if a socket wants it (13.9)
};

// poll(2), ppoll(2). Fills revents; returns how many entries have some. Number of entries above the
// table's capacity: EINVAL. EINTR: a handler ran.
Result<int> poll_files(FdTable& table, std::span<pollfd> fds, const Blocking& how);

// select(2), pselect(2) with sets of `n` bits as arrays of unsigned long, so that n may exceed
// FD_SETSIZE; each may be null. Sets are overwritten only on success. Returns how many bits are
// set.
struct SelectSets {
  unsigned long* read;
  unsigned long* write;
  unsigned long* except;
};
Result<int> select_files(FdTable& table, int n, SelectSets sets, const Blocking& how);

// Blocks until one of `events`, ERR or HUP is ready on `file` (the caller holds a reference).
// EAGAIN: the deadline passed. EINTR: a handler ran. For blocking read, write, accept and connect.
Result<PollEvents> wait_for(File& file, PollEvents events, Instant deadline, PollContext& context,
                            const BusyPollParams& params);

}  // namespace pollux
