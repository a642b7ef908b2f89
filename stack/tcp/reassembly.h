// reassembly.h - Reassembly: text that arrived before its turn, in order, without overlaps.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "stack/base/text.h"
#include "stack/tcp/sack.h"

namespace pollux::tcp {

// A red-black tree over the texts themselves, keyed by position in the stream: O(log n) whatever
// the peer sends (CVE-2018-5390). Lives in Shared::reassemblies while there are holes. Invariant:
// texts do not overlap, none is empty, and all lie beyond RCV.NXT.
class Reassembly {
 public:
  Reassembly() = default;
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;
  ~Reassembly() { clear(); }

  struct Duplicate {  // the first run of octets that we already had; empty if begin == end
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  // Takes `text`, which starts at `position`; what is already held is dropped.
  Duplicate insert(Text text, std::uint64_t position);
  // The text that starts at or before `position` (cut to start there), or an empty one.
  Text pop_at(std::uint64_t position);
  // Drops the text farthest from its turn; RFC 2018 8 allows it.
  void drop_last();
  void clear();

  bool empty() const { return tree_.empty(); }
  std::uint32_t true_size() const { return true_size_; }
  std::uint64_t first() const { return tree_.begin()->position; }
  std::uint64_t last() const { return tree_.rbegin()->position; }  // start of the last text
  // Nothing that has to wait: neither text nor FIN nor a duplicate to report.
  bool is_idle() const { return tree_.empty() && !has_fin && to_report.left == to_report.right; }
  ReceivedBlocks blocks;
  SackBlock to_report;  // duplicate octets, once (RFC 2883); none if empty
  SeqNum fin;           // the peer's FIN, which came before its turn, if has_fin
  bool has_fin = false;

 private:
  struct ByPosition {
    bool operator()(const TextNode& a, const TextNode& b) const { return a.position < b.position; }
    bool operator()(std::uint64_t a, const TextNode& b) const { return a < b.position; }
    bool operator()(const TextNode& a, std::uint64_t b) const { return a.position < b; }
  };
  using Tree = boost::intrusive::set<TextNode, boost::intrusive::compare<ByPosition>,
                                     boost::intrusive::constant_time_size<false>>;

  Tree::iterator erase(Tree::iterator at);
  bool cut_front(Text& text, std::uint64_t& position, Duplicate& duplicate);

  Tree tree_;
  std::uint32_t true_size_ = 0;
};

}  // namespace pollux::tcp
