// listen_group.h - ListenGroup: one listening socket, heard in every Stack of the process.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/socket/socket_options.h"
#include "stack/tcp/shared.h"

namespace pollux {

class TcpSocket;
namespace tcp {
class Listener;
struct PortUse;
}  // namespace tcp

// With several queues a listener has a part in each Stack: RSS decides where a connection lives,
// and all are accepted at one socket. Held by the Stacks that have a part, the owner's among them.
// Linux: one listening socket whose children's packets are processed on any processor.
struct ListenGroup {
  ListenGroup(TcpSocket& s, unsigned i) : socket(&s), owner(i) {}
  TcpSocket* socket;     // touched inside the owner only; null: it does not listen any more
  const unsigned owner;  // the Stack whose socket it is
  // A bit for each other Stack whose part has connections to accept.
  std::atomic<std::uint64_t> acceptable{0};
  std::atomic<std::uint32_t> waiting{0};  // how many those are
  unsigned turn = 0;  // whose connections are accepted next; touched inside the owner
  std::atomic<std::uint32_t> references{0};  // ListenGroupRef's
};
inline void intrusive_ptr_add_ref(ListenGroup* group) { group->references.fetch_add(1); }
inline void intrusive_ptr_release(ListenGroup* group) {
  if (group->references.fetch_sub(1) == 1) delete group;
}
using ListenGroupRef = boost::intrusive_ptr<ListenGroup>;

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
  unsigned first;  // the Stack to look at first
  Inheritance inheritance;
};

}  // namespace pollux
