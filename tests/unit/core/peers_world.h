// peers_world.h - several Stacks behind one card, a client on its wire, and who sends what where.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stack/core/inside.h"
#include "stack/core/peers.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scripted_device.h"

namespace pollux::testing_support {

inline const IpAddress kServer = IpAddress::v4(198, 18, 0, 2);
inline const IpAddress kClient = IpAddress::v4(198, 18, 0, 1);
inline constexpr std::uint16_t kPort = 80;

inline Config small_config() {
  Config config;
  config.connections = config.time_waits = config.sockets = 64;
  config.listeners = 4;
  return config;
}

inline PortConfig port_of(const IpAddress& address) {
  PortConfig port;
  port.addresses = {{address, 24}};
  return port;
}

inline std::uint16_t number_at(const Octets& frame, std::size_t offset) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[offset]) << 8 |
                                    std::to_integer<unsigned>(frame[offset + 1]));
}
inline bool is_arp(const Octets& frame) { return number_at(frame, 12) == 0x0806; }

// A client's Stack -- wire -- a card with kQueues queues, a Stack for each.
class PeersWorld : public PoolEndsFull {
 protected:
  static constexpr unsigned kQueues = 4;

  explicit PeersWorld(const Config& config = small_config())
      : client_ports_(64, {}, 1), server_ports_(64, {}, 1) {
    configure_sockets(64);
    client = std::make_unique<Stack>(config, Stack::Parts{test_pool(), client_ports_, clock_}, 1,
                                     tcp::Secret{});
    client->add_interface(client_device_, port_of(kClient));
    for (unsigned i = 0; i < kQueues; ++i) {
      servers.push_back(std::make_unique<Stack>(
          config, Stack::Parts{test_pool(), server_ports_, clock_, i, &peers_}, i, tcp::Secret{}));
      devices_.push_back(std::make_unique<ScriptedDevice>(test_pool(), std::uint8_t{7}));
      peers_.add(*servers.back());
      servers.back()->add_interface(*devices_.back(), port_of(kServer), map);
    }
  }
  void TearDown() override {
    for (Socket* socket : open_) socket->put();
    run();
    servers.clear();
    client.reset();
    PoolEndsFull::TearDown();
  }

  void poll(Stack& stack) {
    NapiSet posted = 0;
    {
      const Entered entered(stack.entry());
      stack.poll(64, stack.read_clock());
      posted = stack.take_posted();
    }
    stack.deliver(posted);
  }
  // Carries frames until there are none.
  void run() {
    for (bool moves = true; moves;) {
      moves = carry(client_device_, [&](const Octets& frame) { return &device_for(frame); });
      for (auto& device : devices_) {
        moves |= carry(*device, [&](const Octets&) { return &client_device_; });
      }
      poll(*client);
      for (auto& server : servers) poll(*server);
    }
  }
  Socket& open(Stack& stack, int type = SOCK_STREAM) {
    const Inside inside(stack);
    Socket* const socket = *create_socket(
        stack.world(), {AF_INET, type, type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP});
    open_.push_back(socket);
    return *socket;
  }
  Socket& listen(Stack& stack, bool reuse_port = false) {
    Socket& socket = open(stack);
    if (reuse_port) set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    const Inside inside(stack);
    EXPECT_TRUE(socket.bind({IpAddress::any_v4(), kPort}, inside.now()).ok());
    EXPECT_TRUE(socket.listen(16, inside.now()).ok());
    return socket;
  }
  Socket& connect(Stack& stack, const Endpoint& to) {
    Socket& socket = open(stack);
    const Inside inside(stack);
    EXPECT_EQ(socket.connect(to, inside.now()).error(), Errno::in_progress);
    return socket;
  }
  // As the calls do: its own connections and those of the parts in turn. Null: none.
  Socket* accept(Socket& listener) {
    Result<Socket*> accepted = Errno::again;
    std::optional<AcceptTicket> ticket;
    {
      const Inside inside(stack_of(listener));
      if (!listener.is_others_turn()) accepted = listener.accept(inside.now());
      ticket = listener.ticket();
    }
    for (unsigned i = 0; ticket && !accepted.ok() && i < kQueues; ++i) {
      const Inside inside(*servers[i]);
      accepted = servers[i]->accept_from_part(*ticket, inside.now());
    }
    if (accepted.ok()) open_.push_back(*accepted);
    return accepted.ok() ? *accepted : nullptr;
  }
  void close(Socket& socket) {
    std::erase(open_, &socket);
    socket.put();
  }
  bool is_connected(Socket& socket) {
    const Inside inside(stack_of(socket));
    return socket.peer().ok();
  }
  void send(Socket& socket, const std::string& text) {
    const Inside inside(stack_of(socket));
    iovec vector{const_cast<char*>(text.data()), text.size()};
    const SendMessage message{{&vector, 1}, text.size(), 0, nullptr, {}};
    EXPECT_EQ(*socket.send(message, inside.now()), text.size());
  }
  std::string receive(Socket& socket) {
    const Inside inside(stack_of(socket));
    std::string text(100, ' ');
    iovec vector{text.data(), text.size()};
    ReceiveMessage message{{&vector, 1}, text.size(), MSG_DONTWAIT, false, {}, false, 0, {}};
    const Result<std::size_t> got = socket.receive(message, inside.now());
    return got.ok() ? text.substr(0, *got) : "";
  }
  void set(Socket& socket, int level, int name, int value) {
    const Inside inside(stack_of(socket));
    const auto octets = std::as_bytes(std::span(&value, 1));
    EXPECT_TRUE(socket.set_option(level, name, octets, inside.now()).ok());
  }
  PollEvents ready(Socket& socket) {
    const Inside inside(stack_of(socket));
    return socket.poll();
  }
  static Stack& stack_of(Socket& socket) { return static_cast<Stack&>(socket.world().gate); }
  std::uint64_t steered(unsigned index) { return servers[index]->counters().steered; }
  void expect_echo(Socket& near, Socket& far) {
    send(near, "question");
    run();
    EXPECT_EQ(receive(far), "question");
    send(far, "answer");
    run();
    EXPECT_EQ(receive(near), "answer");
  }

  // Where the card says that it puts packets; it puts them where queue_of says.
  const RssMap map = RssMap::of(
      std::array<std::uint8_t, 16>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
      {0, 1, 2, 3});
  std::unique_ptr<Stack> client;
  std::vector<std::unique_ptr<Stack>> servers;
  tcp::Ports& server_ports() { return server_ports_; }
  const Peers& peers() const { return peers_; }
  void take_device_away() {
    for (auto& device : devices_) device->is_taken_away = true;
  }
  // The card's choice for what is no ARP, which comes to queue 0.
  std::function<unsigned(const Octets&)> queue_of = [](const Octets&) { return 0u; };

 private:
  ScriptedDevice& device_for(const Octets& frame) {
    return *devices_[is_arp(frame) ? 0 : queue_of(frame)];
  }
  template <typename Choose>
  bool carry(ScriptedDevice& from, Choose&& choose) {
    const std::vector<Octets> frames = std::exchange(from.sent, {});
    for (const Octets& frame : frames) choose(frame)->arrive(frame);
    return !frames.empty();
  }

  ManualClock clock_;
  tcp::Ports client_ports_, server_ports_;
  Peers peers_{16};
  ScriptedDevice client_device_{test_pool()};
  std::vector<std::unique_ptr<ScriptedDevice>> devices_;
  std::vector<Socket*> open_;
};

}  // namespace pollux::testing_support
