// tcp_pair.cc - the simulation loop, the two programs, the link, and what is checked meanwhile.
#include "tests/support/tcp_pair.h"

#include <cstdio>
#include <cstdlib>

namespace pollux::testing_support {

using tcp::SeqNum;
using tcp::State;

void TcpPair::open(bool both_active, bool with_text) {
  is_both_active_ = both_active;
  is_with_text_ = with_text;
  side_[0]->connection->open_active(tuple(0), iss(), 1500, now);
  if (both_active) side_[1]->connection->open_active(tuple(1), iss(), 1500, now);
  side_[1]->opened = both_active;
  side_[0]->opened = true;
  if (with_text) write_with_syn(0);
  if (with_text && both_active) write_with_syn(1);
  flush();
}

void TcpPair::write_with_syn(unsigned i) {
  tcp::Connection& connection = *side_[i]->connection;
  EXPECT_TRUE(connection.defer_syn(true, now));
  EXPECT_TRUE(connection.send({}, {}, now).ok());  // it leaves, whatever there is to write
  write(i);
  connection.seal_syn();
}

bool TcpPair::run(Duration limit) {
  const Instant end = now + limit;
  while (!is_over()) {
    const Instant next = next_event();
    if (next.is_never() || next > end || testing::Test::HasFailure()) return false;
    now = std::max(now, next);
    deliver();
    for (auto& side : side_) {
      if (side->opened && side->connection->next_timeout() <= now) side->connection->timeout(now);
    }
    for (unsigned i = 0; i < 2; ++i) program(i);
    flush();
  }
  return true;
}

// The IP packet's; of options only those that stand beside text.
std::uint32_t TcpPair::size_of(const tcp::Segment& seg) {
  const std::uint32_t timestamps = seg.options.has_timestamps ? 12 : 0;
  const std::uint32_t sack = seg.options.sack_count != 0 ? 4 + 8u * seg.options.sack_count : 0;
  return 40 + timestamps + sack + seg.text_length;
}

FourTuple TcpPair::tuple(unsigned side) {
  const Endpoint a{IpAddress::v4(198, 18, 0, 1), 1000};
  const Endpoint b{IpAddress::v4(198, 18, 0, 2), 2000};
  return side == 0 ? FourTuple{a, b} : FourTuple{b, a};
}

bool TcpPair::is_over() const {
  return std::all_of(std::begin(side_), std::end(side_), [](const auto& side) {
    const State state = side->connection->status();
    return side->opened && side->closed && (state == State::CLOSED || state == State::TIME_WAIT);
  });
}

Instant TcpPair::next_event() const {
  Instant next = flying_.empty() ? Instant::never() : flying_.front().arrives;
  for (const auto& side : side_) {
    if (!side->opened) continue;
    next = earlier(next, side->connection->next_timeout());
    if (!side->closed && side->next_step > now) next = earlier(next, side->next_step);
  }
  return next;
}

void TcpPair::deliver() {
  while (!flying_.empty() && flying_.front().arrives <= now) {
    std::pop_heap(flying_.begin(), flying_.end());
    Flying f = std::move(flying_.back());
    flying_.pop_back();
    Side& side = *side_[f.to];
    const std::size_t piece = 1 + rng_.below(HeapText::kChunk);
    side.shared.memory_is_low = rng_.chance(side.params.low_memory);
    f.seg.text = side.text.chain(std::as_bytes(std::span(f.octets)), piece);
    if (side.opened) {
      side.connection->segment_arrives(std::move(f.seg), now);
    } else if (f.seg.ctl.has(tcp::SYN) && !f.seg.ctl.has(tcp::ACK)) {
      side.opened = true;
      side.connection->open_passive(tuple(f.to), iss(), 1500, f.seg, now);
      if (is_with_text_) {
        EXPECT_TRUE(side.connection->open_fast(f.seg, now));
      }
    }
    side.shared.memory_is_low = false;
  }
}

void TcpPair::program(unsigned i) {
  Side& side = *side_[i];
  if (!side.opened || side.closed || now < side.next_step) return;
  const std::uint64_t before = side.written + side.read;
  write(i);
  if (!side.params.shuts_before_reading || side.shut) read(i);
  const bool all_written = side.written == side.params.to_write;
  if (all_written && !side.shut && side.connection->status() != State::SYN_SENT) {
    side.shut = true;
    side.connection->shutdown_send(now);
  }
  if (side.shut && side.saw_end) {
    side.closed = true;
    side.connection->close(now);
  }
  // A program that could do nothing waits for the next event.
  if (side.written + side.read != before) side.next_step = now + side.params.pause;
}

void TcpPair::write(unsigned i) {
  Side& side = *side_[i];
  std::byte block[4096];
  while (side.written < side.params.to_write) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(
        {side.params.write_size, sizeof block, side.params.to_write - side.written}));
    for (std::size_t k = 0; k < n; ++k) block[k] = stream_octet(i, side.written + k);
    const auto done = side.connection->send(ConstBytes(block, n), {}, now);
    if (!done.ok()) {
      EXPECT_EQ(done.error(), Errno::again);
      return;
    }
    side.written += *done;
    if (side.params.pause > Duration()) return;
  }
}

