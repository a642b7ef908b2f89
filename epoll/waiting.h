// waiting.h - the one way to wait: poll once, look, spin, sleep; shared by all blocking calls.
#pragma once

#include <poll.h>
#include <signal.h>

#include <span>

#include "epoll/busy_poll.h"
#include "stack/base/result.h"

namespace pollux {

// What a blocking call waits for: a set's ready list, the files of a poll or select, one file.
// Lives on the stack of the waiting thread.
class Waitable {
 public:
  virtual ~Waitable() = default;
  // The device queues whose packets can end the wait.
  virtual NapiSet napis() const = 0;
  // Fetches what the kernel has noticed about its own descriptors; free where there are none.
  virtual void ask_kernel() = 0;
  // Above 0 or an error: the wait is over, with that.
  virtual Result<int> look() = 0;
  // From here to disarm() whatever may end the wait wakes `sleeper`. False: look again first.
  virtual bool arm(Sleeper& sleeper) = 0;
  virtual void disarm() = 0;
  // Descriptors of the kernel's to sleep on as well.
  virtual std::span<pollfd> kernel() = 0;
};

struct WaitRequest {
  Instant deadline;  // in the past: poll once, look once
  const sigset_t* sigmask = nullptr;
  BusyPollParams busy_poll;
};

// What look() said; 0 when the deadline has passed; EINTR when a handler ran while asleep (what is
// ready wins over it). Called with nothing entered.
Result<int> wait_until(Waitable& waitable, const WaitRequest& request, PollContext& context);

}  // namespace pollux
