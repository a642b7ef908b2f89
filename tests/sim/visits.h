// visits.h - honest clients and their server: connect, ask, be answered, close; and how long it
// took.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

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

// Answers every question with `answer` octets and closes. One listening socket. It enters the stack
// itself, as the others below.
class Desk {
 public:
  Desk(Host& host, std::uint16_t port, int backlog, std::size_t answer);
  ~Desk();
  void act();
  std::uint64_t answered() const { return answered_; }

 private:
  struct Session {
    Socket* socket;
    std::size_t asked = 0;
    std::size_t told = 0;
    bool is_over = false;
  };
  void serve(Session& session, Instant now);

  Host& host_;
  Socket* listener_ = nullptr;
  std::size_t answer_;
  std::vector<Session> sessions_;
  std::uint64_t answered_ = 0;
};

// One question at a Desk.
class Visit {
 public:
  Visit(Host& host, const Endpoint& desk, std::size_t answer);
  ~Visit();
  void act();
  bool is_answered() const { return told_ == answer_; }
  Duration took() const { return took_; }  // from connect to the answer's last octet

 private:
  Host& host_;
  Socket* socket_ = nullptr;
  const std::size_t answer_;
  Instant since_;
  std::size_t asked_ = 0;
  std::size_t told_ = 0;
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
  Duration quantile(double q) const;  // of the times of those answered

 private:
  struct Under {
    std::unique_ptr<Visit> visit;
    Instant until;
  };
  Host& host_;
  Endpoint desk_;
  std::size_t answer_;
  Pace pace_;
  Instant next_ = Instant::never();
  std::uint64_t begun_ = 0;
  std::vector<Under> visits_;
  std::vector<Duration> times_;
};

}  // namespace pollux::sim
