// memif_queue.h - MemifQueue: a Queue over shared memory with another process, which may die any
// time.
#pragma once

#include <cstdint>
#include <memory>

#include "drivers/dpdk/callback_loop.h"
#include "drivers/dpdk/memif_ring.h"
#include "drivers/dpdk/queue.h"

namespace pollux {

// What net_memif leaves to its user: its control socket is served here, between bursts, so that no
// ring vanishes during one; a client whose server is gone tries again every 20 ms; a sleeper is
// woken. While the link is down nothing is received and what is sent is lost, as on a cable pulled
// out.
//
// Sleeping: the peer writes our eventfd when it finds MASK_INT clear in the ring. It looks after
// storing, without a full fence between, so a packet of the very moment of arming may come
// silently; a timer 1 ms after arming looks for that one. Woken by it in vain, the flag stays clear
// and the next sleep has no timer: an idle process sleeps as long as it likes. Awake, the flag is
// set: from link-up on, at the first packet, or after some empty bursts.
class MemifQueue final : public Queue {
 public:
  // `loop`: what the driver registered while the port was made. `is_client`: starts connections.
  MemifQueue(std::uint16_t port, const DeviceCaps& caps, PacketPool& pool,
             std::unique_ptr<CallbackLoop> loop, bool is_client);
  ~MemifQueue() override;
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  bool is_link_up() const override { return is_up_; }
  int rx_interrupt_fd() const override { return loop_->fd(); }
  void arm_rx_interrupt() override;
  void disarm_rx_interrupt() override;
  std::uint64_t reconnects() const { return ups_ > 0 ? ups_ - 1 : 0; }
  // Sleeps that the peer ended, not the timer.
  std::uint64_t wakes_by_peer() const { return wakes_by_peer_; }
  CallbackLoop& loop() { return *loop_; }

 private:
  void attend();  // control socket, timer
  void look_at_link();
  void restart_client();
  void link_went_up();
  bool watch_ring();
  void link_went_down();
  void mask();
  void unmask();
  void set_timer(std::int64_t first_ns, std::int64_t interval_ns);
  bool timer_expired();

  std::unique_ptr<CallbackLoop> loop_;
  MemifRing ring_;
  int timer_ = -1;
  int rx_epoll_ = -1;  // holds the peer's eventfd for as long as the link is up
  std::uint32_t bursts_ = 0;
  unsigned bursts_armed_ = 0;  // empty ones since the last sleep
  std::uint64_t ups_ = 0;
  std::uint64_t wakes_by_peer_ = 0;
  bool is_client_;
  bool is_up_ = false;
  bool is_armed_ = false;   // the flag is clear
  bool is_asleep_ = false;  // between arm and disarm
};

}  // namespace pollux
