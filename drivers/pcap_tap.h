// pcap_tap.h - PcapTap: wraps any NetDevice and writes what passes to a capture file.
#pragma once

#include <memory>
#include <string>

#include "drivers/driver_error.h"
#include "drivers/frame_copy.h"
#include "drivers/net_device.h"
#include "stack/base/clock.h"

struct pcap;
struct pcap_dumper;

namespace pollux {

struct PcapTapOptions {
  std::string path;       // "-": standard output
  Duration clock_offset;  // added to the clock: TscClock::time_of_day_offset() for the time of day
  bool is_flushed = false;  // after every packet, for one who watches the file grow
};

// Around `inner`, which outlives it. Packets are written as the stack sees them: a checksum left to
// the device is not yet right. What the device refuses is not written.
class PcapTap final : public NetDevice {
 public:
  static std::unique_ptr<PcapTap> open(NetDevice& inner, Clock& clock,
                                       const PcapTapOptions& options, DriverError& error);
  // Takes over what libpcap opened; see open().
  PcapTap(NetDevice& inner, Clock& clock, const PcapTapOptions& options, pcap* format,
          pcap_dumper* file);
  PcapTap(const PcapTap&) = delete;
  PcapTap& operator=(const PcapTap&) = delete;
  ~PcapTap() override;
  std::size_t rx_burst(std::span<Packet> out) override;
  std::size_t tx_burst(std::span<Packet> packets) override;
  const DeviceCaps& caps() const override { return inner_.caps(); }
  bool is_link_up() const override { return inner_.is_link_up(); }
  bool is_gone() const override { return inner_.is_gone(); }
  void let_go() override { inner_.let_go(); }
  int removal_fd() const override { return inner_.removal_fd(); }
  bool doubts_interrupt() const override { return inner_.doubts_interrupt(); }
  int rx_interrupt_fd() const override { return inner_.rx_interrupt_fd(); }
  void arm_rx_interrupt() override { inner_.arm_rx_interrupt(); }
  void disarm_rx_interrupt() override { inner_.disarm_rx_interrupt(); }
  Instant next_event() const override { return inner_.next_event(); }
  std::uint64_t written() const { return written_; }
  void flush();

 private:
  void write(ConstBytes frame, Instant now);

  NetDevice& inner_;
  Clock& clock_;
  PcapTapOptions options_;
  pcap* format_;
  pcap_dumper* file_;
  std::uint64_t written_ = 0;
  FrameCopy copy_;
};

}  // namespace pollux
