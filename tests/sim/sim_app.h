// sim_app.h - the applications of the simulation: streams in both directions, driven by epoll.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "epoll/eventpoll.h"
#include "stack/socket/socket.h"
#include "tests/sim/sim_world.h"

namespace pollux::sim {

// What one connection is to do; drawn before the run.
struct StreamPlan {
  std::uint16_t port = 0;
  std::uint64_t to_server = 0;  // octets
  std::uint64_t to_client = 0;
  std::uint32_t chunk = 1448;  // largest write and read
  bool edge = false;           // edge-triggered, else level
  bool slow_reader = false;    // reads only now and then
  bool client_aborts = false;  // closes in the middle
};

// One side of one connection. Owned by its App.
class StreamEnd {
 public:
  StreamEnd(const StreamPlan& plan, bool is_client, Socket* socket)
      : plan_(plan), socket_(socket), is_client_(is_client) {}
  // Does what the socket allows now. The stack is entered.
  void act(Instant now, Rng& rng);
  bool is_finished() const { return finished_; }
  bool wants_attention() const { return attention_ && !finished_; }
  // Empty: right so far.
  const std::string& complaint() const { return complaint_; }
  Socket* socket() { return socket_; }
  std::uint64_t received() const { return received_; }
  const StreamPlan& plan() const { return plan_; }
  void give_up_socket() { socket_ = nullptr; }

 private:
  bool receive(Instant now, Rng& rng);
  bool send(Instant now, Rng& rng);
  void finish_if_done(Instant now);
  void fail(Errno error, const char* call);
  std::uint64_t to_send() const { return is_client_ ? plan_.to_server : plan_.to_client; }
  std::uint64_t to_receive() const { return is_client_ ? plan_.to_client : plan_.to_server; }

  const StreamPlan& plan_;
  Socket* socket_;
  const bool is_client_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool said_all_ = false;
  bool heard_all_ = false;
  bool attention_ = false;  // edge-triggered and not drained, or deliberately slow
  bool finished_ = false;
  std::string complaint_;
};

// The program of one host: one set, listeners or clients.
class App {
 public:
  App(Host& host, Rng& rng, SimClock& clock);
  ~App();
  void listen(const StreamPlan& plan);
  void connect(const StreamPlan& plan, const IpAddress& server);
  // One turn of its loop: epoll_wait with timeout 0, and what follows from it.
  void act();
  bool is_finished() const;
  // Somebody is to be called again without an event, at now + a little.
  bool wants_attention() const;
  std::string complaint() const;
  std::uint64_t received() const;  // octets of all streams

 private:
  struct Listening {
    Socket* socket;
    const StreamPlan* plan;
  };
  void accept_all(const Listening& listening);
  void watch(Socket& socket, const StreamPlan* plan, std::uint64_t data);
  void check_oracle(std::span<const epoll_event> events);
  void release_finished();

  Host& host_;
  Rng& rng_;
  SimClock& clock_;
  EventPoll* set_;
  std::vector<Listening> listening_;
  std::vector<std::unique_ptr<StreamEnd>> ends_;
  std::string complaint_;
};

}  // namespace pollux::sim
