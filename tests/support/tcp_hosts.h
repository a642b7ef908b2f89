// tcp_hosts.h - two Tcps on a wire of real packets: what core does for TCP, small enough for a
// test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stack/tcp/tcp.h"
#include "tests/support/eal_environment.h"

namespace pollux::testing_support {

// As from getrandom(2), but always the same.
inline tcp::Secret test_secret(std::uint64_t seed) {
  Rng rng(seed);
  tcp::Secret secret{};
  for (unsigned char& octet : secret.isn) octet = static_cast<unsigned char>(rng.next());
  for (unsigned char& octet : secret.timestamp) octet = static_cast<unsigned char>(rng.next());
  for (unsigned char& octet : secret.cookie.mac) octet = static_cast<unsigned char>(rng.next());
  for (unsigned char& octet : secret.cookie.mask) octet = static_cast<unsigned char>(rng.next());
  for (std::uint64_t& key : secret.demux) key = rng.next();
  for (unsigned char& octet : secret.fast_open) octet = static_cast<unsigned char>(rng.next());
  return secret;
}
inline constexpr std::uint16_t kTestMtu = 1500;
inline constexpr tcp::TcpLimits kTestLimits = {
    .connections = 512, .listeners = 16, .time_waits = 64};

// A packet between the hosts: the TCP part, and what the IP header would say.
struct Frame {
  IpAddress source;
  IpAddress destination;
  Packet packet;
};

// One host: a Tcp and the calls of core's ingress and egress in the same order.
class TcpHost {
 public:
  TcpHost(const IpAddress& host_address, const tcp::TcpConfig& config,
          const tcp::TcpLimits& limits = kTestLimits)
      : address(host_address),
        tcp(config, limits, {test_pool(), ports, rng, counters}, test_secret(1), Instant()) {}

  void receive(Frame frame, Instant now) {
    auto arrival = tcp.decode({frame.source, frame.destination}, std::move(frame.packet));
    ASSERT_TRUE(arrival.ok());
    receive(std::move(*arrival), now);
  }
  void receive(tcp::Arrival arrival, Instant now) {
    tcp::Listener* listener = nullptr;
    if (tcp::Connection* connection = tcp.find_connection(arrival.tuple)) {
      if (!tcp.may_receive(*connection, arrival.segment, now)) return;
      connection->segment_arrives(std::move(arrival.segment), now);
      tcp.settle(*connection, now);
      return;
    }
    if (tcp::TimeWait* time_wait = tcp.find_time_wait(arrival.tuple)) {
      listener = tcp.segment_arrives_time_wait(*time_wait, arrival.segment, now);
    } else if (listener = tcp.find_listener(arrival.tuple); !listener) {
      tcp.segment_arrives_closed(arrival.tuple, arrival.segment);
    }
    if (!listener) return;
    tcp::Connection* made = tcp.segment_arrives_listen(*listener, arrival.tuple,
                                                       std::move(arrival.segment), kTestMtu, now);
    if (made) tcp.settle(*made, now);
  }
  void flush(Instant now, std::deque<Frame>& wire) {
    while (tcp::Connection* connection = tcp.next_pending()) {
      while (auto segment = connection->next_segment(now)) {
        const FourTuple& tuple = connection->tuple();
        tcp::Encoded encoded = tcp.encode(*connection, *segment, context);
        if (!encoded.packet) continue;  // out of memory: lost, as core has it
        wire.push_back({tuple.local.address, tuple.remote.address, std::move(encoded.packet)});
      }
      tcp.settle(*connection, now);
    }
    while (auto reply = tcp.next_reply()) {
      tcp::Encoded encoded = tcp.encode(*reply, context);
      ASSERT_TRUE(encoded.packet);
      wire.push_back(
          {reply->tuple.local.address, reply->tuple.remote.address, std::move(encoded.packet)});
    }
  }
  void advance(Instant now) {
    tcp.advance_timers(now, [&](tcp::Connection& connection) { tcp.settle(connection, now); });
  }

