// runner.h - Runner: a script from its first line to its last, on the stack behind a table.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <optional>
#include <thread>

#include "tests/packetdrill/calls.h"
#include "tests/packetdrill/packets.h"

namespace pollux::packetdrill {

// A call is a thread of its own: some block. The script goes on when every call has ended or is
// asleep. For one script; after a failure threads may be left behind, and the process had better
// end.
class Runner {
 public:
  Runner(packetdrill_interface& table, const Extras* extras)
      : table_(table), extras_(extras), calls_(table, extras) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();
  // Throws Failure.
  void run(const Script& script);
  // Whether the table has all that the script needs.
  bool can_run(const Script& script) const;

 private:
  struct Connection {
    FourTuple tuple;
    bool has_local_port = false;  // of a connect, from its SYN on
    bool has_peer_syn = false;
    bool learns_seq = true;        // from the next SYN that the stack sends
    bool learns_timestamp = true;  // from the next timestamp that it sends
    std::uint32_t peer_syn = 0;
    Bases bases;
  };
  struct Running {
    const Event* event;
    std::thread thread;
    std::atomic<pid_t> tid{0};
    std::atomic<bool> is_done{false};
    std::optional<Failure> failure;
    std::int64_t ended_at = 0, due_end = 0;
  };

  void run_event(const Event& event);
  void arrive(const Event& event, const PacketEvent& packet);
  void expect(const Event& event, const PacketEvent& packet);
  void call(const Event& event, const CallEvent& call);
  void note_connect(const CallEvent& call);
  void finish(Running& running);
  void finish_done();
  void finish_all();
  void settle();
  bool is_settled() const;
  void expect_silence();

  Connection& connection(unsigned number);
  void learn(Connection& connection, const TcpPacket& expected, const SeenPacket& seen);
  SeenPacket receive(std::int64_t& at);
  void compare(const PacketEvent& event, Connection& connection, const SeenPacket& seen);

  std::int64_t now();
  std::int64_t due(const When& when) const;
  void wait_until(std::int64_t usecs);
  void check_time(const When& when, std::int64_t at) const;

  packetdrill_interface& table_;
  const Extras* const extras_;
  Calls calls_;
  std::int64_t tolerance_ = 0;
  std::int64_t start_ = 0;            // on the table's clock; every other time counts from here
  std::int64_t last_ = 0;             // the event before
  std::vector<std::uint8_t> cookie_;  // of Fast Open: the last that the stack has given
  std::map<unsigned, Connection> connections_;
  std::map<std::int64_t, unsigned> connecting_;  // descriptor to connection
  std::list<Running> running_;
};

}  // namespace pollux::packetdrill
