// socket.h - Socket: what a program's descriptor of the internet families refers to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "drivers/packet_pool.h"
#include "epoll/busy_poll.h"
#include "epoll/file.h"
#include "stack/base/counters.h"
#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/base/ring.h"
#include "stack/base/rng.h"
#include "stack/ip/ip_info.h"
#include "stack/ip/path_mtu.h"
#include "stack/ip/routes.h"
#include "stack/socket/socket_options.h"

namespace pollux {

namespace tcp {
class Tcp;
class Listener;
}  // namespace tcp
class StreamErrors;
class TcpSocket;
class UdpTable;
struct AcceptTicket;

// What shutdown() has ended, as bits: how + 1 is SHUT_RD's, SHUT_WR's, or both.
inline constexpr std::uint8_t kShutReceive = 1, kShutSend = 2, kShutBoth = kShutReceive | kShutSend;

// A datagram (UDP or ICMP echo) that a socket wants sent: the transport header is in the packet.
struct DatagramOut {
  IpSend ip;
  std::uint16_t mtu = 0;  // a larger one is cut, or with DF dropped; never more than the route's
  Packet packet;
};

// How a socket gets into its Stack when nobody has entered for it: at its last close, which comes
// from whoever drops the last reference. Implemented by the Stack (as Inside) and by test fixtures.
class WorldGate {
 public:
  virtual ~WorldGate() = default;
  virtual Instant enter() = 0;          // returns now
  virtual void leave(Instant now) = 0;  // sends what was queued, then leaves
  // Blocks, with nothing entered, until `file` is HUP or `limit` has passed: SO_LINGER's wait.
  virtual void wait_for_hang_up(File& file, Duration limit) = 0;
  // --- with several queues, inside; otherwise there is nothing to share.
  // All Stacks, a bit for each; 0: there is one.
  virtual NapiSet peers() const { return 0; }
  // The listener of `socket` is heard in every Stack from when the caller has left; again when its
  // options have changed.
  virtual void share(TcpSocket&, tcp::Listener&) {}
  virtual void unshare(tcp::Listener&) {}
};

// What sockets see of the Stack they belong to; owned by the Stack.
struct World {
  Entry& entry;
  NapiSet napis;
  tcp::Tcp& tcp;
  UdpTable& udp;
  UdpTable& ping;  // ICMP echo ids
  const Routes& routes;
  const PathMtu& path_mtu;
  PacketPool& pool;
  Ring<DatagramOut>& datagrams_out;  // egress drains it
  StreamErrors& stream_errors;
  Rng& rng;
  Counters& counters;
  WorldGate& gate;
  std::uint32_t busy_read;  // SO_BUSY_POLL of new sockets
};

// One message to send or receive, already copied out of the program's structures.
struct SendMessage {
  std::span<const iovec> vector;
  std::size_t length;                  // octets in all of vector
  int flags;                           // MSG_*
  const Endpoint* to;                  // null: the connected peer
  std::span<const std::byte> control;  // cmsg octets, as given
};
struct ReceiveMessage {
  std::span<const iovec> vector;
  std::size_t length;
  int flags;  // MSG_*; MSG_DONTWAIT also for O_NONBLOCK
  bool wants_control;
  Endpoint from;                 // out; port 0 and unspecified for none
  bool has_from = false;         // out
  int out_flags = 0;             // out: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE
  std::span<std::byte> control;  // in: room; out: what was filled
};

struct SocketType {
  int family;    // AF_INET or AF_INET6 (dual-stack form)
  int type;      // SOCK_STREAM, SOCK_DGRAM
  int protocol;  // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP
};

// Every call below is made with the world entered and never blocks: EAGAIN (or EINPROGRESS for
// connect) where Linux would sleep, and stack/api then waits. Lives in a process-wide, type-stable
// pool; owned by its references (epoll/file.h).
class Socket : public File {
 public:
  virtual Result<void> bind(const Endpoint& local, Instant now) = 0;
  // EALREADY as long as an earlier connect is in progress; then its outcome, once.
  virtual Result<void> connect(const Endpoint& remote, Instant now) = 0;
  virtual Result<void> disconnect(Instant now) = 0;  // connect(AF_UNSPEC)
  virtual Result<void> listen(int backlog, Instant now) = 0;
  virtual Result<Socket*> accept(Instant now) = 0;  // a new Socket with one reference
  // Parts of the listener in other Stacks may have connections. Each time it says so it is others'
  // turn no longer.
  virtual bool is_others_turn() { return false; }
  virtual std::optional<AcceptTicket> ticket();
  virtual Result<std::size_t> send(const SendMessage& message, Instant now) = 0;
  virtual Result<std::size_t> receive(ReceiveMessage& message, Instant now) = 0;
  virtual Result<void> shutdown(int how, Instant now) = 0;
  virtual Endpoint local() const = 0;
  virtual Result<Endpoint> peer() const = 0;
  virtual Endpoint accepted_from() const { return {}; }  // also of a connection that is over
  // FIONREAD, SIOCATMARK, SIOCOUTQ, ...: the number to store. ENOTTY: no such request.
  virtual Result<int> ioctl(unsigned long request, Instant now) = 0;
  Result<void> set_option(int level, int name, std::span<const std::byte> value, Instant now);
  // `value`: the room; returns how much of it is filled.
  Result<socklen_t> get_option(int level, int name, std::span<std::byte> value, Instant now);

