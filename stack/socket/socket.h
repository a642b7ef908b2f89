// socket.h - Socket: what a program's descriptor of the internet families refers to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>

#include "drivers/packet_pool.h"
#include "epoll/file.h"
#include "stack/base/counters.h"
#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/base/ring.h"
#include "stack/base/rng.h"
#include "stack/ip/ip_info.h"
#include "stack/ip/routes.h"

namespace pollux {

namespace tcp {
class Tcp;
}
class UdpTable;

// A datagram (UDP or ICMP echo) that a socket wants sent: the transport header is in the packet.
struct DatagramOut {
  IpSend ip;
  Packet packet;
};

// What sockets see of the Stack they belong to; owned by the Stack.
struct World {
  Entry& entry;
  NapiSet napis;
  tcp::Tcp& tcp;
  UdpTable& udp;
  UdpTable& ping;                    // ICMP echo ids
  const Routes& routes;
  PacketPool& pool;
  Ring<DatagramOut>& datagrams_out;  // egress drains it
  Rng& rng;
  Counters& counters;
};

// One message to send or receive, already copied out of the program's structures.
struct SendMessage {
  std::span<const iovec> vector;
  std::size_t length;             // octets in all of vector
  int flags;                      // MSG_*
  const Endpoint* to;             // null: the connected peer
  std::span<const std::byte> control;  // cmsg octets, as given
};
struct ReceiveMessage {
  std::span<const iovec> vector;
  std::size_t length;
  int flags;
  bool wants_control;
  Endpoint from;                  // out; port 0 and unspecified for none
  bool has_from = false;          // out
  int out_flags = 0;              // out: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE
  std::span<std::byte> control;   // in: room; out: what was filled
};

struct SocketType {
  int family;    // AF_INET or AF_INET6 (dual-stack form)
  int type;      // SOCK_STREAM, SOCK_DGRAM
  int protocol;  // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP
};

// Every call below is made with the world entered and never blocks: EAGAIN (or EINPROGRESS for
// connect) where Linux would sleep, and stack/api then waits. Lives in a process-wide, type-stable pool.
// SKETCH: the socket folder completes it; these are the calls that stack/api and stack/core use.
class Socket : public File {
 public:
  virtual Result<void> bind(const Endpoint& local, Instant now) = 0;
  virtual Result<void> connect(const Endpoint& remote, Instant now) = 0;
  virtual Result<void> disconnect(Instant now) = 0;  // connect(AF_UNSPEC)
  virtual Result<void> listen(int backlog, Instant now) = 0;
  virtual Result<Socket*> accept(Instant now) = 0;   // a new Socket with one reference
  virtual Result<std::size_t> send(const SendMessage& message, Instant now) = 0;
  virtual Result<std::size_t> receive(ReceiveMessage& message, Instant now) = 0;
  virtual Result<void> shutdown(int how, Instant now) = 0;
  virtual Endpoint local() const = 0;
  virtual Result<Endpoint> peer() const = 0;
  virtual Result<int> ioctl(unsigned long request, Instant now) = 0;  // FIONREAD, SIOCATMARK, SIOCOUTQ, ...
  Result<void> set_option(int level, int name, std::span<const std::byte> value, Instant now);
  Result<socklen_t> get_option(int level, int name, std::span<std::byte> value, Instant now);

  const SocketType& socket_type() const { return type_; }
  World& world() { return world_; }
  // SO_RCVTIMEO, SO_SNDTIMEO; zero: for ever.
  Duration receive_timeout() const { return receive_timeout_; }
  Duration send_timeout() const { return send_timeout_; }

 protected:
  Socket(World& world, const SocketType& type)
      : File(FileType::socket, world.entry, &world.entry, world.napis), world_(world), type_(type) {}
  World& world_;
  SocketType type_;
  Duration receive_timeout_;
  Duration send_timeout_;
};

// EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ENFILE, ... as socket(2). Reference count 1.
Result<Socket*> create_socket(World& world, const SocketType& type);

}  // namespace pollux
