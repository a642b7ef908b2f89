// signals.h - the program's signal handlers, put off while their thread is inside Pollux.
//
// A handler may do anything that is async-signal-safe: send, close, siglongjmp. Inside the stack,
// whose state is half changed there, it must not run. So every handler that the program sets is
// called by ours, which while the thread is inside keeps the signal for the moment when it leaves.
// A sleep inside ends at once for it (ppoll answers EINTR), so it is not late, and calls end with
// EINTR as in Linux, or are made again when all handlers that ran had SA_RESTART. Faults are never
// put off.
#pragma once

#include <cstdint>

namespace pollux::preload {

// Signals of this thread that wait for it to leave, a bit each.
[[gnu::tls_model("initial-exec")]] inline thread_local volatile std::uint64_t kept_signals = 0;
// How many handlers without SA_RESTART have run in this thread, and how many with it.
[[gnu::tls_model("initial-exec")]] inline thread_local unsigned ran_without_restart = 0;
[[gnu::tls_model("initial-exec")]] inline thread_local unsigned ran_with_restart = 0;

void run_kept_signals();
// The stack has started: a signal that would end the process closes its connections before, as the
// kernel would.
void catch_deadly_signals();
// For threads of Pollux's own: handlers run in the program's threads.
void block_all_signals();

}  // namespace pollux::preload