  BusyPollParams busy_poll() const override {
    return {options_.busy_poll_usecs, options_.busy_poll_budget,
            options_.has(SocketFlag::prefer_busy_poll)};
  }

  virtual bool is_listening() const { return false; }
  virtual bool is_connecting() const { return false; }  // a handshake of connect or send goes on
  // A packet for it has come from a device, and so from a queue (13.5); loopback has none.
  virtual bool has_napi_id() const;
  // A blocking receive that has octets already stops here: an error, the end or urgent data are
  // next.
  virtual bool is_receive_over() const { return true; }
  virtual Errno pending_error() const = 0;  // 0: none
  virtual Errno take_error() = 0;           // SO_ERROR

  SocketType socket_type() const { return {family_, type_, protocol_}; }
  bool is_stream() const { return type_ == SOCK_STREAM; }
  World& world() { return *world_; }
  // SO_RCVTIMEO, SO_SNDTIMEO; zero: for ever.
  Duration receive_timeout() const { return options_.receive_timeout; }
  Duration send_timeout() const { return options_.send_timeout; }
  SocketOptions& options() { return options_; }
  const SocketOptions& options() const { return options_; }

  // --- for the table of options (sockopt.cc)
  virtual tcp::UserOptions* user_options() { return nullptr; }  // TCP only
  virtual void options_changed(Instant) {}
  virtual void option_was_set() {}
  virtual void sharing_changed() {}  // SO_REUSEADDR, SO_REUSEPORT
  // As SO_SNDBUF, SO_RCVBUF report it.
  virtual std::uint32_t send_buffer() const = 0;
  virtual std::uint32_t receive_buffer() const = 0;
  virtual void set_send_buffer(std::uint32_t octets, Instant now) = 0;
  virtual void set_receive_buffer(std::uint32_t octets, Instant now) = 0;
  virtual std::uint32_t receive_low_water() = 0;  // SO_RCVLOWAT
  virtual void set_receive_low_water(std::uint32_t octets, Instant now) = 0;

 protected:
  Socket(World& world, const SocketType& type)
      : File(FileType::socket, world.entry, &world.entry, world.napis),
        family_(static_cast<std::uint8_t>(type.family)),
        type_(static_cast<std::uint8_t>(type.type)),
        protocol_(static_cast<std::uint8_t>(type.protocol)),
        world_(&world) {
    options_.busy_poll_usecs = world.busy_read;
  }
  // What the program's addresses mean here. An AF_INET6 socket's :: takes IPv4 too unless
  // IPV6_V6ONLY, so it is IPv4's wildcard inside. EADDRNOTAVAIL, EINVAL (v6only and mapped).
  Result<IpAddress> local_address(const IpAddress& given) const;
  // Needs SO_BROADCAST; also 127.255.255.255, which Linux keeps among lo's broadcast addresses.
  bool is_broadcast(const Route& route, const IpAddress& address) const {
    const bool is_one = route.is_broadcast || world_->routes.is_broadcast(address);
    return is_one && !address.is_multicast();
  }
  // ENETUNREACH, ENETDOWN. EINVAL: 127.0.0.0/8 is no source of what leaves this host.
  Result<Route> route_from(const IpAddress& source, const IpAddress& destination) const;
  // 0.0.0.0 and :: mean this host. ENETUNREACH.
  Result<Endpoint> remote_endpoint(const Endpoint& given, const IpAddress& bound) const;

 private:
  const std::uint8_t family_;
  const std::uint8_t type_;
  const std::uint8_t protocol_;

 protected:
  World* const world_;
  SocketOptions options_;
};

// Once at start: reserves the process-wide pools.
void configure_sockets(std::uint32_t max_sockets);
// How many exist.
std::uint32_t sockets_used();

// EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ENFILE, ... as socket(2). Reference count 1.
// `type` holds SOCK_STREAM or SOCK_DGRAM only; protocol 0: the type's own.
Result<Socket*> create_socket(World& world, const SocketType& type);

}  // namespace pollux
