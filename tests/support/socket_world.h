// socket_world.h - one Stack with a loopback interface and a clock that stands: sockets talk in it.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/core/stack.h"
#include "stack/socket/socket.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"

namespace pollux::testing_support {

inline constexpr PollEvents kAnyEvent{0xffffffff};
inline constexpr IpAddress kLoopback = IpAddress::v4(127, 0, 0, 1);

// Holds one reference to a socket; its end closes it, so nothing may be entered then.
struct LetGo {
  void operator()(Socket* socket) const { socket->put(); }
};
using Held = std::unique_ptr<Socket, LetGo>;

// Writes down the keys of a socket's wake-ups, in their order.
class KeyRecorder final : public WaitEntry {
 public:
  explicit KeyRecorder(Socket& socket) : socket_(socket) {
    const Entered entered(socket.wait_queue().lock());
    socket.wait_queue().add(*this);
  }
  ~KeyRecorder() override {
    const Entered entered(socket_.wait_queue().lock());
    socket_.wait_queue().remove(*this);
  }
  bool wake(PollEvents key) override {
    keys_.push_back(key);
    return true;
  }
  std::vector<PollEvents> take() { return std::exchange(keys_, {}); }

 private:
  Socket& socket_;
  std::vector<PollEvents> keys_;
};

// A client and the server it is connected to.
struct Pair {
  Held client;
  Held server;
};

class SocketWorld : public PoolEndsFull {
 protected:
  explicit SocketWorld(const tcp::TcpConfig& tcp = {}) {
    configure_sockets(256);
    Config config;
    config.tcp = tcp;
    config.sockets = config.connections = config.time_waits = 128;
    config.listeners = config.neighbours = 16;
    stack_ = std::make_unique<Stack>(
        config, Stack::Parts{.pool = test_pool(), .ports = ports_, .clock = clock}, 1, kSecret);
  }
  void TearDown() override {
    EXPECT_EQ(sockets_used(), 0u);
    in([&](Instant now) { stack().reset_all(now); });
    stack_.reset();
    PoolEndsFull::TearDown();
  }

  Stack& stack() { return *stack_; }
  World& world() { return stack_->world(); }

  // Inside the stack for one call; what it queued travels at the end.
  template <typename Act>
  auto in(Act&& act) -> decltype(act(Instant())) {
    const Instant now = stack_->enter();
    struct Leaving {
      Stack& stack;
      Instant now;
      ~Leaving() { stack.leave(now); }
    } const leaving{*stack_, now};
    return act(now);
  }
  void pass(Duration time) {
    clock.advance(time);
    in([&](Instant now) { stack_->poll(64, now); });
  }

  Held open(int type = SOCK_STREAM, int family = AF_INET, int protocol = 0) {
    const Result<Socket*> made = create_socket(world(), {family, type, protocol});
    EXPECT_TRUE(made.ok());
    return Held(made.ok() ? *made : nullptr);
  }
  // 0, or the errno.
  template <typename Act>
  int call(Act&& act) {
    const auto result = in(act);
    return result.ok() ? 0 : static_cast<int>(result.error());
  }
  int bind(Held& s, const Endpoint& local) {
    return call([&](Instant now) { return s->bind(local, now); });
  }
  int connect(Held& s, const Endpoint& remote) {
    return call([&](Instant now) { return s->connect(remote, now); });
  }
  int disconnect(Held& s) {
    return call([&](Instant now) { return s->disconnect(now); });
  }
  int listen(Held& s, int backlog = 8) {
    return call([&](Instant now) { return s->listen(backlog, now); });
  }
  int shutdown(Held& s, int how) {
    return call([&](Instant now) { return s->shutdown(how, now); });
  }
  Held accept(Held& listener) {
    const Result<Socket*> made = in([&](Instant now) { return listener->accept(now); });
    EXPECT_TRUE(made.ok());
    return Held(made.ok() ? *made : nullptr);
  }
  PollEvents poll(Held& s) {
    return in([&](Instant) { return s->poll(); });
  }
  Endpoint local(Held& s) {
    return in([&](Instant) { return s->local(); });
  }

  // Octets sent, or minus the errno.
  int send(Held& s, std::string_view text, int flags = 0, const Endpoint* to = nullptr) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    const SendMessage message{{&piece, 1}, text.size(), flags, to, {}};
    const auto n = in([&](Instant now) { return s->send(message, now); });
    return n.ok() ? static_cast<int>(*n) : -static_cast<int>(n.error());
  }
  // What was read; "" at the end, "errno N" for an error.
  std::string receive(Held& s, std::size_t room = 4096, int flags = MSG_DONTWAIT) {
    std::string text(room, '\0');
    const iovec piece{text.data(), room};
    ReceiveMessage message{{&piece, 1}, room, flags, false, {}, false, 0, {}};
    const auto n = in([&](Instant now) { return s->receive(message, now); });
    last_flags = message.out_flags;
    last_from = message.from;
    if (!n) return "errno " + std::to_string(static_cast<int>(n.error()));
    last_length = *n;
    text.resize(std::min(*n, room));
    return text;
  }
  static std::string errno_text(int error) { return "errno " + std::to_string(error); }

  int set(Held& s, int level, int name, int value) {
    const std::span octets(reinterpret_cast<const std::byte*>(&value), sizeof value);
    return call([&](Instant now) { return s->set_option(level, name, octets, now); });
  }
  // The value, or minus the errno.
  int get(Held& s, int level, int name) {
    int value = 0;
    const std::span room(reinterpret_cast<std::byte*>(&value), sizeof value);
    const auto n = in([&](Instant now) { return s->get_option(level, name, room, now); });
    return n.ok() ? value : -static_cast<int>(n.error());
  }
  int linger(Held& s, int on, int seconds) {
    const ::linger value{on, seconds};
    const std::span octets(reinterpret_cast<const std::byte*>(&value), sizeof value);
    return call([&](Instant now) { return s->set_option(SOL_SOCKET, SO_LINGER, octets, now); });
  }
  void close_with_reset(Held& s) {
    EXPECT_EQ(linger(s, 1, 0), 0);
    s.reset();
  }

  Held listening() {
    Held listener = open();
    EXPECT_EQ(bind(listener, {kLoopback, 0}), 0);
    EXPECT_EQ(listen(listener), 0);
    return listener;
  }
  Pair connected() {
    Held listener = listening();
    Pair pair{open(), nullptr};
    const Endpoint remote = local(listener);
    EXPECT_EQ(connect(pair.client, remote), EINPROGRESS);
    EXPECT_EQ(connect(pair.client, remote), 0);
    pair.server = accept(listener);
    return pair;
  }

  ManualClock clock;
  int last_flags = 0;
  std::size_t last_length = 0;
  Endpoint last_from;

 private:
  static constexpr tcp::Secret kSecret = {
      .isn = {1, 2, 3}, .timestamp = {4, 5, 6}, .demux = {3, 5, 7, 11, 13, 17}};
  tcp::Ports ports_{512, {7, 8, 9}, 1};
  std::unique_ptr<Stack> stack_;
};

}  // namespace pollux::testing_support
