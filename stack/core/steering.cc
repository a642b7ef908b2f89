// steering.cc - what came to this Stack's queue and is another Stack's, and the reverse.
#include <algorithm>
#include <bit>

#include "drivers/dpdk/eal.h"
#include "stack/core/peers.h"
#include "stack/core/stack.h"
#include "stack/socket/tcp_socket.h"
#include "stack/wire/headers.h"

namespace pollux {
namespace {

std::array<std::uint8_t, 4> v4_octets(const IpAddress& address) {
  std::array<std::uint8_t, 4> octets;
  std::copy_n(address.octets().begin() + 12, octets.size(), octets.begin());
  return octets;
}

template <typename... Acts>
struct Overloaded : Acts... {
  using Acts::operator()...;
};
template <typename... Acts>
Overloaded(Acts...) -> Overloaded<Acts...>;

}  // namespace

// For the choice of a local port: whether answers come to this Stack's queue, as far as is known.
bool Stack::comes_home(const FourTuple& tuple) const {
  const Result<Route> route = routes_.lookup(tuple.remote.address);
  if (!route || route->interface == kLoopbackInterface) return true;
  const RssMap& rss = interfaces_[route->interface - 1u]->rss();
  if (!rss.is_known()) return true;
  const RssTuple arriving{.source = v4_octets(tuple.remote.address),
                          .destination = v4_octets(tuple.local.address),
                          .source_port = tuple.remote.port,
                          .destination_port = tuple.local.port,
                          .has_ports = true};
  return rss.queue_of(arriving) == index_;
}

void Stack::post(unsigned to, Letter&& letter) {
  letter.visited |= own_bit();
  if (!(*peers_)[to].inbox().push(std::move(letter))) return count_drop(Drop::queue_full);
  posted_ |= NapiSet{1} << to;
}

// Counted; the copies of share_arp() are not.
void Stack::steer(unsigned to, Letter&& letter) {
  ++counters_.steered;
  post(to, std::move(letter));
}

// A segment that no connection here is for. It visits those that hold its port, one after the
// other; the last of them answers if it is nobody's. False: here.
bool Stack::pass_on(tcp::Arrival& arrival, NapiSet visited, Instant now) {
  const bool is_syn = arrival.segment.ctl.has(tcp::SYN) && !arrival.segment.ctl.has(tcp::ACK);
  if (is_syn && tcp_.find_listener(arrival.tuple)) return false;
  if (tcp_.brings_cookie(arrival.tuple, arrival.segment, now)) return false;
  const NapiSet others = tcp_.ports().worlds(arrival.tuple.local.port) & ~(visited | own_bit());
  if (others == 0) return false;
  steer(static_cast<unsigned>(std::countr_zero(others)), {visited, std::move(arrival)});
  return true;
}

bool Stack::pass_on(const icmp::Error& error, NapiSet visited) {
  NapiSet others = NapiSet{1} << kDatagramStack;
  if (error.protocol == wire::kProtocolTcp) others = tcp_.ports().worlds(error.tuple.local.port);
  others &= ~(visited | own_bit());
  if (others == 0) return false;
  steer(static_cast<unsigned>(std::countr_zero(others)), {visited, error});
  return true;
}

void Stack::pass_on_datagram(Letter&& letter) { steer(kDatagramStack, std::move(letter)); }

// All Stacks ask for themselves, and the answers come to one queue.
void Stack::share_arp(InterfaceId interface, const ArpMessage& message) {
  for (unsigned i = 0; i < peers_->count(); ++i) {
    if (i != index_) post(i, {own_bit(), Letter::Neighbour{interface, message}});
  }
}

NapiSet Stack::collect() {
  const Entered entered(entry_);
  const LcoreScope lcore(index_);
  const Instant now = read_clock();
  if (open_letters(now)) {
    flush(now);
    note_changes();
  }
  return take_posted();
}

bool Stack::open_letters(Instant now) {
  bool found = false;
  for (Letter letter; inbox_.pop(letter); found = true) open(std::move(letter), now);
  return found;
}

void Stack::deliver(NapiSet posted) {
  if (posted != 0) peers_->deliver(posted);
}

void Stack::open(Letter&& letter, Instant now) {
  const NapiSet visited = letter.visited;
  const Overloaded acts{
      [](std::monostate) {},
      [&](tcp::Arrival& arrival) { receive_segment(std::move(arrival), visited, now); },
      [&](udp::Datagram& datagram) { receive_udp_datagram(std::move(datagram), now); },
      [&](Letter::EchoReply& reply) { receive_echo_reply(std::move(reply.datagram), now); },
      [&](icmp::Error& error) { receive_icmp_error(error, visited, now); },
      // The Stack whose queue it came to has answered.
      [&](Letter::Neighbour& neighbour) {
        Neighbours& neighbours = interface(neighbour.interface).neighbours();
        static_cast<void>(neighbours.input(neighbour.message, now));
      },
      [&](ListenPart& part) { open_part(std::move(part)); },
      [&](Letter::ClosePart& part) { close_part(*part.group, now); },
      [&](Letter::Acceptable& part) {
        if (part.group->socket) part.group->socket->on_acceptable();
      },
  };
  std::visit(acts, letter.what);
}

}  // namespace pollux
