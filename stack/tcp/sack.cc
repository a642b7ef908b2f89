// sack.cc - ranges of sequence numbers: joined, forgotten, counted.
// RFC 6675 4 defines IsLost, SetPipe and NextSeg; RFC 2018 4 the order of reported blocks.
#include "stack/tcp/sack.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux::tcp {
namespace {

std::uint32_t size_of(const SackBlock& block) {
  return static_cast<std::uint32_t>(block.right - block.left);
}
SeqNum earlier(SeqNum a, SeqNum b) { return a < b ? a : b; }

}  // namespace

std::uint32_t Scoreboard::octets_below(unsigned end) const {
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < end; ++i) sum += size_of(range_[i]);
  return sum;
}

void Scoreboard::erase(unsigned from, unsigned to) {
  std::copy(range_.begin() + to, range_.begin() + count_, range_.begin() + from);
  count_ -= to - from;
}

void Scoreboard::insert(unsigned at, SackBlock block) {
  std::copy_backward(range_.begin() + at, range_.begin() + count_, range_.begin() + count_ + 1);
  range_[at] = block;
  ++count_;
}

std::uint32_t Scoreboard::add(SackBlock block) {
  DCHECK(block.left < block.right);
  unsigned first = 0;  // the first range that touches the block, or lies above it
  while (first < count_ && range_[first].right < block.left) ++first;
  unsigned last = first;  // behind the last one that touches it
  std::uint32_t known = 0;
  for (; last < count_ && range_[last].left <= block.right; ++last) {
    known += size_of(range_[last]);
    block.left = earlier(block.left, range_[last].left);
    block.right = later(block.right, range_[last].right);
  }
  if (first == last) {
    if (count_ == kMaxRanges) return 0;
    insert(first, block);
    return size_of(block);
  }
  range_[first] = block;
  erase(first + 1, last);
  return size_of(block) - known;
}

void Scoreboard::acknowledge(SeqNum una) {
  unsigned gone = 0;
  while (gone < count_ && range_[gone].right <= una) ++gone;
  if (gone != 0) erase(0, gone);
  if (count_ != 0 && range_[0].left < una) range_[0].left = una;
}

SeqNum Scoreboard::next_hole(SeqNum seq) const {
  for (unsigned i = 0; i < count_ && range_[i].left <= seq; ++i) seq = later(seq, range_[i].right);
  return seq;
}

SeqNum Scoreboard::hole_end(SeqNum seq, SeqNum limit) const {
  for (unsigned i = 0; i < count_; ++i) {
    if (seq < range_[i].left) return earlier(range_[i].left, limit);
  }
  return limit;
}

SeqNum Scoreboard::lost_edge(SeqNum una, std::uint32_t mss) const {
  std::uint32_t octets = 0;
  for (unsigned above = 1; above <= count_; ++above) {
    const SackBlock& range = range_[count_ - above];
    octets += size_of(range);
    if (above >= kDupThresh || octets > (kDupThresh - 1) * mss) return range.left;
  }
  return una;
}

std::uint32_t Scoreboard::octets_up_to(SeqNum limit) const {
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < count_ && range_[i].left < limit; ++i) {
    sum += static_cast<std::uint32_t>(earlier(range_[i].right, limit) - range_[i].left);
  }
  return sum;
}

std::uint32_t Scoreboard::pipe(const Flight& flight, std::uint32_t mss) const {
  const auto missing_up_to = [&](SeqNum limit) {  // octets of una .. limit that are not held
    return static_cast<std::uint32_t>(limit - flight.una) - octets_up_to(limit);
  };
  const SeqNum lost = earlier(lost_edge(flight.una, mss), flight.nxt);
  const SeqNum sent_again = later(flight.una, earlier(flight.high_rxt, flight.nxt));
  return missing_up_to(flight.nxt) - missing_up_to(lost) + missing_up_to(sent_again);
}

void ReceivedBlocks::add(SackBlock block) {
  unsigned kept = 0;
  for (unsigned i = 0; i < count_; ++i) {
    const SackBlock& other = block_[i];
    if (other.left <= block.right && block.left <= other.right) {
      block.left = earlier(block.left, other.left);
      block.right = later(block.right, other.right);
    } else {
      block_[kept++] = other;
    }
  }
  kept = std::min(kept, kMax - 1);
  std::copy_backward(block_.begin(), block_.begin() + kept, block_.begin() + kept + 1);
  block_[0] = block;
  count_ = kept + 1;
}

void ReceivedBlocks::acknowledge(SeqNum rcv_nxt) {
  unsigned kept = 0;
  for (unsigned i = 0; i < count_; ++i) {
    if (block_[i].right <= rcv_nxt) continue;
    block_[kept] = block_[i];
    block_[kept].left = later(block_[kept].left, rcv_nxt);
    ++kept;
  }
  count_ = kept;
}

}  // namespace pollux::tcp
