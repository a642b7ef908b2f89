// queue.h - Queue: the receive and transmit queue of an ethdev as a NetDevice.
#pragma once

#include <cstdint>

#include "drivers/dpdk/rx_interrupt.h"
#include "drivers/net_device.h"
#include "drivers/packet_pool.h"

namespace pollux {

// Owned by its Port, used by one Stack. Packets come from and are copied into the Stack's pool.
class Queue : public NetDevice {
 public:
  Queue(std::uint16_t port, const DeviceCaps& caps, PacketPool& pool, RxInterrupt interrupt);
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return caps_; }
  bool is_link_up() const override;
  int rx_interrupt_fd() const override { return interrupt_.fd(); }
  void arm_rx_interrupt() override { interrupt_.arm(); }
  void disarm_rx_interrupt() override { interrupt_.disarm(); }
  // Packets that no device of this kind can send: taken from the caller and freed.
  std::uint64_t tx_dropped() const { return tx_dropped_; }
  // Chains that were copied into one buffer because the device takes none.
  std::uint64_t tx_copied() const { return tx_copied_; }

 protected:
  std::uint16_t port() const { return port_; }

 private:
  enum class Fit { ready, no_memory, never };
  struct Ready {
    std::size_t packets;  // of the front
    Fit next;             // what is with the one behind them
  };
  Ready make_ready(std::span<Packet> packets);
  Fit fit(Packet& packet);
  Fit copy_into_one(Packet& packet);

  DeviceCaps caps_;
  PacketPool& pool_;
  RxInterrupt interrupt_;
  std::uint64_t rx_flags_;  // of a driver's, that are heard
  std::uint64_t tx_dropped_ = 0;
  std::uint64_t tx_copied_ = 0;
  std::uint16_t port_;
  bool takes_all_;  // any packet is ready for the device as it is
};

}  // namespace pollux
