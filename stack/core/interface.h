// interface.h - Interface: one device as a Stack uses it: addresses, neighbours, what waits to
// leave.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "drivers/net_device.h"
#include "drivers/rss_map.h"
#include "stack/ip/ip_info.h"
#include "stack/link/neighbours.h"

namespace pollux {

// Owned by the Stack. Packets leave through a batch: one tx_burst per flush, or per kBatch packets.
// What the device refuses stays in the batch; while it is full, whoever sends waits (has_room). If
// it takes nothing for kPatience the first packet is dropped: it may be one the device will never
// take. Without a link all are lost at once, as Linux loses them: TCP's timers bring them again.
class Interface {
 public:
  struct Params {
    InterfaceId id;
    std::uint16_t vlan = 0;
    Neighbours::Limits neighbours;
    RssMap rss;  // where the device puts what arrives
  };
  Interface(const Params& params, NetDevice& device, Rng& rng, Instant now)
      : device_(device),
        id_(params.id),
        vlan_(params.vlan),
        rss_(params.rss),
        neighbours_(device.caps().mac, params.neighbours, rng, now) {}

  InterfaceId id() const { return id_; }
  std::uint16_t vlan() const { return vlan_; }
  const RssMap& rss() const { return rss_; }
  NetDevice& device() { return device_; }
  const DeviceCaps& caps() const { return device_.caps(); }
  Neighbours& neighbours() { return neighbours_; }

  // Who puts the tag of a VLAN there.
  bool is_tagged_by_device() const { return vlan_ != 0 && caps().tx_vlan_insert; }
  std::uint16_t tag_in_frame() const { return is_tagged_by_device() ? std::uint16_t{0} : vlan_; }

  // Asks the device for its link, now and then; with each packet to send while it is down.
  void look_at_link(Instant now);
  // The device is gone for good, and nobody uses it any more.
  bool is_lost() const { return is_lost_; }
  void lose();

  bool has_room() const { return count_ < kBatch; }
  bool is_refusing() const { return count_ != 0; }  // between flushes: the device refused packets
  // Takes the packet, complete with its link header. False: no room, still the caller's.
  bool enqueue(Packet&& packet, Instant now) {
    if (count_ == kBatch) transmit(now);
    if (count_ == kBatch) return false;
    batch_[count_++] = std::move(packet);
    return true;
  }
  // Gives the batch to the device. What was taken, or given up, is counted for take_sent().
  void transmit(Instant now);
  struct Sent {
    std::size_t packets = 0;
    std::uint64_t bytes = 0;
    std::size_t dropped = 0;
    unsigned link_downs = 0;
  };
  Sent take_sent() { return std::exchange(sent_, Sent{}); }

 private:
  static constexpr std::size_t kBatch = 64;
  static constexpr Duration kPatience = Duration::ms(100);
  static constexpr Duration kLook = Duration::seconds(1), kLookWhileDown = Duration::ms(1);
  void drop_all();

  NetDevice& device_;
  const InterfaceId id_;
  const std::uint16_t vlan_;
  const RssMap rss_;
  Neighbours neighbours_;
  std::array<Packet, kBatch> batch_;
  std::size_t count_ = 0;
  Sent sent_;
  Instant refused_at_ = Instant::never();      // the last time it did not take all
  Instant refusing_since_ = Instant::never();  // it has taken nothing since
  Instant looked_at_;                          // the link, when last
  bool is_up_ = true;
  bool is_lost_ = false;
};

}  // namespace pollux
