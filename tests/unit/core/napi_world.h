// napi_world.h - a Stack on a device that can interrupt, its Napi and its context, and the clock.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "drivers/net_device.h"
#include "epoll/event_fd.h"
#include "stack/core/inside.h"
#include "stack/core/poll_context.h"
#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux::testing_support {

// Stands still until it is moved, by any thread.
class SharedClock final : public Clock {
 public:
  Instant now() override { return Instant::from_ns(now_ns_ += step_ns_.load()); }
  void advance_at_each_look(Duration by) { step_ns_ = by.to_ns(); }
  void advance(Duration by) { now_ns_ += by.to_ns(); }

 private:
  std::atomic<std::int64_t> now_ns_{1'000'000'000};
  std::atomic<std::int64_t> step_ns_{0};
};

class InterruptingDevice final : public NetDevice {
 public:
  explicit InterruptingDevice(PacketPool& pool) : pool_(pool) {}
  std::size_t rx_burst(std::span<Packet> out) override {
    if (on_poll) on_poll();
    if (out.empty() || !std::exchange(has_packet_, false)) return 0;
    out[0] = packet_of(pool_, Octets(60));
    out[0].meta() = PacketMeta{};
    return 1;
  }
  std::size_t tx_burst(std::span<Packet> packets) override {
    for (Packet& packet : packets) packet.reset();
    return packets.size();
  }
  const DeviceCaps& caps() const override { return caps_; }
  int rx_interrupt_fd() const override { return interrupt_.fd(); }
  void arm_rx_interrupt() override { log += 'A'; }
  void disarm_rx_interrupt() override { log += 'D'; }

  void arrive() { has_packet_ = true; }  // a frame that nobody understands
  void interrupt() { interrupt_.signal(); }
  std::function<void()> on_poll;
  std::string log;  // A: armed, D: disarmed

 private:
  PacketPool& pool_;
  DeviceCaps caps_;
  EventFd interrupt_;
  bool has_packet_ = false;
};

class NapiWorld : public PoolEndsFull {
 protected:
  explicit NapiWorld(const IrqParams& irqs) : ports_(64, {}, 1), device(test_pool()) {
    Config config;
    config.connections = config.time_waits = config.sockets = 64;
    config.listeners = 4;
    configure_sockets(64);
    stack_ = std::make_unique<Stack>(config, Stack::Parts{test_pool(), ports_, clock, 0}, 1,
                                     tcp::Secret{});
    stack_->add_interface(device, PortConfig{});
    napi_ = std::make_unique<Napi>(*stack_, clock, irqs);
    context.add(*napi_);
  }
  void TearDown() override {
    napi_.reset();
    stack_.reset();
    PoolEndsFull::TearDown();
  }

  static constexpr NapiSet kOnly = 1;
  Napi& napi() { return *napi_; }
  std::uint64_t polls() { return counter(&Counters::polls); }
  std::uint64_t softirq_polls() { return counter(&Counters::softirq_polls); }

  SharedClock clock;

 private:
  std::uint64_t counter(std::uint64_t Counters::*which) {
    const Inside inside(*stack_);
    return stack_->counters().*which;
  }
  tcp::Ports ports_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Napi> napi_;

 protected:
  InterruptingDevice device;
  StackPollContext context{clock, Duration::ms(1)};
};

}  // namespace pollux::testing_support
