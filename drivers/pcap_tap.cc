// pcap_tap.cc - libpcap's dumper with nanosecond times.
#include "drivers/pcap_tap.h"

#include <pcap/pcap.h>

#include <cerrno>

namespace pollux {
namespace {

constexpr int kSnapLength = 262'144;  // all of every packet
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

}  // namespace

std::unique_ptr<PcapTap> PcapTap::open(NetDevice& inner, Clock& clock,
                                       const PcapTapOptions& options, DriverError& error) {
  pcap* format =
      pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO);
  if (!format) {
    error = {ENOMEM, "cannot capture: out of memory"};
    return nullptr;
  }
  errno = 0;
  pcap_dumper* file = pcap_dump_open(format, options.path.c_str());
  if (!file) {
    error = {errno != 0 ? errno : EIO, std::string("cannot capture to ") + pcap_geterr(format) +
                                           "; name a file in a folder that may be written"};
    pcap_close(format);
    return nullptr;
  }
  error = {};
  return std::make_unique<PcapTap>(inner, clock, options, format, file);
}

PcapTap::PcapTap(NetDevice& inner, Clock& clock, const PcapTapOptions& options, pcap* format,
                 pcap_dumper* file)
    : inner_(inner), clock_(clock), options_(options), format_(format), file_(file) {}

PcapTap::~PcapTap() {
  pcap_dump_close(file_);
  pcap_close(format_);
}

std::size_t PcapTap::rx_burst(std::span<Packet> out) {
  const std::size_t n = inner_.rx_burst(out);
  if (n == 0) return 0;
  const Instant now = clock_.now();
  for (std::size_t i = 0; i < n; ++i) write(copy_.of(out[i]), now);
  return n;
}

// One by one: after the device has taken a packet its octets are no longer ours to read.
std::size_t PcapTap::tx_burst(std::span<Packet> packets) {
  const Instant now = clock_.now();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const ConstBytes frame = copy_.of(packets[i]);
    if (inner_.tx_burst(packets.subspan(i, 1)) == 0) return i;
    write(frame, now);
  }
  return packets.size();
}

void PcapTap::write(ConstBytes frame, Instant now) {
  const std::int64_t ns = (now + options_.clock_offset).to_ns();
  pcap_pkthdr header{};
  header.ts.tv_sec = ns / kNsPerSecond;
  header.ts.tv_usec = ns % kNsPerSecond;  // nanoseconds, by the file's magic number
  header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
  pcap_dump(reinterpret_cast<u_char*>(file_), &header,
            reinterpret_cast<const u_char*>(frame.data()));
  ++written_;
  if (options_.is_flushed) flush();
}

void PcapTap::flush() { pcap_dump_flush(file_); }

}  // namespace pollux
