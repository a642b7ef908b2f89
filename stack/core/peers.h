// peers.h - Peers: the Stacks of one process, a queue each, and the letters between them.
//
// RSS brings a packet to a queue; a packet whose connection lives in another Stack is posted there
// (steering.cc). Posting is done inside an entry, so that letters keep the order of their packets;
// delivering outside of all, one entry at a time (design 6): whoever has posted enters the receiver
// as soon as it is out, and so nobody needs to poll the receiver for it.
#pragma once

#include <vector>

#include "stack/core/inbox.h"

namespace pollux {

class Stack;

// Owned by the Host; complete before any thread enters a Stack.
class Peers {
 public:
  explicit Peers(std::uint32_t listeners) : listen_groups_(listeners) {}
  void add(Stack& stack) { stacks_.push_back(&stack); }
  std::size_t count() const { return stacks_.size(); }
  Stack& operator[](std::size_t index) const { return *stacks_[index]; }
  NapiSet all() const { return count() < 64 ? (NapiSet{1} << count()) - 1 : ~NapiSet{0}; }
  // With nothing entered: until what was posted to `to`, and to those that they post to, has taken
  // effect, whoever opened it.
  void deliver(NapiSet to) const;
  ListenGroups& listen_groups() { return listen_groups_; }

 private:
  std::vector<Stack*> stacks_;
  ListenGroups listen_groups_;
};

}  // namespace pollux
