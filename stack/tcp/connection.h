// connection.h - Connection: RFC 9293's state machine without input or output.
// RFC 9293 3.10. Six calls in, two events in, three questions out. Read segment_arrives.cc next.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/base/result.h"
#include "stack/base/timer_wheel.h"
#include "stack/tcp/control_block.h"
#include "stack/tcp/events.h"
#include "stack/tcp/info.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/shared.h"
#include "stack/tcp/state.h"
#include "stack/tcp/tcp_links.h"

namespace pollux::tcp {

// Created and destroyed by Tcp, in a slab; never moves. Calls nobody: what it has to say is in
// next_segment, next_timeout and take_events. When it may have a segment to give it links itself to
// shared.output_pending; who takes it out pulls next_segment until that is empty. Once aborted it
// is CLOSED and may still owe the RST; one in TIME-WAIT may still owe the ACK of the peer's FIN:
// is_linked() until that is pulled. At CLOSED texts to send are gone, those received stay.
class Connection : public PendingHook, private ControlBlock {
 public:
  explicit Connection(Shared& shared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // --- user calls, RFC 9293 3.10.1 to 3.10.6. None blocks, none transmits.
  // `mtu`: of the path, octets of an IP packet. options() are set before.
  void open_active(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu, Instant now);
  void open_passive(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu, const Segment& syn,
                    Instant now);
  // Fast Open (RFC 7413). After open_active: true: the SYN carries what send() is given first, and
  // waits for that; seal_syn() then says that this is all. False: it leaves without text, and asks
  // for a cookie unless the server lately refused one.
  bool defer_syn(bool needs_no_cookie, Instant now);
  bool is_syn_deferred() const;
  void seal_syn();
  // After open_passive. False: no memory.
  bool offer_cookie(const FastOpenCookie& cookie, bool is_experimental);
  bool open_fast(Segment& syn, Instant now);  // takes its text; may send and receive from now on
  // After open_passive, for SYN cookies: the SYN,ACK, taken as sent a while ago: nothing is timed.
  Segment answer_syn(Instant now);
  void set_timestamp_offset(std::uint32_t offset) { ts_offset_ = offset; }  // before open_*
  Result<std::size_t> send(ConstBytes from, const SendFlags& flags, Instant now);
  Result<std::size_t> receive(Bytes to, const ReceiveFlags& flags, Instant now);
  void shutdown_send(Instant now);  // FIN after what is queued
  void shutdown_receive(Instant now);
  void close(Instant now);  // the program lets go; unread text makes it a RST (SHLD-3)
  void abort(Instant now);  // RST
  void lose_network();      // its device is gone: ENETDOWN to every call
  State status() const { return state_; }

  // --- events, 3.10.7 and 3.10.8
  void segment_arrives(Segment&& seg, Instant now);
  void timeout(Instant now);
  // RFC 5927 4.1: ignored unless `quoted_seq` is in flight. `hard`: as RFC 1122 4.2.3.9 sorts them.
  void icmp_error(Errno error, bool hard, SeqNum quoted_seq, Instant now);
  void path_mtu(std::uint16_t mtu, SeqNum quoted_seq, Instant now);
  // Others' estimate for the destination, if it is more than path_mtu().
  void path_may_take(std::uint16_t mtu, Instant now);

  // --- what the caller must do next
  std::optional<Segment> next_segment(Instant now);  // pull until empty
  bool has_said_all() const;     // true: the next one is empty; false says nothing
  Instant next_timeout() const;  // earliest of all timers, never() if none
  bool is_at_r1() const { return retries_ == shared_.config.retries1; }  // as often retransmitted
  EventSet take_events() { return std::exchange(events_, EventSet()); }
  // The octets seq .. seq + length of a segment that next_segment gave, by reference. Returns how
  // many pieces, at most out.size(); 2 + length / (octets of a chunk) suffice.
  unsigned text(SeqNum seq, std::uint32_t length, std::span<TextPiece> out);
  // How much text a segment may carry beyond one MSS, for the device to cut. 0: none.
  void set_gso_limit(std::uint16_t octets) { gso_limit_ = octets; }

  // --- questions
  static std::uint16_t default_mss(const FourTuple& tuple) {  // MUST-15, until a SYN says more
    return tuple.remote.address.is_v4() ? 536 : 1220;
  }
  bool is_pending() const { return PendingHook::is_linked(); }  // in shared.output_pending
  const FourTuple& tuple() const { return tuple_; }
  UserOptions& options() { return options_; }
  const UserOptions& options() const { return options_; }
  void options_changed(Instant now);
  void receive_low_water_changed();
  bool is_receive_shutdown() const { return receive_shutdown_; }
  bool is_send_shutdown() const { return send_shutdown_; }
  bool is_readable() const;                                     // epoll-behaviours 16.41 to 16.45
  bool is_writable() const;                                     // 16.50 to 16.54
  void note_no_space() { no_space_ = true; }                    // 16.55
  bool has_urgent() const { return urgent_ == Urgent::valid; }  // 16.60
  bool is_at_mark() const;                                      // SIOCATMARK
  std::uint32_t readable_octets() const;                        // FIONREAD
  std::uint32_t unsent_octets() const;                          // SIOCOUTQNSD
  std::uint32_t unacked_octets() const;                         // SIOCOUTQ
  std::uint32_t send_buffer_size() const { return send_limit_; }
  std::uint32_t receive_buffer_size() const { return receive_limit_; }
  std::uint16_t send_mss() const { return snd_mss_; }  // TCP_MAXSEG
  std::uint16_t path_mtu() const;
  Errno pending_error() const { return static_cast<Errno>(error_); }  // 0: none
  Errno take_error();                                                 // network_down stays
  void replace_error(Errno error) { error_ = static_cast<std::uint8_t>(error); }
  Errno take_any_error();  // if there is no other, what ICMP has said since the last ACK
  Info info(Instant now) const;

  bool is_opening() const;  // in a handshake that carries no text

  // --- what a TIME-WAIT block takes over
  const SendSequence& snd() const { return snd_; }
  const ReceiveSequence& rcv() const { return rcv_; }
  bool has_timestamps() const { return timestamps_ok_; }
  std::uint32_t ts_recent() const { return ts_recent_; }
  std::uint32_t ts_offset() const { return ts_offset_; }
  std::uint8_t receive_scale() const { return rcv_scale_; }

  Timer timer;           // in Tcp's wheel, for next_timeout
  void* user = nullptr;  // the socket; opaque here
  TcpLinks links;        // Tcp's bookkeeping

 private:
  bool in(StateSet states) const { return states.has(state_); }
  void pend() {
    if (PendingHook::is_linked()) return;
    shared_.output_pending.push_back(*this);
    ++shared_.pended;
  }
  void raise(EventSet events) { events_.add(events); }
  void enter(State state);  // CLOSED drops what only a living connection needs
  void fail(Errno error);   // CLOSED, with the error pending
  void disconnect();        // CLOSED before it was open (Linux: tcp_disconnect)
  void owe_reset(SeqNum seq, bool with_ack);
  SeqNum reset_seq() const;  // also of a bare ACK: what the peer will accept
  bool invariants_hold() const;
  // connection.cc: opening, sizes
  void open(const FourTuple& tuple, SeqNum iss, std::uint16_t mtu, Instant now);
  void take_syn_options(const Segment& syn, Instant now);
  bool asks_for_ecn() const { return shared_.config.ecn == kEcnAsk && !syn_lost_; }
  void update_mss();
  std::uint16_t advertised_mss() const;
  void set_path_mtu(std::uint16_t mtu);
  SeqNum text_end() const { return iss_ + 1 + static_cast<std::uint32_t>(send_.end()); }
  SeqNum sent_end() const { return text_end() < snd_.max ? text_end() : snd_.max; }  // of text
  SeqNum unread_seq() const { return irs_ + 1 + static_cast<std::uint32_t>(receive_.begin()); }
  std::uint64_t receive_position(SeqNum seq) const;  // of an octet near RCV.NXT
  std::uint32_t timestamp(Instant now) const { return milliseconds(now) + ts_offset_; }
  // user_calls.cc
  Result<std::size_t> receive_urgent(Bytes to, const ReceiveFlags& flags);
  std::size_t read_stream(Bytes to, const ReceiveFlags& flags);
  bool is_past_low_water(std::uint32_t more) const;
  Errno send_error();
  void queue_fin(Instant now);

  // segment_arrives.cc: RFC 9293 3.10.7.4, in its order
  bool predict_header(Segment& seg, Instant now);
  bool check_timestamp(const Segment& seg, Instant now);
  bool check_sequence_number(Segment& seg, Instant now);
  bool check_rst(const Segment& seg, Instant now);
  bool check_syn(const Segment& seg, Instant now);
  bool check_ack(const Segment& seg, Instant now);
  void process_urg(const Segment& seg);
  void process_text(Segment& seg, Instant now);
  void process_fin(const Segment& seg, Instant now);
  void trim(Segment& seg);
  void refuse(const Segment& seg, Instant now);
  void challenge_ack(Instant now);
  void note_timestamp(const Segment& seg, Instant now);
  void note_marks(const Segment& seg);
  // segment_arrives_syn.cc: 3.10.7.3 and the SYN-RECEIVED parts
  void segment_arrives_syn_sent(const Segment& seg, Instant now);
  void strip_repeated_syn(Segment& seg);
  void establish(const Segment& seg, Instant now);
  // fast_open_handshake.cc
  void release_fast_open();
  Result<std::size_t> send_with_syn(ConstBytes from);
  void put_fast_open(Segment& seg);
  void note_fast_open_answer(const Segment& seg, Instant now);
  // receive_text.cc
  void take_in_order(Segment& seg, Instant now);
  void keep_out_of_order(Segment& seg);
  void drop_for_memory(Segment& seg);
  void drain_reassembly();
  void release_reassembly(bool whatever);
  void keep_fin(SeqNum seq);
  void note_duplicate(SeqNum left, SeqNum right);
  std::uint32_t window_space() const;
  std::uint16_t window_field();
  void update_window_after_read();
  void tune_receive_buffer(Instant now);
  // acknowledge.cc
  void acknowledge(const Segment& seg, Instant now);
  void sample_rtt(const Segment& seg, Instant now);
  void update_congestion(std::uint32_t acked);
  std::uint32_t note_sack(const Segment& seg);
  void note_duplicate_ack(const Segment& seg, std::uint32_t sacked, bool window_moved);
  void enter_recovery();
  void note_echo();
  bool update_send_window(const Segment& seg, bool is_new, Instant now);
  bool fin_acknowledged(Instant now);
  void release_scoreboard();
  std::uint32_t pipe() const;
  std::uint32_t congestion_room() const;
  // timeouts.cc
  void retransmission_timeout(Instant now);
  void syn_timeout(Instant now);
  void persist_timeout(Instant now);
  void idle_timeout(Instant now);
  bool is_given_up(Instant now) const;
  Duration wait_while_stalled(Instant now) const;
  void arm_retransmission(Instant now);
  void arm_persist(Instant now);
  bool waits_for_memory() const;
  void memory_timeout(Instant now);
  void arm_keepalive(Instant now);
  void arm_fin_wait_2(Instant now);
  // mtu_probe.cc
  MtuProbe* mtu_probe() const;
  MtuProbe* make_mtu_probe();
  std::uint16_t overhead() const, packet_size() const, largest_packet() const;
  void lower_path_mtu(std::uint16_t mtu, SeqNum from, Instant now);
  bool probe_refused(std::uint16_t mtu, SeqNum quoted_seq, Instant now);
  bool may_probe() const, believe_router(Instant now), is_probe_missing();
  void search_path_mtu(std::uint16_t lost), suspect_black_hole(), lose_probe();
  void note_path(Instant now), release_mtu_probe();
  std::uint32_t probe_length(std::uint32_t unsent, std::uint32_t window) const;
  bool make_probe(Segment& seg, std::uint32_t length, Instant now);
  bool next_resend(Segment& seg, Instant now);
  // output.cc: each fills `seg`, as constructed; false: there is none
  bool next_segment(Segment& seg, Instant now);
  bool next_retransmission(Segment& seg, Instant now);
  bool next_text(Segment& seg, Instant now);
  bool next_probe(Segment& seg, Instant now);
  std::uint32_t sendable(std::uint32_t unsent, std::uint32_t window);
  bool may_send_partial(std::uint32_t length, std::uint32_t unsent) const;
  void mark_capable(Segment& seg);
  void make(Segment& seg, Control control, SeqNum seq, Instant now);
  bool make_syn(Segment& seg, Instant now);
  bool make_text(Segment& seg, const TextRange& range, Instant now);
  bool retransmit(Segment& seg, SeqNum seq, Instant now);
  bool make_reset(Segment& seg, Instant now);
  bool make_ack(Segment& seg, SeqNum seq, Instant now);
  void put_sack(Segment& seg, std::uint32_t room);
};
static_assert(sizeof(Connection) <= 512);
}  // namespace pollux::tcp
