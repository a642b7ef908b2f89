// reassembly.cc - insertion without overlaps, removal in order.
#include "stack/tcp/reassembly.h"

#include <iterator>

#include "stack/base/check.h"

namespace pollux::tcp {
namespace {
std::uint64_t end_of(const TextNode& node) { return node.position + node.size; }
constexpr std::uint32_t kSmall = 256;  // joined to what it follows, if that has room
}  // namespace

Reassembly::Tree::iterator Reassembly::erase(Tree::iterator at) {
  TextNode& node = *at;
  true_size_ -= node.true_size;
  const auto next = tree_.erase(at);
  Text gone(&node);
  return next;
}

// Cuts off what the texts before `position` already hold. False: nothing is left.
bool Reassembly::cut_front(Text& text, std::uint64_t& position, Duplicate& duplicate) {
  auto before = tree_.upper_bound(position, ByPosition());
  if (before == tree_.begin()) return true;
  const std::uint64_t held = end_of(*--before);
  if (held <= position) return true;
  const std::uint64_t end = position + text.size();
  duplicate = {position, held < end ? held : end};
  if (held >= end) return false;
  text.remove_prefix(static_cast<std::uint32_t>(held - position));
  position = held;
  return true;
}

Reassembly::Duplicate Reassembly::insert(Text text, std::uint64_t position) {
  Duplicate duplicate;
  if (text.empty() || !cut_front(text, position, duplicate)) return duplicate;
  auto after = tree_.upper_bound(position, ByPosition());
  const std::uint64_t end = position + text.size();
  while (after != tree_.end() && after->position < end) {
    const std::uint64_t held = end_of(*after);
    if (duplicate.begin == duplicate.end) {
      duplicate = {after->position, held < end ? held : end};
    }
    if (held > end) {
      text.truncate(static_cast<std::uint32_t>(after->position - position));
      break;
    }
    after = erase(after);  // the new text holds all of it
  }
  if (after != tree_.begin()) {
    TextNode& before = *std::prev(after);
    if (end_of(before) == position && text.size() < kSmall && before.tail_room >= text.size()) {
      Text joined(&before);
      joined.append(text.bytes());
      joined.detach();
      return duplicate;
    }
  }
  TextNode* node = text.detach();
  node->position = position;
  true_size_ += node->true_size;
  tree_.insert_before(after, *node);
  return duplicate;
}

Text Reassembly::pop_at(std::uint64_t position) {
  while (!tree_.empty() && tree_.begin()->position <= position) {
    const auto first = tree_.begin();
    if (end_of(*first) <= position) {
      erase(first);
      continue;
    }
    TextNode& node = *first;
    true_size_ -= node.true_size;
    tree_.erase(first);
    Text text(&node);
    text.remove_prefix(static_cast<std::uint32_t>(position - node.position));
    return text;
  }
  return {};
}

void Reassembly::drop_last() {
  CHECK(!tree_.empty());
  erase(std::prev(tree_.end()));
}

void Reassembly::clear() {
  while (!tree_.empty()) erase(tree_.begin());
  blocks.clear();
  to_report = SackBlock();
  has_fin = false;
}

}  // namespace pollux::tcp
