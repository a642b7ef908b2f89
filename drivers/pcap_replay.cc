// pcap_replay.cc - the next frame is read ahead, so that its time is known.
#include "drivers/pcap_replay.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cerrno>

namespace pollux {
namespace {

constexpr std::uint16_t kLargestMtu = 65'535;

}  // namespace

std::unique_ptr<PcapReplay> PcapReplay::open(const std::string& path, PacketPool& pool,
                                             Clock& clock, ReplayPace pace, DriverError& error) {
  char reason[PCAP_ERRBUF_SIZE] = "";
  errno = 0;
  pcap* file =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, reason);
  if (!file) {
    error = {errno != 0 ? errno : EINVAL, std::string("cannot replay ") + reason};
    return nullptr;
  }
  if (pcap_datalink(file) != DLT_EN10MB) {
    error = {EINVAL, "cannot replay " + path +
                         ": its frames are not Ethernet; capture on an"
                         " Ethernet interface (not \"any\")"};
    pcap_close(file);
    return nullptr;
  }
  error = {};
  return std::make_unique<PcapReplay>(pool, clock, pace, file);
}

PcapReplay::PcapReplay(PacketPool& pool, Clock& clock, ReplayPace pace, pcap* file)
    : pool_(pool), clock_(clock), pace_(pace), file_(file) {
  caps_.mtu = kLargestMtu;
  caps_.mac = {0x02, 0, 0, 0, 0, 3};
  caps_.tx_multi_segments = true;
  advance();
}

PcapReplay::~PcapReplay() { pcap_close(file_); }

void PcapReplay::advance() {
  has_frame_ = read_frame();
  while (has_frame_ && frame_size_ == 0) has_frame_ = read_frame();
}

// False at the end, or where the file is broken. A frame of size 0 is one to leave out.
bool PcapReplay::read_frame() {
  pcap_pkthdr* header = nullptr;
  const u_char* octets = nullptr;
  const int got = pcap_next_ex(file_, &header, &octets);
  if (got != 1) {
    if (got == PCAP_ERROR) ++skipped_;
    return false;
  }
  const bool is_whole = header->caplen == header->len && header->caplen <= kLargestMtu;
  frame_ = reinterpret_cast<const std::byte*>(octets);
  frame_size_ = is_whole ? header->caplen : 0;
  frame_ns_ = header->ts.tv_sec * std::int64_t{1'000'000'000} + header->ts.tv_usec;
  if (frame_size_ == 0) ++skipped_;
  return true;
}

Instant PcapReplay::next_event() const {
  if (!has_frame_) return Instant::never();
  if (pace_ == ReplayPace::at_once || !is_started_) return Instant();
  return Instant::from_ns(frame_ns_ + offset_ns_);
}

std::size_t PcapReplay::rx_burst(std::span<Packet> out) {
  const Instant now = clock_.now();
  if (!is_started_ && has_frame_) {
    offset_ns_ = now.to_ns() - frame_ns_;
    is_started_ = true;
  }
  std::size_t n = 0;
  while (n < out.size() && has_frame_ && next_event() <= now) {
    out[n] = make_packet();
    if (!out[n]) break;
    ++n;
    advance();
  }
  return n;
}

// A frame longer than one buffer becomes a chain. Empty: the pool has no more.
Packet PcapReplay::make_packet() {
  Packet packet = pool_.allocate();
  std::uint32_t done = 0;
  while (packet && done < frame_size_) {
    const auto step =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(frame_size_ - done, pool_.data_room()));
    Packet fresh = done == 0 ? Packet() : pool_.allocate();
    if (done != 0 && !fresh) return Packet();
    Packet& part = done == 0 ? packet : fresh;
    std::byte* to = part.put(step);
    CHECK(to != nullptr);
    std::memcpy(to, frame_ + done, step);
    if (done != 0) PacketPool::chain(packet, std::move(fresh));
    done += step;
  }
  return packet;
}

std::size_t PcapReplay::tx_burst(std::span<Packet> packets) {
  for (Packet& packet : packets) packet.reset();
  sent_ += packets.size();
  return packets.size();
}

}  // namespace pollux
