// listen_group.h - ListenGroup: one listening socket, heard in every Stack of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/slab_pool.h"
#include "stack/socket/socket_options.h"
#include "stack/tcp/shared.h"

namespace pollux {

class TcpSocket;
namespace tcp {
class Listener;
struct PortUse;
}  // namespace tcp

class ListenGroups;

// With several queues a listener has a part in each Stack: RSS decides where a connection lives,
// and all are accepted at one socket. Held by the Stacks that have a part, the owner's among them,
// and by what is under way between them. Linux: one listening socket, whose children's packets are
// processed on any processor.
struct ListenGroup {
  ListenGroup(ListenGroups& p, TcpSocket& s, unsigned i) : pool(p), socket(&s), owner(i) {}
  ListenGroups& pool;
  TcpSocket* socket;     // touched inside the owner only; null: it does not listen any more
  const unsigned owner;  // the Stack whose socket it is
  // A bit for each other Stack whose part has connections to accept.
  std::atomic<std::uint64_t> acceptable{0};
  std::atomic<std::uint32_t> references{0};
};

// One reference.
class ListenGroupRef {
 public:
  ListenGroupRef() = default;
  explicit ListenGroupRef(ListenGroup* group) : group_(group) {
    if (group_) group_->references.fetch_add(1, std::memory_order_relaxed);
  }
  ListenGroupRef(const ListenGroupRef& other) : ListenGroupRef(other.group_) {}
  ListenGroupRef(ListenGroupRef&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  ListenGroupRef& operator=(ListenGroupRef other) noexcept {
    std::swap(group_, other.group_);
    return *this;
  }
  ~ListenGroupRef();

  explicit operator bool() const { return group_ != nullptr; }
  ListenGroup& operator*() const { return *group_; }
  ListenGroup* operator->() const { return group_; }
  ListenGroup* get() const { return group_; }

 private:
  ListenGroup* group_ = nullptr;
};

// The process's; any thread. Its lock is a leaf.
class ListenGroups {
 public:
  explicit ListenGroups(std::uint32_t capacity) : groups_(capacity) {}
  // Empty: there are too many.
  ListenGroupRef create(TcpSocket& socket, unsigned owner);
  std::uint32_t used();

 private:
  friend ListenGroupRef;
  void destroy(ListenGroup& group);

  std::mutex mutex_;
  SlabPool<ListenGroup> groups_;
};

// What a part is made of, and made anew by.
struct ListenPart {
  ListenGroupRef group;
  Endpoint local;
  tcp::PortUse* port = nullptr;
  tcp::UserOptions options;
  std::uint32_t backlog = 0;
  Duration defer_accept;
};

// What an accepted socket has from the one that listens.
struct Inheritance {
  int family, type, protocol;
  SocketOptions options;
  std::uint8_t shut;
  IpAddress bound;
};

// An accept of what other Stacks' parts have; taken inside the owner, used inside the others.
struct AcceptTicket {
  ListenGroupRef group;
  Inheritance inheritance;
};

}  // namespace pollux
