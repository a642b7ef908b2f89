// waiting.h - the one way to wait: poll once, look, spin, sleep; shared by all blocking calls.
#pragma once

#include <poll.h>
#include <signal.h>

#include <cstdint>
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

  // Whether a spin may find something. Here: one spin in each wait (13.9, 13.10).
  virtual bool is_worth_spinning() const { return !has_spun_; }
  // How long, and how many packets at a time. Asked before a spin.
  virtual BusyPollParams busy_poll() = 0;
  // A spin of the whole length has found nothing.
  virtual void note_fruitless_spin() { has_spun_ = true; }

 private:
  bool has_spun_ = false;
};

struct WaitRequest {
  Instant deadline;  // in the past: poll once, look once
  const sigset_t* sigmask = nullptr;
};

// What look() said; 0 when the deadline has passed; EINTR when a handler ran while asleep (what is
// ready wins over it). Called with nothing entered.
Result<int> wait_until(Waitable& waitable, const WaitRequest& request, PollContext& context);

// What served the waits of this process that found something (13.13). X(name, meaning)
#define POLLUX_WAIT_COUNTERS(X)                                                      \
  X(waits_first_look, "waits that found something at their first look")              \
  X(waits_spun, "waits served while they spun")                                      \
  X(waits_rx_interrupt, "waits served asleep, by a receive interrupt")               \
  X(waits_paced, "waits served asleep, by a poll of their own without an interrupt") \
  X(waits_kernel, "waits served asleep, by a descriptor of the kernel's")            \
  X(waits_woken, "waits served asleep, by another thread that polled or changed something")

enum class WaitCounter : std::uint8_t {
#define POLLUX_WAIT_COUNTER(name, meaning) name,
  POLLUX_WAIT_COUNTERS(POLLUX_WAIT_COUNTER)
#undef POLLUX_WAIT_COUNTER
      count
};
std::uint64_t waits(WaitCounter which);

}  // namespace pollux
