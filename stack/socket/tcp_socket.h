// tcp_socket.h - TcpSocket: SOCK_STREAM; Linux's socket calls on a Connection or a Listener.
// Read first: epoll-behaviours sections 16 and 17, then poll() in tcp_poll.cc.
#pragma once

#include <variant>

#include "stack/socket/error_note.h"
#include "stack/socket/listen_group.h"
#include "stack/socket/socket.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/fast_open_server.h"
#include "stack/tcp/ports.h"

namespace pollux {

namespace tcp {
class Listener;
}

// What a socket that is neither connected nor listening remembers; in a pool of its own, so that
// the million that are connected need not carry it.
struct IdleTcp {
  tcp::UserOptions options;
  std::uint32_t defer_accept_s = 0;
  tcp::FastOpenOptions fast_open;
};

// One descriptor's end of a connection, or a listener. Its Connection or Listener is Tcp's and
// points back here (user) until on_last_close. Linux: struct socket and struct sock of SOCK_STREAM.
class TcpSocket final : public Socket {
 public:
  TcpSocket(World& world, const SocketType& type, IdleTcp& idle);
  // Null until become_connected(), which follows at once.
  TcpSocket(World& world, const SocketType& type, tcp::Connection* connection);

  // Whose it is; null: nobody's (not accepted yet, or an orphan).
  static TcpSocket* of(tcp::Connection& connection);
  static TcpSocket* of(tcp::Listener& listener);
  // By core, after take_events(): tells those who wait, in Linux's order (section 17).
  void on_events(tcp::EventSet events);
  void on_acceptable();                             // 17.11
  void on_network_down();                           // a listener's last device is gone
  void on_connect_error(const icmp::Error& error);  // what has just ended its connect

  Result<void> bind(const Endpoint& local, Instant now) override;
  Result<void> connect(const Endpoint& remote, Instant now) override;
  Result<void> disconnect(Instant now) override;
  Result<void> listen(int backlog, Instant now) override;
  Result<Socket*> accept(Instant now) override;
  bool is_others_turn() override;
  std::optional<AcceptTicket> ticket() override;
  // Inside `world`, whose listener is a part of the ticket's.
  static Result<Socket*> accept_from(World& world, tcp::Listener& listener,
                                     const Inheritance& inheritance, Instant now);
  Result<std::size_t> send(const SendMessage& message, Instant now) override;
  Result<std::size_t> receive(ReceiveMessage& message, Instant now) override;
  Result<void> shutdown(int how, Instant now) override;
  Endpoint local() const override;
  Result<Endpoint> peer() const override;
  Endpoint accepted_from() const override;
  Result<int> ioctl(unsigned long request, Instant now) override;
  PollEvents poll() override;
  void on_last_close() override;

  bool is_listening() const override { return listener() != nullptr; }
  bool is_connecting() const override;
  bool is_receive_over() const override;
  Errno pending_error() const override;
  Errno take_error() override;

  tcp::UserOptions* user_options() override;
  void options_changed(Instant now) override;
  void option_was_set() override;
  void sharing_changed() override;
  std::uint32_t send_buffer() const override;
  std::uint32_t receive_buffer() const override;
  void set_send_buffer(std::uint32_t octets, Instant now) override;
  void set_receive_buffer(std::uint32_t octets, Instant now) override;
  std::uint32_t receive_low_water() override { return user_options()->receive_low_water; }
  void set_receive_low_water(std::uint32_t octets, Instant now) override;

  // --- for the table of options
  std::uint32_t defer_accept_s() const;
  void set_defer_accept_s(std::uint32_t seconds);
  tcp::FastOpenOptions* fast_open();  // null unless idle or listening
  Result<void> set_fast_open_requests(std::uint32_t most);
  tcp::FastOpenKeys fast_open_keys();
  bool is_closed() const;  // Linux: TCP_CLOSE
  void send_limit_changed(Instant now);
  tcp::Connection* connection() const;  // null unless connecting or connected
  tcp::Listener* listener() const;
  std::uint32_t waiting() const;  // to be accepted
  const tcp::TcpConfig& config() const;

 private:
  struct Idle {
    IdleTcp* state;
  };
  struct Listening {
    tcp::Listener* listener;
  };
  struct Connected {  // connecting too, and what is left of a connection that ended
    tcp::Connection* connection;
  };
  // Linux: socket_state, SS_*. What connect(2) answers depends on it, not on the connection alone.
  // disconnecting: a connect had failed when shutdown came, before anybody asked for its outcome.
  enum class Phase : std::uint8_t { unconnected, connecting, connected, disconnecting };

  IdleTcp* idle() const;
  bool is_over() const;  // a connection that has ended
  bool is_receive_shut(const tcp::Connection& c) const;
  bool is_send_shut(const tcp::Connection& c) const;
  tcp::PortSharing sharing() const;
  Inheritance inheritance() const;
  ListenGroup* group() const;  // null: it does not listen, or in one Stack
  Result<void> bind_port(const Endpoint& local);
  // `with_text`: the SYN waits for text, if it may carry any; then there is no error.
  Result<void> start_connect(const Endpoint& remote, bool with_text, Instant now);
  Result<void> connect_with_text(const SendMessage& message, Instant now);
  bool is_deferred() const;
  Result<void> finish_connect(Instant now);
  void become_connected(tcp::Connection& connection);
  void become_idle(Errno error, Instant now);  // lets go of connection or listener
  void let_go_of_port();
  Errno hang_up(Instant now);  // Linux: tcp_disconnect(); the error it leaves
  void shutdown_connection(tcp::Connection& connection, int how, Instant now);
  void after_call(tcp::Connection& connection, Instant now);
  Result<std::size_t> receive_error(ReceiveMessage& message);
  Result<std::size_t> receive_into(tcp::Connection& connection, ReceiveMessage& message,
                                   Instant now);
  PollEvents poll_idle() const;
  PollEvents poll_connection(tcp::Connection& connection) const;
  bool is_sending() const;  // FIN not acknowledged yet
  bool begin_close(Instant now);
  void end_close(Instant now);

  std::variant<Idle, Listening, Connected> role_;
  tcp::PortUse* port_ = nullptr;           // what bind or listen gave
  IpAddress bound_ = IpAddress::any_v4();  // the address of bind
  Phase phase_ = Phase::unconnected;
  bool is_bound_anew_ = false;  // bind after the connection had ended
  bool is_port_fixed_ = false;  // bind named the port; Linux: SOCK_BINDPORT_LOCK
  bool lingers_ = false;        // on_last_close waits for the FIN's acknowledgment
  // kShutReceive, kShutSend: what shutdown said before connect or listen; it stays in force and
  // is inherited by accepted sockets. Linux: sk_shutdown.
  std::uint8_t shut_ = 0;
  std::uint8_t error_notes_ = 0;  // of its own in world_->stream_errors
  Errno error_{};                 // pending, 0: none; a connection keeps its own
  std::uint16_t last_port_ = 0;   // what getsockname says when the port has been given back
};
static_assert(sizeof(TcpSocket) <= 192);

}  // namespace pollux
