// tcp_pair.h - TcpPair: two Connections on a link that loses, repeats and delays, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "stack/tcp/connection.h"
#include "tests/support/heap_text.h"

namespace pollux::testing_support {

// Octet i of the stream that side `side` writes.
inline std::byte stream_octet(unsigned side, std::uint64_t i) {
  return static_cast<std::byte>((i * 2654435761u + i / 251 + side * 77u) >> 5 & 0xff);
}

struct LinkParams {
  double loss = 0, duplicate = 0, reorder = 0;
  Duration delay = Duration::us(50);
  Duration jitter;
  std::uint32_t largest = 65535;  // octets of an IP packet; what is larger vanishes, a black hole
  bool join_segments = false;  // a long segment arrives whole (as after GRO), else cut by its MSS
};

// What one side does.
struct SideParams {
  tcp::TcpConfig config;
  tcp::UserOptions options;
  std::uint64_t to_write = 0;
  std::uint32_t write_size = 1000, read_size = 65536;
  Duration pause;                     // between two steps of the program; zero: at every event
  bool shuts_before_reading = false;  // half-closes when all is written, then reads to the end
  std::uint32_t gso = 0;
  double low_memory = 0;  // how often received text must be copied
};

// One seed, one run; everything is checked as it happens.
class TcpPair {
 public:
  TcpPair(std::uint64_t seed, const LinkParams& link, const SideParams& a, const SideParams& b)
      : rng_(seed), link_(link) {
    side_[0] = std::make_unique<Side>(a, seed * 2 + 1);
    side_[1] = std::make_unique<Side>(b, seed * 2 + 2);
  }

  // `with_text`: what fits goes with the SYN of each who opens (RFC 7413), without cookies.
  void open(bool both_active = false, bool with_text = false);
  // False: not over within `limit`.
  bool run(Duration limit);

  tcp::Connection& connection(unsigned i) { return *side_[i]->connection; }
  tcp::Shared& shared(unsigned i) { return side_[i]->shared; }
  const Counters& counters(unsigned i) const { return side_[i]->counters; }
  std::uint64_t received(unsigned i) const { return side_[i]->read; }
  std::uint64_t segments() const { return sent_; }

  Instant now = Instant::from_ns(1'000'000'000);

 private:
  struct Side {
    Side(const SideParams& p, std::uint64_t seed)
        : params(p),
          rng(seed),
          shared(params.config, text.memory(), counters, rng, 4),
          connection(std::make_unique<tcp::Connection>(shared)) {
      connection->options() = params.options;
      connection->set_gso_limit(static_cast<std::uint16_t>(params.gso));
    }
    SideParams params;
    HeapText text;
    Counters counters;
    Rng rng;
    tcp::Shared shared;
    std::unique_ptr<tcp::Connection> connection;
    std::uint64_t written = 0, read = 0;
    Instant next_step;
    tcp::SeqNum right_edge;  // the farthest that it has offered
    bool opened = false, has_edge = false, saw_end = false, shut = false, closed = false;
  };
  struct Flying {
    Instant arrives;
    std::uint64_t order;
    unsigned to;
    tcp::Segment seg;  // without text
    std::string octets;
    bool operator<(const Flying& other) const {
      return arrives != other.arrives ? arrives > other.arrives : order > other.order;
    }
  };
  using SeqNum = tcp::SeqNum;

  static FourTuple tuple(unsigned side);
  SeqNum iss() { return SeqNum(static_cast<std::uint32_t>(rng_.next())); }

  bool is_over() const;
  Instant next_event() const;

  void deliver();

  void program(unsigned i);
  void write(unsigned i);
  void write_with_syn(unsigned i);
  void read(unsigned i);

  // What the application saw is checked; so is what a receiver may rely on.
  void check(unsigned i, const tcp::Segment& seg);
  void flush();
  // POLLUX_TRACE=1 prints every segment.
  void trace(unsigned i, const tcp::Segment& seg) const;
  void transmit(unsigned i, tcp::Segment seg);
  void launch(unsigned i, const tcp::Segment& seg, const std::string& octets);
  static std::uint32_t size_of(const tcp::Segment& seg);
  static tcp::Segment copy_of(const tcp::Segment& seg);

  Rng rng_;
  LinkParams link_;
  std::unique_ptr<Side> side_[2];
  std::vector<Flying> flying_;
  std::vector<std::byte> buffer_;
  std::uint64_t order_ = 0, sent_ = 0;
  bool is_both_active_ = false, is_with_text_ = false;
};

}  // namespace pollux::testing_support
