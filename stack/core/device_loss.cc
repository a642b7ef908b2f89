// device_loss.cc - a device has been taken away: everybody who used it hears ENETDOWN.
// Linux would end nobody: its sockets wait for another way, or for their timeouts.
#include "stack/core/stack.h"
#include "stack/socket/tcp_socket.h"
#include "stack/socket/udp_socket.h"

namespace pollux {

// With the timers: links are asked for now and then, and a device that is gone is always due.
void Stack::look_at_devices(Instant now) {
  for (auto& in : interfaces_) {
    if (in->device().is_gone() && !in->is_lost()) {
      lose(*in, now);
    } else {
      in->look_at_link(now);
    }
  }
}

// Its addresses stay ours: what turns around inside the stack goes on.
void Stack::lose(Interface& gone, Instant now) {
  ++counters_.devices_lost;
  gone.lose();
  tcp_.for_each_connection([&](tcp::Connection& connection) {
    if (!depends_on(gone, connection.tuple())) return;
    connection.lose_network();
    after_event(connection, now);
  });
  tcp_.for_each_listener([&](tcp::Listener& listener) {
    TcpSocket* const socket = TcpSocket::of(listener);
    if (socket && is_served_by(gone, listener.local().address)) socket->on_network_down();
  });
  const auto tell = [&](UdpEndpoint& endpoint) {
    const bool is_hit = endpoint.is_connected ? depends_on(gone, {endpoint.local, endpoint.remote})
                                              : is_served_by(gone, endpoint.local.address);
    if (is_hit) UdpSocket::of(endpoint).on_network_down();
  };
  udp_.for_each(tell);
  ping_.for_each(tell);
  routes_.lose(gone.id());
  gone.device().let_go();
}

bool Stack::has_device() const {
  return std::any_of(interfaces_.begin(), interfaces_.end(),
                     [](const auto& in) { return !in->is_lost(); });
}

// Packets of this connection went through it, or came to its address.
bool Stack::depends_on(const Interface& gone, const FourTuple& tuple) const {
  const Result<Route> route = routes_.lookup(tuple.remote.address);
  if (!route || route->interface == kLoopbackInterface) return false;
  return route->interface == gone.id() || routes_.is_local_on(gone.id(), tuple.local.address);
}

// Whoever waits for anybody at `local` waits for this device; at the wildcard, if it was the last.
bool Stack::is_served_by(const Interface& gone, const IpAddress& local) const {
  if (local.is_unspecified()) return !has_device();
  return routes_.is_local_on(gone.id(), local);
}

}  // namespace pollux
