// visits.h - honest clients and their server: connect, ask, be answered, close; and how long it
// took.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "epoll/eventpoll.h"
#include "stack/socket/socket.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_world.h"

namespace pollux::sim {

inline constexpr std::size_t kQuestion = 16;  // octets

// Of these the stack is entered.
Socket& make_stream(Host& host);
// 0 at the end and where there is nothing; no other error is expected.
std::size_t receive_some(Socket& socket, Bytes to, Instant now);
std::size_t send_some(Socket& socket, std::size_t octets, Instant now);
// Octets of memory that the process has touched.
std::uint64_t resident_octets();

// Answers every question with `answer` octets and closes. One listening socket, one set. It enters
// the stack itself, as the others below.
class Desk {
 public:
  Desk(Host& host, std::uint16_t port, std::size_t answer, SimClock& clock);
  ~Desk();
  void act();
  std::uint64_t answered() const { return answered_; }

 private:
  struct Session {
    Socket* socket;
    std::size_t asked = 0;
    std::size_t told = 0;
  };
  void accept_all();
  void serve(std::uint64_t number);
  void watch(Socket& socket, int operation, std::uint32_t events, std::uint64_t number);

  Host& host_;
  SimClock& clock_;
  EventPoll* set_;
  Socket* listener_ = nullptr;
  std::size_t answer_;
  std::uint64_t next_number_ = 1;  // 0 is the listener
  std::unordered_map<std::uint64_t, Session> sessions_;
  std::uint64_t answered_ = 0;
};

// One question at a Desk.
class Visit {
 public:
  Visit(Host& host, const Endpoint& desk, std::size_t answer);
  ~Visit();
  void act();
  bool is_answered() const { return told_ == answer_; }
  // From the call of connect.
  Duration connected_in() const { return connected_in_; }
  Duration took() const { return took_; }  // to the answer's last octet

 private:
  Host& host_;
  Socket* socket_ = nullptr;
  const std::size_t answer_;
  Instant since_;
  std::size_t asked_ = 0;
  std::size_t told_ = 0;
  Duration connected_in_;
  Duration took_;
};

// Visits at a steady pace, until stopped; each is given up when its patience is over.
class Visitors {
 public:
  struct Pace {
    Duration pause;
    Duration patience;
  };
  Visitors(Host& host, const Endpoint& desk, std::size_t answer, const Pace& pace)
      : host_(host), desk_(desk), answer_(answer), pace_(pace) {}
  void start(Instant now) { next_ = now; }
  void stop() { next_ = Instant::never(); }
  Instant next() const { return next_; }
  void act(Instant now);
  bool is_idle() const { return visits_.empty(); }
  std::uint64_t begun() const { return begun_; }
  std::uint64_t answered() const { return times_.size(); }
  // Of those answered.
  Duration quantile(double q) const { return quantile_of(times_, q); }
  Duration connect_quantile(double q) const { return quantile_of(connect_times_, q); }

 private:
  struct Under {
    std::unique_ptr<Visit> visit;
    Instant until;
  };
  static Duration quantile_of(std::vector<Duration> times, double q);

  Host& host_;
  Endpoint desk_;
  std::size_t answer_;
  Pace pace_;
  Instant next_ = Instant::never();
  std::uint64_t begun_ = 0;
  std::vector<Under> visits_;
  std::vector<Duration> times_, connect_times_;
};

}  // namespace pollux::sim
