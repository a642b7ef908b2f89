// shared_listeners.cc - the parts of listening sockets that are heard in every Stack.
#include <algorithm>

#include "stack/core/peers.h"
#include "stack/core/stack.h"
#include "stack/socket/tcp_socket.h"

namespace pollux {
namespace {

ListenGroup& group_of(const tcp::Listener& listener) {
  return *static_cast<ListenGroup*>(listener.group);
}

}  // namespace

NapiSet Stack::peers() const { return peers_ ? peers_->all() : 0; }

// Inside the owner: opens the parts, or tells them what has changed.
void Stack::share(TcpSocket& socket, tcp::Listener& listener) {
  if (!listener.group) {
    ListenGroupRef group = peers_->listen_groups().create(socket, index_);
    if (!group) return;  // too many: its connections are passed on to its only part
    listener.group = group.get();
    parts_.push_back({std::move(group), &listener});
  }
  for (unsigned i = 0; i < peers_->count(); ++i) {
    if (i == index_) continue;
    // It stays the port's holder until the part is closed.
    tcp_.ports().hold(*listener.port());
    post(i, {own_bit(),
             ListenPart{ListenGroupRef(&group_of(listener)), listener.local(), listener.port(),
                        listener.options(), listener.backlog(), listener.defer_accept()}});
  }
}

// Inside the owner, which closes its own part itself.
void Stack::unshare(tcp::Listener& listener) {
  const ListenGroupRef group(&group_of(listener));
  listener.group = nullptr;
  group->socket = nullptr;
  std::erase_if(parts_, [&](const Part& part) { return part.group.get() == group.get(); });
  for (unsigned i = 0; i < peers_->count(); ++i) {
    if (i != index_) post(i, {own_bit(), Letter::ClosePart{group}});
  }
}

// A failure (too many listeners here) leaves the connections to the owner: they are passed on.
void Stack::open_part(ListenPart&& made) {
  tcp::Ports& ports = tcp_.ports();
  if (tcp::Listener* known = find_part(*made.group)) {
    ports.release(*made.port);
    known->options() = made.options;
    known->set_defer_accept(made.defer_accept);
    return tcp_.set_backlog(*known, made.backlog);
  }
  const Result<tcp::Listener*> opened =
      tcp_.open_passive(made.local, *made.port, made.options, made.backlog);
  if (!opened) return ports.release(*made.port);
  (*opened)->set_defer_accept(made.defer_accept);
  (*opened)->group = made.group.get();
  parts_.push_back({std::move(made.group), *opened});
}

void Stack::close_part(const ListenGroup& group, Instant now) {
  tcp::Listener* const listener = find_part(group);
  if (!listener) return;
  tcp::PortUse* const port = listener->port();
  tcp_.close(*listener, now);
  tcp_.ports().release(*port);
  std::erase_if(parts_, [&](const Part& part) { return part.group.get() == &group; });
}

tcp::Listener* Stack::find_part(const ListenGroup& group) const {
  for (const Part& part : parts_) {
    if (part.group.get() == &group) return part.listener;
  }
  return nullptr;
}

void Stack::tell_acceptable(tcp::Listener& part) {
  ListenGroup& group = group_of(part);
  group.acceptable.fetch_or(own_bit());
  post(group.owner, {own_bit(), Letter::Acceptable{ListenGroupRef(&group)}});
}

Result<Socket*> Stack::accept_from_part(const AcceptTicket& ticket, Instant now) {
  tcp::Listener* const part = find_part(*ticket.group);
  if (!part) return Errno::again;
  Result<Socket*> accepted = TcpSocket::accept_from(world_, *part, ticket.inheritance, now);
  if (!part->is_acceptable()) ticket.group->acceptable.fetch_and(~own_bit());
  return accepted;
}

}  // namespace pollux
