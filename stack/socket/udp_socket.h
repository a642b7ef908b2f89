// udp_socket.h - UdpSocket: SOCK_DGRAM; Linux's UDP and ping sockets.
// Read first: epoll-behaviours section 18.
#pragma once

#include <netinet/in.h>

#include <array>

#include "stack/ip/icmp.h"
#include "stack/socket/datagram_queue.h"
#include "stack/socket/error_note.h"
#include "stack/socket/socket.h"
#include "stack/udp/udp.h"
#include "stack/udp/udp_table.h"

namespace pollux {

// A UDP socket, or with IPPROTO_ICMP a ping socket: its port is the echo id, its datagrams are
// whole ICMP messages. Stands in the world's UdpTable while bound. Owned by its references.
class UdpSocket final : public Socket, public UdpEndpoint {
 public:
  UdpSocket(World& world, const SocketType& type);
  static UdpSocket& of(UdpEndpoint& endpoint) { return static_cast<UdpSocket&>(endpoint); }

  // --- by core
  void deliver(udp::Datagram datagram, Instant now);
  void deliver_copy(const udp::Datagram& datagram, Instant now);  // broadcast: one for each
  void deliver_error(const icmp::Error& error, Instant now);
  void on_network_down();  // its device is gone
  // IP_MTU_DISCOVER: an ICMP "too big" about what it sent counts.
  bool believes_path_mtu() const;

  Result<void> bind(const Endpoint& local, Instant now) override;
  Result<void> connect(const Endpoint& remote, Instant now) override;
  Result<void> disconnect(Instant now) override;
  Result<void> listen(int, Instant) override { return Errno::not_supported; }
  Result<Socket*> accept(Instant) override { return Errno::not_supported; }
  Result<std::size_t> send(const SendMessage& message, Instant now) override;
  Result<std::size_t> receive(ReceiveMessage& message, Instant now) override;
  Result<void> shutdown(int how, Instant now) override;
  Endpoint local() const override { return UdpEndpoint::local; }
  Result<Endpoint> peer() const override;
  Result<int> ioctl(unsigned long request, Instant now) override;
  PollEvents poll() override;
  void on_last_close() override;

  bool has_napi_id() const override { return has_napi_id_; }
  Errno pending_error() const override { return error_; }
  Errno take_error() override;

  Result<void> send_held();  // what UDP_CORK held back, if anything

  void sharing_changed() override;
  std::uint32_t send_buffer() const override { return send_buffer_; }
  std::uint32_t receive_buffer() const override { return receive_buffer_; }
  void set_send_buffer(std::uint32_t octets, Instant) override;
  void set_receive_buffer(std::uint32_t octets, Instant) override { receive_buffer_ = octets; }
  // It only reads back: any datagram is readable.
  std::uint32_t receive_low_water() override { return receive_low_water_; }
  void set_receive_low_water(std::uint32_t octets, Instant) override {
    receive_low_water_ = octets;
  }

 private:
  static constexpr std::uint32_t kDefaultBuffer = 212992;  // net.core.rmem_default
  static constexpr std::size_t kErrorNotes = 4;
  // What a message says of its way: from cmsgs, or the socket's options.
  struct Way {
    Endpoint remote;
    IpAddress source;
    std::uint8_t tos = 0;
    std::uint8_t ttl = 0;
  };
  struct Outgoing {
    Way way;
    Route route;
    std::uint16_t mtu = 0;  // what may leave whole, as IP_MTU_DISCOVER has it
    Packet packet;          // the data; false: there is none
  };

  bool is_ping() const { return socket_type().protocol == IPPROTO_ICMP; }
  UdpTable& table() { return is_ping() ? world_->ping : world_->udp; }
  Result<void> bind_if_unbound();
  Result<Way> way_of(const SendMessage& message) const;
  Result<Route> route_of(Way& way) const;
  std::uint16_t mtu_of(const Outgoing& out, Instant now) const;
  Result<void> append(Outgoing& out, const SendMessage& message);
  Result<void> emit(Outgoing from);
  Result<void> check_size(const Outgoing& out, std::size_t length);
  void note_too_large(const Outgoing& out);
  bool is_error_kept() const;
  void fill_control(ReceiveMessage& message, const DatagramNote& note) const;
  Result<std::size_t> receive_error(ReceiveMessage& message);

  DatagramQueue queue_;
  IpAddress bound_ = IpAddress::any_v4();  // the address of bind; connect may narrow it
  Outgoing held_;                          // by MSG_MORE or UDP_CORK, until a send without
  Errno error_{};                          // 0: none
  std::uint32_t send_buffer_ = kDefaultBuffer;
  std::uint32_t receive_buffer_ = kDefaultBuffer;
  std::uint32_t receive_low_water_ = 1;
  std::uint8_t shut_ = 0;  // kShutReceive, kShutSend
  bool is_port_fixed_ = false;
  bool has_napi_id_ = false;
  std::uint8_t error_count_ = 0;
  std::array<ErrorNote, kErrorNotes> errors_;
};

}  // namespace pollux
