// numbers_calls.cc - what the preload library needs beside the public calls.
#include <string>

#include "epoll/event_fd.h"
#include "epoll/eventpoll.h"
#include "pollux/numbers.h"
#include "stack/api/errno_result.h"
#include "stack/core/host.h"

namespace pollux {
namespace {

Result<void> adopt(int number, int kernel_epoll) {
  Host* host = pollux::host();
  if (!host) return Errno::network_down;
  ASSIGN_OR_RETURN(EventPoll * set, EventPoll::create());
  set->adopt(kernel_epoll);
  const Result<void> installed = host->fds().install_at(set, false, number);
  if (!installed.ok()) set->put();
  return installed;
}

Result<void> count_kernel_files(int number, int change) {
  Host* host = pollux::host();
  const FileRef set = host ? host->fds().get(number) : FileRef();
  if (!set) return Errno::bad_descriptor;
  if (set->type() != FileType::eventpoll) return Errno::invalid;
  static_cast<EventPoll&>(*set).count_kernel_files(change);
  return {};
}

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

int plx_forget(int fd) {
  Host* host = pollux::host();
  return host ? to_return(host->fds().forget(fd)) : fail(Errno::bad_descriptor);
}

int plx_adopt_epoll(int number, int kernel_epoll) { return to_return(adopt(number, kernel_epoll)); }

int plx_count_kernel_files(int number, int change) {
  return to_return(count_kernel_files(number, change));
}

uint64_t plx_epoll_hint(void) { return EventPoll::hint().u64; }

void* plx_sleeper(void) { return &Sleeper::of_this_thread(); }

void plx_wake(void* sleeper) { static_cast<Sleeper*>(sleeper)->wake(); }

void plx_leave(void) {
  if (Host* host = pollux::host()) host->leave();
}

}  // extern "C"
