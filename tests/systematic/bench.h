// bench.h - Bench: one TCP with its IP input, brought into a situation and given one packet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stack/ip/icmp.h"
#include "stack/ip/reassembly.h"
#include "stack/ip/routes.h"
#include "tests/support/tcp_hosts.h"
#include "tests/systematic/model.h"

namespace pollux::systematic {

// The states of RFC 9293 3.3.2, some in several forms. Wherever the state allows it, text of ours
// is in flight, so that SND.UNA < SND.NXT.
enum class Situation : std::uint8_t {
  closed,
  listen,
  syn_sent,
  syn_received,         // from LISTEN
  syn_received_active,  // both opened at once
  established,
  established_hole,  // a text out of order is held
  established_full,  // the window is closed
  fin_wait_1,
  fin_wait_1_closed,  // the program has let go; in the others it only says no more
  fin_wait_2,
  fin_wait_2_closed,
  close_wait,
  closing,
  last_ack,
  time_wait,
  count
};
const char* name_of(Situation situation);

// What the peer's SYN offers: an MSS only, or timestamps, SACK and a window scale too.
enum class Offer : std::uint8_t { mss, everything };

// Counts what was tried; every case has a connection of its own.
class Bench {
 public:
  explicit Bench(Offer offer);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void enter(Situation situation);
  // What the peer would send next in this situation, if nothing is wrong with it.
  Fields valid() const;
  // The packet arrives; what differs from what the model says, or "". The model has moved on.
  std::string arrives(const Octets& packet);
  // Texts in order still arrive as they should.
  std::string goes_on();
  void leave();
  // What leaves when the program writes so much, before anything is acknowledged.
  std::vector<Heard> writes(std::uint32_t octets);

  const Model& model() const { return model_; }
  State state() const;
  tcp::Connection* connection() const { return host_->tcp.find_connection(tuple()); }
  // Everything that the endpoint has to say now, checked for what holds of every segment.
  std::vector<Heard> flush(std::string& wrong);
  void inject(const Octets& packet);
  void pass(Duration time) { now_ = now_ + time; }
  Instant now() const { return now_; }
  Octets timestamps(std::uint32_t value) const;

 private:
  FourTuple tuple() const;
  void hear_error(const icmp::Error& error);
  void hear(const Fields& fields);  // a step on the way to a situation: must go as the model says
  void enter_later(Situation situation);
  void open_passive();
  void open_active();
  void program_sends(std::uint32_t octets);
  void program_shuts(bool lets_go);
  void peer_finishes();
  Fields segment(std::uint8_t flags) const;
  std::string check_answers(const Verdict& verdict, const std::vector<Heard>& said) const;
  void check_segment(const Heard& said, bool is_ours, std::string& wrong) const;
  std::string check_text();

  Offer offer_;
  tcp::TcpConfig config_;
  std::unique_ptr<testing_support::TcpHost> host_;
  Routes routes_;
  Rng rng_{1};
  Reassembly reassembly_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  Model model_;
  tcp::Listener* listener_ = nullptr;
  tcp::PortUse* port_ = nullptr;
  tcp::Connection* held_ = nullptr;  // the program's
  std::uint16_t next_port_ = 1024;
  bool reads_ = true;  // the program, whatever there is
};

}  // namespace pollux::systematic
