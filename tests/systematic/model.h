// model.h - Model: what RFC 9293, 5961 and 7323 say of one segment in one state; none of our code.
// RFC 9293 3.10.7. It keeps nothing but what can be seen on the wire and by the program.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "stack/tcp/state.h"
#include "tests/systematic/heard.h"

namespace pollux::systematic {

using tcp::State;

enum class Answer : std::uint8_t {
  nothing,
  may_ack,    // an ACK now, later (SHLD-18), or none
  ack,        // one
  syn_ack,    // our SYN with the ACK of the peer's
  reset,      // without ACK: at the number that the segment acknowledged
  reset_ack,  // with ACK
};

struct Verdict {
  Answer answer = Answer::nothing;
  std::uint32_t seq = 0;  // of the answer; not for syn_ack
  std::uint32_t ack = 0;  // of an answer with ACK
};

// One endpoint as its peer and its program know it. `arrives` judges and remembers; what the
// endpoint says for itself (its ISS, the window it offers) is told with `says`.
class Model {
 public:
  Verdict arrives(const Octets& packet);
  void says(const Heard& segment);
  // The program asks for the end of what it sends, or lets go of the connection.
  void program_closes(bool lets_go);
  void program_sends(std::uint32_t octets) { nxt += octets; }

  bool may_receive() const {
    const bool takes_text =
        state == State::ESTABLISHED || state == State::FIN_WAIT_1 || state == State::FIN_WAIT_2;
    return takes_text && !is_orphan;
  }
  std::uint32_t window() const { return right - rcv_nxt; }
  // The connection is over: no socket, no block.
  void ends() { state = is_listening ? State::LISTEN : State::CLOSED; }

  State state = State::CLOSED;
  bool is_listening = false;  // at our_port
  std::uint16_t our_port = kOurPort, their_port = 0;
  bool is_orphan = false;    // its program has let go
  bool is_finished = false;  // our FIN is sent; its number is nxt - 1
  bool has_timestamps = false, has_sack = false;
  std::uint32_t iss = 0, una = 0, nxt = 0, wl1 = 0, wnd = 0, max_wnd = 0;
  std::uint32_t irs = 0, rcv_nxt = 0, right = 0, last_ack_sent = 0;
  std::uint32_t ts_recent = 0;
  unsigned their_scale = 0, our_scale = 0;
  Octets unread;                                       // in order, not read by the program
  std::vector<std::pair<std::uint32_t, Octets>> held;  // texts out of order, by their numbers
  std::optional<std::uint32_t> held_fin;

 private:
  Verdict stranger(const Heard& heard) const;
  Verdict closed(const Heard& heard) const;
  Verdict listen(const Heard& heard);
  Verdict syn_sent(const Heard& heard);
  Verdict time_wait(const Heard& heard);
  Verdict synchronized(Heard heard);
  Verdict check_sequence(const Heard& heard);
  Verdict check_rst(const Heard& heard);
  Verdict accepted(const Heard& heard);
  bool check_ack(const Heard& heard, Verdict& verdict);
  Verdict text_and_fin(const Heard& heard, Verdict verdict);
  void take(std::uint32_t begin, Octets text, Verdict& verdict);
  void take_fin();
  Verdict open_from(const Heard& syn);
  Verdict ack_now() const;
  std::uint32_t acceptable_seq() const;
  bool is_acceptable(const Heard& heard) const;
  bool is_too_old(const Heard& heard) const;
};

}  // namespace pollux::systematic
