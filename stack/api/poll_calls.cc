// poll_calls.cc - poll(2), select(2) and their variants.
#include "epoll/poll_select.h"
#include "pollux/pollux.h"
#include "stack/api/addresses.h"
#include "stack/api/deadline.h"
#include "stack/api/errno_result.h"
#include "stack/core/host.h"

namespace pollux {
namespace {

int note(Host& host, const Result<int>& n) {
  if (n.ok() && *n > 0) host.note_wait_returned(static_cast<unsigned>(*n));
  return to_return(n);
}

int poll_until(pollfd* fds, nfds_t count, Instant deadline, const sigset_t* mask) {
  Host& host = *pollux::host();
  if (count > host.fds().capacity()) return fail(Errno::invalid);
  if (count != 0 && (!fds || !may_be_users(fds, count * sizeof *fds))) return fail(Errno::fault);
  const Blocking how{deadline, mask, host.poll_context(), host.busy_poll()};
  return note(host, poll_files(host.fds(), std::span(fds, count), how));
}

int select_until(int n, const SelectSets& sets, Instant deadline, const sigset_t* mask) {
  Host& host = *pollux::host();
  const Blocking how{deadline, mask, host.poll_context(), host.busy_poll()};
  return note(host, select_files(host.fds(), n, sets, how));
}

unsigned long* words_of(fd_set* set) { return reinterpret_cast<unsigned long*>(set); }

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

int plx_poll(pollfd* fds, nfds_t count, int timeout_ms) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::network_down);
  return poll_until(fds, count, deadline_of_ms(timeout_ms, host->poll_context().now()), nullptr);
}

int plx_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::network_down);
  const Result<Instant> deadline = deadline_of(timeout, host->poll_context().now());
  if (!deadline) return fail(deadline.error());
  if (mask && is_bad(mask)) return fail(Errno::fault);
  return poll_until(fds, count, *deadline, mask);
}

int plx_select(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set, timeval* timeout) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::network_down);
  const Result<Instant> deadline = deadline_of(timeout, host->poll_context().now());
  if (!deadline) return fail(deadline.error());
  const SelectSets sets{words_of(read_set), words_of(write_set), words_of(except_set)};
  const int ready = select_until(n, sets, *deadline, nullptr);
  const int error = errno;
  // Linux writes back what is left, after EINTR too; a zero timeout stays as it is.
  const bool is_zero = timeout && timeout->tv_sec == 0 && timeout->tv_usec == 0;
  const bool waited = ready >= 0 || error == EINTR;
  if (timeout && !is_zero && waited) *timeout = remaining(*deadline, host->poll_context().now());
  errno = error;
  return ready;
}

int plx_pselect(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set,
                const timespec* timeout, const sigset_t* mask) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::network_down);
  const Result<Instant> deadline = deadline_of(timeout, host->poll_context().now());
  if (!deadline) return fail(deadline.error());
  if (mask && is_bad(mask)) return fail(Errno::fault);
  const SelectSets sets{words_of(read_set), words_of(write_set), words_of(except_set)};
  return select_until(n, sets, *deadline, mask);
}

}  // extern "C"
