// receive_text.cc - text into the buffers, and the window that we offer.
// RFC 9293 3.8.6.2.2 (silly windows), 3.8.6 (SHLD-14), RFC 5681 4.2, RFC 2018, RFC 2883.
#include <algorithm>

#include "stack/base/check.h"
#include "stack/tcp/connection.h"

namespace pollux::tcp {

void Connection::take_in_order(Segment& seg, Instant now) {
  const auto append = [&](Text one) {
    const bool is_crowded = receive_.true_size() > receive_limit_ / 2;
    receive_.append(std::move(one), shared_.text_memory, shared_.memory_is_low || is_crowded);
  };
  while (!seg.text.empty()) append(seg.text.pop_front());
  rcv_.nxt += seg.text_length;
  rcv_.wnd -= seg.text_length;
  if (reassembly_) {
    ack_.replace_duplicates();
    if (!reassembly_->empty()) ack_.owe_now();  // RFC 5681 4.2: part of a gap is filled
    drain_reassembly();
  }
  const auto unacked = static_cast<std::uint32_t>(rcv_.nxt - rcv_.acked);
  ack_.text_arrived({seg.text_length, unacked, advertised_mss(), seg.ctl.has(PSH)}, shared_.config,
                    now);
  if (fin_taken_ || is_past_low_water(0)) raise(Event::readable);  // 17.1
}

// What waited behind the gap that has just been filled.
void Connection::drain_reassembly() {
  for (;;) {
    Text text = reassembly_->pop_at(receive_.end());
    if (text.empty()) break;
    const std::uint32_t octets = text.size();
    receive_.append(std::move(text), shared_.text_memory, shared_.memory_is_low);
    rcv_.nxt += octets;
    rcv_.wnd -= octets;
  }
  reassembly_->blocks.acknowledge(rcv_.nxt);
  release_reassembly(false);
}

void Connection::release_reassembly(bool whatever) {
  if (!reassembly_ || !(whatever || reassembly_->is_idle())) return;
  shared_.reassemblies.destroy(std::exchange(reassembly_, nullptr));
}

// SHLD-31. Bounded by the receive buffer in true size; what is farthest from its turn goes first.
void Connection::keep_out_of_order(Segment& seg) {
  ack_.owe_duplicate();
  if (!reassembly_) reassembly_ = shared_.reassemblies.create();
  if (!reassembly_) return;
  const SeqNum left = seg.seq;
  const SeqNum right = seg.seq + seg.text_length;
  std::uint64_t position = receive_position(seg.seq);
  while (!seg.text.empty()) {
    Text text = seg.text.pop_front();
    const std::uint32_t octets = text.size();
    const auto known = reassembly_->insert(std::move(text), position);
    if (known.begin != known.end) {
      const SeqNum from = left + static_cast<std::uint32_t>(known.begin - receive_position(left));
      note_duplicate(from, from + static_cast<std::uint32_t>(known.end - known.begin));
    }
    position += octets;
  }
  reassembly_->blocks.add({left, right});
  const std::uint32_t limit = shared_.memory_is_low ? receive_limit_ / 4 : receive_limit_;
  if (reassembly_->true_size() + receive_.true_size() <= limit) return;
  ++shared_.counters.tcp_no_memory;
  raise(Event::readable);  // 17.16
  while (!reassembly_->empty() && reassembly_->true_size() + receive_.true_size() > limit) {
    reassembly_->drop_last();
  }
  reassembly_->blocks.clear();  // what they said is no longer true (RFC 2018 8)
}

// As if the window were closed: the ACK, the RST and the urgent pointer have counted, the text and
// the FIN come again; what was offered stays offered. What waits out of order goes too; RFC 2018 8
// allows it.
void Connection::drop_for_memory(Segment& seg) {
  ++shared_.counters.tcp_no_memory;
  raise(Event::readable);  // 17.16: what the program reads now makes room
  seg.text = TextChain();
  seg.text_length = 0;
  seg.ctl = Control(static_cast<std::uint8_t>(seg.ctl.bits() & ~FIN));
  ack_.owe_now();
  if (!reassembly_) return;
  while (!reassembly_->empty()) reassembly_->drop_last();
  reassembly_->blocks.clear();
  release_reassembly(false);
}

// A FIN before its turn; without memory for it, it comes again.
void Connection::keep_fin(SeqNum seq) {
  if (!reassembly_) reassembly_ = shared_.reassemblies.create();
  ack_.owe_now();
  if (!reassembly_) return;
  reassembly_->fin = seq;
  reassembly_->has_fin = true;
}

// RFC 2883 4: the first block of the next ACK.
void Connection::note_duplicate(SeqNum left, SeqNum right) {
  if (!sack_ok_ || left >= right) return;
  if (!reassembly_) reassembly_ = shared_.reassemblies.create();
  if (reassembly_) reassembly_->to_report = {left, right};
}

// What may lie in the buffer unread: half of its size is left for overhead, as Linux's default.
std::uint32_t Connection::window_space() const {
  std::uint32_t space = receive_limit_ / 2;
  if (options_.window_clamp != 0) space = std::min(space, options_.window_clamp);
  if (shared_.memory_is_low) space = std::min<std::uint32_t>(space, 8u * advertised_mss());
  if (shared_.memory_is_scarce) space = std::min<std::uint32_t>(space, advertised_mss());
  if (shared_.memory_is_exhausted) space = 0;
  return space > receive_.octets() ? space - receive_.octets() : 0;
}

// SEG.WND of the segment being made. The right edge never goes back (SHLD-14), also not by the
// rounding of the scale; it goes forward by a worthwhile step only (MUST-39), and not in TIME-WAIT,
// whose block answers with the window that it took over.
std::uint16_t Connection::window_field() {
  const bool in_syn = in(State::SYN_SENT | State::SYN_RECEIVED) && snd_.nxt == iss_;
  const unsigned scale = in_syn ? 0 : rcv_scale_;
  const std::uint32_t space = std::min(window_space(), 65535u << scale);
  const std::uint32_t step = std::min<std::uint32_t>(receive_limit_ / 4, advertised_mss());
  // Before the handshake of Fast Open ends: a SYN,ACK sent again could not say as much.
  const bool is_fixed = in(State::TIME_WAIT) || (in(State::SYN_RECEIVED) && !is_opening());
  const bool may_grow = space >= rcv_.wnd + step && !is_fixed;
  const std::uint32_t offer = may_grow ? space : rcv_.wnd;
  std::uint32_t field = offer >> scale;
  if (field << scale < rcv_.wnd) ++field;
  field = std::min(field, 65535u);
  rcv_.wnd = std::max(field << scale, rcv_.wnd);
  return static_cast<std::uint16_t>(field);
}

// The program has read. A window that has at least doubled, by a worthwhile step, is worth a
// segment.
void Connection::update_window_after_read() {
  if (!in(State::ESTABLISHED | State::FIN_WAIT_1 | State::FIN_WAIT_2)) return;
  const std::uint32_t space = window_space();
  const std::uint32_t step = std::min<std::uint32_t>(receive_limit_ / 4, advertised_mss());
  if (space < rcv_.wnd + step || space < 2 * rcv_.wnd) return;
  ack_.owe_now();
  pend();
}

// What the program reads in a round trip is what the peer could send in one: twice that keeps it
// going while it doubles its rate. Linux: tcp_rcv_space_adjust().
void Connection::tune_receive_buffer(Instant now) {
  if (options_.receive_buffer != 0) return;
  const auto now_us = static_cast<std::uint32_t>(now.to_ns() / 1000);
  const std::int64_t round_trip = rtt_.has_sample() ? rtt_.srtt().to_us() : 100'000;
  if (now_us - tuned_us_ < std::max<std::int64_t>(round_trip, 100)) return;
  const auto position = static_cast<std::uint32_t>(receive_.begin());
  const std::uint32_t read = position - tuned_position_;
  tuned_us_ = now_us;
  tuned_position_ = position;
  if (shared_.memory_is_low || read > (1u << 29)) return;
  const std::uint32_t wanted = std::min(4 * read, shared_.config.receive_buffer_max);
  receive_limit_ = std::max(receive_limit_, wanted);
}

}  // namespace pollux::tcp