void TcpPair::read(unsigned i) {
  Side& side = *side_[i];
  buffer_.resize(std::max<std::size_t>(buffer_.size(), side.params.read_size));
  const Bytes block = Bytes(buffer_).first(side.params.read_size);
  while (!side.saw_end) {
    const auto done = side.connection->receive(block, {}, now);
    if (!done.ok()) {
      EXPECT_EQ(done.error(), Errno::again);
      return;
    }
    side.saw_end = *done == 0;
    for (std::size_t k = 0; k < *done; ++k) {
      if (block[k] != stream_octet(1 - i, side.read + k)) {
        ADD_FAILURE() << "octet " << side.read + k << " of side " << 1 - i << " is wrong";
        return;
      }
    }
    side.read += *done;
    if (side.params.pause > Duration()) return;
  }
  EXPECT_EQ(side.read, side_[1 - i]->params.to_write);
}

void TcpPair::check(unsigned i, const tcp::Segment& seg) {
  Side& side = *side_[i];
  Side& other = *side_[1 - i];
  if (seg.ctl.has(tcp::RST)) {
    ADD_FAILURE() << "a RST";
    return;
  }
  if (seg.text_length > 1 && other.has_edge) {  // one octet may be a window probe
    EXPECT_LE(seg.seq + seg.text_length - other.right_edge, 0) << "beyond the window";
  }
  if (!seg.ctl.has(tcp::ACK)) return;
  const bool scales = !seg.ctl.has(tcp::SYN);
  const std::uint32_t wnd = seg.wnd << (scales ? side.connection->receive_scale() : 0);
  const SeqNum edge = seg.ack + wnd;
  if (side.has_edge) {
    EXPECT_GE(edge - side.right_edge, 0) << "SHLD-14: the window shrank";
  }
  side.right_edge = edge;
  side.has_edge = true;
}

void TcpPair::flush() {
  for (unsigned i = 0; i < 2; ++i) {
    Side& side = *side_[i];
    if (!side.opened || !side.connection->is_linked()) continue;
    side.shared.output_pending.clear();
    while (auto seg = side.connection->next_segment(now)) {
      trace(i, *seg);
      check(i, *seg);
      transmit(i, std::move(*seg));
      if (testing::Test::HasFailure()) return;
    }
  }
}

void TcpPair::trace(unsigned i, const tcp::Segment& seg) const {
  if (!std::getenv("POLLUX_TRACE")) return;
  std::printf("%.6f %u> ctl %02x seq %u ack %u wnd %u len %u sack %u\n",
              static_cast<double>(now.to_ns()) / 1e9, i, seg.ctl.bits(), seg.seq.value(),
              seg.ack.value(), seg.wnd, seg.text_length, seg.options.sack_count);
}

void TcpPair::transmit(unsigned i, tcp::Segment seg) {
  std::string octets;
  if (seg.text_length != 0) {
    tcp::TextPiece piece[128];
    const SeqNum first = seg.seq + (seg.ctl.has(tcp::SYN) ? 1u : 0u);
    const unsigned n = side_[i]->connection->text(first, seg.text_length, piece);
    for (unsigned k = 0; k < n; ++k) {
      octets.append(reinterpret_cast<char*>(piece[k].node->data) + piece[k].offset, piece[k].size);
    }
    ASSERT_EQ(octets.size(), seg.text_length);
  }
  if (seg.gso_size == 0 || link_.join_segments) return launch(i, seg, octets);
  const tcp::Control last = seg.ctl;
  for (std::size_t at = 0; at < octets.size(); at += seg.gso_size) {
    const std::string part = octets.substr(at, seg.gso_size);
    tcp::Segment cut;
    cut.seq = seg.seq + static_cast<std::uint32_t>(at);
    cut.ack = seg.ack;
    cut.wnd = seg.wnd;
    cut.ctl = at + part.size() == octets.size() ? last : tcp::Control(tcp::ACK);
    cut.options = seg.options;
    cut.text_length = static_cast<std::uint32_t>(part.size());
    launch(i, cut, part);
  }
}

void TcpPair::launch(unsigned i, const tcp::Segment& seg, const std::string& octets) {
  ++sent_;
  if (size_of(seg) > link_.largest || rng_.chance(link_.loss)) return;
  const int copies = rng_.chance(link_.duplicate) ? 2 : 1;
  for (int c = 0; c < copies; ++c) {
    Instant at = now + link_.delay;
    const auto jitter = static_cast<std::uint64_t>(link_.jitter.to_ns());
    if (jitter != 0 && rng_.chance(link_.reorder)) {
      at = at + Duration::ns(static_cast<std::int64_t>(rng_.below(jitter)));
    }
    flying_.push_back({at, ++order_, 1 - i, copy_of(seg), octets});
    std::push_heap(flying_.begin(), flying_.end());
  }
}

tcp::Segment TcpPair::copy_of(const tcp::Segment& seg) {
  tcp::Segment copy;
  copy.seq = seg.seq;
  copy.ack = seg.ack;
  copy.wnd = seg.wnd;
  copy.up = seg.up;
  copy.ctl = seg.ctl;
  copy.options = seg.options;
  copy.text_length = seg.text_length;
  return copy;
}

}  // namespace pollux::testing_support
