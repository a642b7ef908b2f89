// blocking.cc - Waiter: asleep until a socket is ready, or has been woken, or time is up.
#include "stack/api/blocking.h"

#include <atomic>

#include "epoll/waiting.h"

namespace pollux {
namespace {

constexpr unsigned kPatience = 2;  // turns in vain: somebody else may have been faster
constexpr Duration kPause = Duration::ms(10);

// As poll(2), but for errors: those that only wait to be fetched (IP_RECVERR) end no receive.
// Linux: __skb_wait_for_more_packets().
bool is_ready(Socket& socket, PollEvents wanted) {
  const Entered entered(socket.world().entry);
  PollEvents ready = socket.poll() & wanted;
  if (socket.pending_error() == Errno{}) ready = ready & ~kErr;
  return static_cast<bool>(ready);
}

// Waits for readiness, or only to be told of it anew.
class SocketWait final : public Waitable, public WaitEntry {
 public:
  enum class Until : std::uint8_t { ready, woken };
  SocketWait(Socket& socket, PollEvents wanted, Until until)
      : socket_(socket), wanted_(wanted), until_(until) {}

  NapiSet napis() const override { return socket_.napis(); }
  void ask_kernel() override {}
  Result<int> look() override {
    if (until_ == Until::woken) return is_woken_.load(std::memory_order_relaxed) ? 1 : 0;
    return is_ready(socket_, wanted_) ? 1 : 0;
  }
  bool arm(Sleeper& sleeper) override {
    sleeper_ = &sleeper;
    {
      const Entered entered(socket_.wait_queue().lock());
      socket_.wait_queue().add(*this);
    }
    return *look() == 0;
  }
  void disarm() override {
    const Entered entered(socket_.wait_queue().lock());
    socket_.wait_queue().remove(*this);
  }
  std::span<pollfd> kernel() override { return {}; }
  BusyPollParams busy_poll() override {
    const Entered entered(socket_.world().entry);
    return socket_.busy_poll();
  }

  bool wake(PollEvents key) override {
    if (key && !(wanted_ | kLookAgain).has(key)) return false;
    is_woken_.store(true, std::memory_order_relaxed);
    sleeper_->wake();
    return true;
  }

 private:
  Socket& socket_;
  const PollEvents wanted_;
  const Until until_;
  std::atomic<bool> is_woken_{false};
  Sleeper* sleeper_ = nullptr;
};

Result<int> wait_until_deadline(SocketWait& wait, Instant deadline) {
  return wait_until(wait, {.deadline = deadline}, host()->poll_context());
}

}  // namespace

Waiter::Waiter(const HeldSocket& socket, PollEvents events, Duration limit)
    : socket_(*socket),
      events_(events | kErr | kHup),
      deadline_(limit > Duration() ? host()->poll_context().now() + limit : Instant::never()) {}

Result<void> Waiter::wait() {
  if (turns_in_vain_ >= kPatience && is_ready(socket_, events_)) RETURN_IF_ERROR(pause());
  if (turns_in_vain_ < kPatience) ++turns_in_vain_;
  SocketWait wait(socket_, events_, SocketWait::Until::ready);
  ASSIGN_OR_RETURN(const int found, wait_until_deadline(wait, deadline_));
  if (found == 0) return Errno::again;
  return {};
}

Result<void> Waiter::pause() {
  PollContext& context = host()->poll_context();
  SocketWait wait(socket_, events_, SocketWait::Until::woken);
  RETURN_IF_ERROR(wait_until_deadline(wait, earlier(deadline_, context.now() + kPause)));
  if (deadline_ <= context.now()) return Errno::again;
  return {};
}

}  // namespace pollux
