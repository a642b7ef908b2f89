// epoll_calls.cc - epoll_create(2), epoll_ctl(2), epoll_wait(2) and their variants.
// The order of the checks is Linux 6.18's.
#include "epoll/eventpoll.h"
#include "pollux/pollux.h"
#include "stack/api/addresses.h"
#include "stack/api/deadline.h"
#include "stack/api/errno_result.h"
#include "stack/core/host.h"

namespace pollux {
namespace {

constexpr int kMaxEvents = INT_MAX / static_cast<int>(sizeof(epoll_event));  // EP_MAX_EVENTS

Result<int> create_set(int flags) {
  if ((flags & ~EPOLL_CLOEXEC) != 0) return Errno::invalid;
  Host* host = pollux::host();
  if (!host) return Errno::network_down;
  ASSIGN_OR_RETURN(EventPoll * set, EventPoll::create());
  const Result<int> number = host->fds().install(set, (flags & EPOLL_CLOEXEC) != 0);
  if (!number) set->put();
  return number;
}

Result<void> control(int epfd, int operation, int fd, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL && is_bad(event)) return Errno::fault;
  Host* host = pollux::host();
  if (!host) return Errno::bad_descriptor;
  const FileRef set = host->fds().get(epfd);
  if (!set) return Errno::bad_descriptor;
  const FileRef file = host->fds().get(fd);
  if (!file) return Errno::bad_descriptor;
  if (!file->is_pollable()) return Errno::not_permitted;
  if (set->type() != FileType::eventpoll) return Errno::invalid;
  return static_cast<EventPoll&>(*set).ctl(operation, {file.get(), fd}, event);
}

struct Waiting {
  int epfd;
  std::span<epoll_event> out;
  Instant deadline;
  const sigset_t* mask;
};

Result<int> wait(Host& host, const Waiting& waiting, int maxevents) {
  const FileRef set = host.fds().get(waiting.epfd);
  if (!set) return Errno::bad_descriptor;
  if (maxevents <= 0 || maxevents > kMaxEvents) return Errno::invalid;
  if (!may_be_users(waiting.out.data(), waiting.out.size_bytes())) return Errno::fault;
  if (set->type() != FileType::eventpoll) return Errno::invalid;
  const Result<int> n = static_cast<EventPoll&>(*set).wait(waiting.out, waiting.deadline,
                                                           waiting.mask, host.poll_context());
  if (n.ok() && *n > 0) host.note_wait_returned(static_cast<unsigned>(*n));
  return n;
}

std::span<epoll_event> events_of(epoll_event* events, int maxevents) {
  return {events, maxevents > 0 ? static_cast<std::size_t>(maxevents) : 0};
}

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

int plx_epoll_create(int size) { return size <= 0 ? fail(Errno::invalid) : plx_epoll_create1(0); }

int plx_epoll_create1(int flags) { return to_return(create_set(flags)); }

int plx_epoll_ctl(int epfd, int operation, int fd, epoll_event* event) {
  return to_return(control(epfd, operation, fd, event));
}

int plx_epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout_ms) {
  return plx_epoll_pwait(epfd, events, maxevents, timeout_ms, nullptr);
}

int plx_epoll_pwait(int epfd, epoll_event* events, int maxevents, int timeout_ms,
                    const sigset_t* mask) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::bad_descriptor);
  if (mask && is_bad(mask)) return fail(Errno::fault);
  const Instant now = timeout_ms > 0 ? host->poll_context().now() : Instant();
  const Waiting waiting{epfd, events_of(events, maxevents), deadline_of_ms(timeout_ms, now), mask};
  return to_return(wait(*host, waiting, maxevents));
}

int plx_epoll_pwait2(int epfd, epoll_event* events, int maxevents, const timespec* timeout,
                     const sigset_t* mask) {
  Host* host = pollux::host();
  if (!host) return fail(Errno::bad_descriptor);
  const Result<Instant> deadline = deadline_of(timeout, host->poll_context().now());
  if (!deadline) return fail(deadline.error());
  if (mask && is_bad(mask)) return fail(Errno::fault);
  const Waiting waiting{epfd, events_of(events, maxevents), *deadline, mask};
  return to_return(wait(*host, waiting, maxevents));
}

}  // extern "C"
