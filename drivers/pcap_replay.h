// pcap_replay.h - PcapReplay: a NetDevice that receives the packets of a capture file.
#pragma once

#include <memory>
#include <string>

#include "drivers/driver_error.h"
#include "drivers/net_device.h"
#include "drivers/packet_pool.h"
#include "stack/base/clock.h"

struct pcap;

namespace pollux {

enum class ReplayPace {
  at_once,      // as fast as asked for
  as_captured,  // with the distances in time that the file has, from the first burst on
};

// What is sent into it is counted and freed. Full pool: the packet comes with a later burst.
class PcapReplay final : public NetDevice {
 public:
  static std::unique_ptr<PcapReplay> open(const std::string& path, PacketPool& pool, Clock& clock,
                                          ReplayPace pace, DriverError& error);
  // Takes over what libpcap opened; see open().
  PcapReplay(PacketPool& pool, Clock& clock, ReplayPace pace, pcap* file);
  PcapReplay(const PcapReplay&) = delete;
  PcapReplay& operator=(const PcapReplay&) = delete;
  ~PcapReplay() override;
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return caps_; }
  Instant next_event() const override;
  bool is_finished() const { return !has_frame_; }
  std::uint64_t sent() const { return sent_; }
  // Frames that the file holds only the front of, or that are broken: left out.
  std::uint64_t skipped() const { return skipped_; }

 private:
  bool read_frame();
  void advance();
  Packet make_packet();

  PacketPool& pool_;
  Clock& clock_;
  ReplayPace pace_;
  DeviceCaps caps_;
  pcap* file_;
  const std::byte* frame_ = nullptr;  // the next one; in libpcap's buffer
  std::uint32_t frame_size_ = 0;
  std::int64_t frame_ns_ = 0;   // its time in the file
  std::int64_t offset_ns_ = 0;  // from the file's time to the clock's
  bool is_started_ = false;
  bool has_frame_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t skipped_ = 0;
};

}  // namespace pollux
