// world.h - World: a Host on a virtual clock, with a device that the script holds the other end of.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "epoll/busy_poll.h"
#include "stack/core/host.h"
#include "tests/packetdrill/ip_device.h"
#include "tests/sim/sim_clock.h"

namespace pollux::packetdrill {

// One thread at a time is inside (Visit); a call that waits gives its place up and sleeps until it
// has been woken, or the clock, which other threads move, has come to its deadline. Whoever has
// moved the clock or polled goes on only when those who were woken sleep again or have left: what
// happens depends on the script alone. One at a time in a process.
class World final : private PollContext {
 public:
  // `flags`: "tcp.time_wait_ms=100,mtu=1400,address=198.18.0.2,gateway=198.18.0.1": keys of the
  // configuration, and those of the device.
  static std::unique_ptr<World> open(const std::string& flags, std::string& error);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() override;

  // A thread inside, for one call.
  class Visit {
   public:
    explicit Visit(World& world);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    World& world_;
  };

  void send(ConstBytes ip_packet);
  // Time passes until the stack has sent something. False: it would not.
  bool receive(IpDevice::Sent& out);
  void pass(Duration time);
  // Moves on a little with each question, but for the first after a call of the same thread: that
  // is answered with the time when the call ended.
  Instant look_at_clock();
  unsigned asleep();
  std::size_t pending();

 private:
  struct Asleep {
    const Sleeper* sleeper;
    Instant deadline;
    bool may_go = false;
  };
  World(const Config& config, PacketPool pool, std::uint16_t mtu);
  DriverError start(const Config& config, const PortConfig& port);

  // PollContext, for threads inside.
  Instant now() override { return clock_.now(); }
  Instant poll(NapiSet napis, unsigned budget) override;
  SleepEnd sleep(Sleeper& sleeper, const SleepRequest& request) override;

  void poll_until_quiet();
  void let_sleepers_go();
  bool is_due(const Asleep& one);
  Instant next_event();
  void advance_to(Instant end, bool until_sent);
  Stack& stack() { return *stack_; }

  sim::SimClock clock_;
  PacketPool device_pool_;
  IpDevice device_;
  std::unique_ptr<Host> host_;
  Stack* stack_ = nullptr;  // the Host's
  bool is_ending_ = false;  // nobody moves the clock any more
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Asleep*> asleep_;
  unsigned running_ = 0;  // that were let go and neither sleep again nor have left
};

}  // namespace pollux::packetdrill
