// impair.h - Impair: a bad network around any NetDevice: loss, delay, reordering, corruption, by
// seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "stack/base/clock.h"
#include "stack/base/result.h"
#include "stack/base/rng.h"

namespace pollux {

// What befalls the packets of one direction. Probabilities are 0.0 to 1.0.
struct ImpairParams {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  // held back by one more delay (1 ms if there is none): later ones overtake
  double corrupt = 0;  // one bit flipped, in a copy
  Duration delay;
  Duration jitter;                      // delay +- jitter, in order all the same
  std::uint64_t rate_bits_per_s = 0;    // 0: unlimited
  std::uint32_t queue_packets = 1'000;  // that wait for their time; what comes on top is lost

  // "loss=0.01,delay=5ms,jitter=500us,rate=100mbit,queue=64"; the error names what is wrong.
  static Expected<ImpairParams, std::string> parse(std::string_view text);
};

struct ImpairCounts {
  std::uint64_t passed = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t overflowed = 0;
};

// One direction: packets go in, and come out when due. Takes its memory in the constructor.
class ImpairedPath {
 public:
  ImpairedPath(const ImpairParams& params, PacketPool& pool, std::uint64_t seed);
  void push(Packet packet, Instant now);
  // The next packet that is due; empty: none. The caller may put it back as the very next.
  Packet pop(Instant now);
  void put_back(Packet packet, Instant now);
  Instant next_event() const { return held_.empty() ? Instant::never() : held_.front().due; }
  const ImpairCounts& counts() const { return counts_; }

 private:
  struct Held {
    Instant due;
    std::uint64_t number;  // among those due at one time, the first in is the first out
    Packet packet;
  };
  static bool is_later(const Held& a, const Held& b);
  void hold(Packet packet, Instant due, std::uint64_t number);
  Instant due_at(std::uint32_t size, Instant now);
  bool corrupt(Packet& packet);

  ImpairParams params_;
  PacketPool& pool_;
  Rng rng_;
  std::vector<Held> held_;                  // a heap, earliest first
  Instant sent_until_;                      // the rate: when the line is free again
  Instant last_due_;                        // jitter does not reorder
  std::uint64_t next_number_ = 1ULL << 32;  // what is put back goes below
  std::uint64_t back_number_ = (1ULL << 32) - 1;
  ImpairCounts counts_;
};

// Around `inner`, which outlives it. Delayed packets move when a burst is asked for after their
// time: next_event() says when that is.
class Impair final : public NetDevice {
 public:
  struct Params {
    ImpairParams rx;
    ImpairParams tx;
    std::uint64_t seed = 1;
  };
  Impair(NetDevice& inner, PacketPool& pool, Clock& clock, const Params& params);
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  // The inner device's; without transmit checksums where packets to send are corrupted, because a
  // checksum made afterwards would hide it.
  const DeviceCaps& caps() const override { return caps_; }
  bool is_link_up() const override { return inner_.is_link_up(); }
  bool is_gone() const override { return inner_.is_gone(); }
  void let_go() override { inner_.let_go(); }
  int removal_fd() const override { return inner_.removal_fd(); }
  bool doubts_interrupt() const override { return inner_.doubts_interrupt(); }
  int rx_interrupt_fd() const override { return inner_.rx_interrupt_fd(); }
  void arm_rx_interrupt() override { inner_.arm_rx_interrupt(); }
  void disarm_rx_interrupt() override { inner_.disarm_rx_interrupt(); }
  Instant next_event() const override;
  const ImpairCounts& rx_counts() const { return rx_.counts(); }
  const ImpairCounts& tx_counts() const { return tx_.counts(); }

 private:
  void send_due(Instant now);

  NetDevice& inner_;
  Clock& clock_;
  DeviceCaps caps_;
  ImpairedPath rx_;
  ImpairedPath tx_;
};

}  // namespace pollux
