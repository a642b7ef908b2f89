// listen_group.h - ListenGroup: one listening socket, heard in every Stack of the process.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <mutex>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/slab_pool.h"
#include "stack/socket/socket_options.h"
#include "stack/tcp/fast_open_server.h"
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
  std::atomic<std::uint32_t> waiting{0};  // how many those are
  unsigned turn = 0;  // whose connections are accepted next; touched inside the owner
  std::atomic<std::uint32_t> references{0};  // ListenGroupRef's
};
inline void intrusive_ptr_add_ref(ListenGroup* group) { group->references.fetch_add(1); }
void intrusive_ptr_release(ListenGroup* group);
using ListenGroupRef = boost::intrusive_ptr<ListenGroup>;

// The process's; any thread. Its lock is a leaf.
class ListenGroups {
 public:
  explicit ListenGroups(std::uint32_t capacity) : groups_(capacity) {}
  // Null: there are too many.
  ListenGroupRef create(TcpSocket& socket, unsigned owner);
  void destroy(ListenGroup& group);  // by its last reference

 private:
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
  tcp::FastOpenOptions fast_open;
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
  unsigned first;  // the Stack to look at first
  Inheritance inheritance;
};

}  // namespace pollux
