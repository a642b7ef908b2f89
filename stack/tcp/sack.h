// sack.h - selective acknowledgements: Scoreboard at the sender, ReceivedBlocks at the receiver.
// RFC 2018, RFC 2883, RFC 6675.
#pragma once

#include <array>
#include <cstdint>

#include "stack/tcp/segment.h"

namespace pollux::tcp {

// What the peer holds beyond SND.UNA, as disjoint ranges in order. Lives in Shared::scoreboards
// while the peer has holes. The number of ranges is bounded, so is the work per ACK (CVE-2019-11477
// and its kind); a range that finds no place is forgotten, which costs a needless retransmission.
class Scoreboard {
 public:
  static constexpr unsigned kMaxRanges = 32;
  static constexpr unsigned kDupThresh = 3;

  // Returns how many octets of `block` were new. The caller has checked that it lies in una..max.
  std::uint32_t add(SackBlock block);
  void acknowledge(SeqNum una);  // forgets what lies below
  void clear() { count_ = 0; }

  bool empty() const { return count_ == 0; }
  unsigned count() const { return count_; }
  SeqNum highest() const { return range_[count_ - 1].right; }  // not when empty
  std::uint32_t octets() const { return octets_below(count_); }
  // The first octet at or after `seq` that the peer does not hold.
  SeqNum next_hole(SeqNum seq) const;
  // Where the hole that contains `seq` ends, or `limit` if nothing above is held.
  SeqNum hole_end(SeqNum seq, SeqNum limit) const;
  // RFC 6675 IsLost(): every octet not held below this is lost. `una` if none is.
  SeqNum lost_edge(SeqNum una, std::uint32_t mss) const;
  // RFC 6675 SetPipe(): octets thought to be in the network. HighRxt is the end of what was sent
  // again.
  struct Flight {
    SeqNum una, nxt, high_rxt;
  };
  std::uint32_t pipe(const Flight& flight, std::uint32_t mss) const;
  // Octets held in una..limit.
  std::uint32_t octets_up_to(SeqNum limit) const;

 private:
  std::uint32_t octets_below(unsigned end) const;
  void insert(unsigned at, SackBlock block);
  void erase(unsigned from, unsigned to);

  std::array<SackBlock, kMaxRanges> range_{};
  unsigned count_ = 0;
};

// What we report: the ranges received out of order, the latest first (RFC 2018 4).
class ReceivedBlocks {
 public:
  static constexpr unsigned kMax = 4;
  void add(SackBlock block);         // a segment arrived; joins what it touches; comes first
  void acknowledge(SeqNum rcv_nxt);  // forgets what lies below
  unsigned count() const { return count_; }
  const SackBlock& operator[](unsigned i) const { return block_[i]; }
  void clear() { count_ = 0; }

 private:
  std::array<SackBlock, kMax> block_{};
  unsigned count_ = 0;
};

}  // namespace pollux::tcp