  tcp::PortUse* bind(std::uint16_t port, const tcp::PortSharing& sharing = {}) {
    Result<tcp::PortUse*> use = ports.bind({address, port}, sharing);
    EXPECT_TRUE(use.ok());
    return *use;
  }
  tcp::Listener* listen(std::uint16_t port, std::uint32_t backlog, tcp::UserOptions options = {}) {
    tcp::PortUse* use = bind(port);
    Result<tcp::Listener*> listener = tcp.open_passive({address, port}, *use, options, backlog);
    EXPECT_TRUE(listener.ok());
    return *listener;
  }
  tcp::Connection* connect(const Endpoint& remote, Instant now) {
    tcp::ActiveOpen open;
    open.tuple = {.local = {.address = address}, .remote = remote};
    open.mtu = kTestMtu;
    Result<tcp::Connection*> connection = tcp.open_active(open, now);
    EXPECT_TRUE(connection.ok());
    return connection ? *connection : nullptr;
  }

  IpAddress address;
  tcp::TxContext context;
  Counters counters;
  Rng rng{1};
  tcp::Ports ports{4096, {8, 8}, 1};
  tcp::Tcp tcp;
};

inline ConstBytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Client and server, and a wire that may be cut. Time moves only by advance().
class TcpHosts : public PoolEndsFull {
 protected:
  void TearDown() override {
    wire.clear();
    client.reset();
    server.reset();
    PoolEndsFull::TearDown();
  }

  TcpHost& host_at(const IpAddress& address) {
    return address == client->address ? *client : *server;
  }
  // Until nobody has anything to say, at one instant.
  void settle() {
    for (int round = 0; round < 1000; ++round) {
      client->flush(now, wire);
      server->flush(now, wire);
      if (wire.empty()) return;
      deliver_all();
    }
    FAIL() << "the hosts never stop talking";
  }
  void deliver_all() {
    std::deque<Frame> frames = std::exchange(wire, {});
    for (Frame& frame : frames) {
      const IpAddress to = frame.destination;
      if (!is_cut) host_at(to).receive(std::move(frame), now);
    }
  }
  // In steps, so that timers run when they are due.
  void advance(Duration time) {
    const Instant end = now + time;
    while (now < end) {
      const Instant next =
          earlier(end, earlier(client->tcp.next_timeout(), server->tcp.next_timeout()));
      now = next > now ? next : now + Duration::us(100);
      client->advance(now);
      server->advance(now);
      settle();
    }
  }
  // The client's end of a new connection; the server's waits in its accept queue.
  tcp::Connection* connect(std::uint16_t port) {
    tcp::Connection* connection = client->connect({server->address, port}, now);
    settle();
    return connection;
  }
  void close(TcpHost& host, tcp::Connection& connection) {
    connection.close(now);
    host.tcp.release(connection, now);
    settle();
  }

  static std::string read_all(tcp::Connection& connection, Instant at) {
    std::string text(4096, '\0');
    const auto got = connection.receive(std::as_writable_bytes(std::span(text)), {}, at);
    text.resize(got ? *got : 0);
    return text;
  }
  // A request and its response, and both have arrived.
  void expect_dialogue(tcp::Connection& asks, tcp::Connection& answers) {
    ASSERT_TRUE(asks.send(bytes_of("request"), {}, now).ok());
    settle();
    EXPECT_EQ(read_all(answers, now), "request");
    ASSERT_TRUE(answers.send(bytes_of("response"), {}, now).ok());
    settle();
    EXPECT_EQ(read_all(asks, now), "response");
  }
  tcp::Connection* accepted(tcp::Listener& listener) {
    Result<tcp::Connection*> connection = server->tcp.accept(listener);
    EXPECT_TRUE(connection.ok());
    return connection ? *connection : nullptr;
  }
  static tcp::Segment syn(tcp::SeqNum seq) {
    tcp::Segment seg;
    seg.seq = seq;
    seg.ctl = tcp::SYN;
    seg.wnd = 1000;
    return seg;
  }
  FourTuple from_port(std::uint16_t port, std::uint16_t listener_port) const {
    return {.local = {server->address, listener_port}, .remote = {client->address, port}};
  }

  Instant now = Instant::from_ns(1'000'000'000);
  tcp::TcpConfig config;
  std::unique_ptr<TcpHost> client = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 1), config);
  std::unique_ptr<TcpHost> server = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 2), config);
  std::deque<Frame> wire;
  bool is_cut = false;
};

}  // namespace pollux::testing_support
