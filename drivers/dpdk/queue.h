// queue.h - Queue: a receive and a transmit queue of an ethdev as a NetDevice.
#pragma once

#include <cstdint>

#include "drivers/dpdk/device_watch.h"
#include "drivers/dpdk/queue_id.h"
#include "drivers/dpdk/rx_interrupt.h"
#include "drivers/net_device.h"
#include "drivers/packet_pool.h"

namespace pollux {

// Owned by its Port, used by one Stack. Packets come from and are copied into the Stack's pool.
class Queue : public NetDevice {
 public:
  Queue(QueueId id, const DeviceCaps& caps, PacketPool& pool, RxInterrupt interrupt);
  // The port's, from whom it knows of removal. Before use.
  void watch(DeviceWatch& watch);
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return caps_; }
  bool is_link_up() const override;
  bool is_gone() const override { return watch_ && watch_->is_gone(); }
  void let_go() override;
  int removal_fd() const override { return watch_ && !has_let_go_ ? watch_->fd() : -1; }
  Instant next_event() const override {
    return is_gone() && !has_let_go_ ? Instant() : Instant::never();
  }
  // Any thread.
  int rx_interrupt_fd() const override { return is_gone() ? -1 : interrupt_.fd(); }
  bool doubts_interrupt() const override;
  void arm_rx_interrupt() override;
  void disarm_rx_interrupt() override;
  // Packets that no device of this kind can send: taken from the caller and freed.
  std::uint64_t tx_dropped() const { return tx_dropped_; }
  // Chains that were copied into fewer buffers because the device takes none, or no longer ones.
  std::uint64_t tx_copied() const { return tx_copied_; }

 protected:
  std::uint16_t port() const { return id_.port; }

 private:
  enum class Fit { ready, no_memory, never };
  struct Ready {
    std::size_t packets;  // of the front
    Fit next;             // what is with the one behind them
  };
  Ready make_ready(std::span<Packet> packets);
  Fit fit(Packet& packet);
  Fit copy_tightly(Packet& packet);
  std::uint16_t most_segments(const Packet& packet) const;

  DeviceCaps caps_;
  PacketPool& pool_;
  RxInterrupt interrupt_;
  std::uint64_t rx_flags_;        // of a driver's, that are heard
  DeviceWatch* watch_ = nullptr;  // null: not watched
  std::uint64_t tx_dropped_ = 0;
  std::uint64_t tx_copied_ = 0;
  QueueId id_;
  bool has_let_go_ = false;
  bool takes_all_;  // any packet is ready for the device as it is
};

}  // namespace pollux
