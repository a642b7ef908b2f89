// forged_test.cc - ICMP errors in every situation: forged ones change nothing, true ones end
// nothing that is synchronized. RFC 5927 4.1 and 5.2; RFC 6633.
#include <gtest/gtest.h>

#include <memory>

#include "tests/systematic/bench.h"

namespace pollux::systematic {
namespace {

// What an ICMP error might be after.
struct Standing {
  State state = State::CLOSED;
  std::uint32_t mss = 0, path_mtu = 0, cwnd = 0, ssthresh = 0;
  int error = 0;
  friend bool operator==(const Standing&, const Standing&) = default;
};

struct Message {
  std::uint8_t type = 3, code = 0;
  std::uint16_t mtu = 0;  // of the next hop, in "fragmentation needed"
};

class Forged : public testing_support::PoolEndsFull {
 protected:
  void TearDown() override {
    bench_.reset();
    PoolEndsFull::TearDown();
  }
  Standing standing() const {
    Standing now{.state = bench_->state()};
    const tcp::Connection* connection = bench_->connection();
    if (!connection) return now;
    const tcp::Info info = connection->info(bench_->now());
    now.mss = info.snd_mss;
    now.path_mtu = info.pmtu;
    now.cwnd = info.snd_cwnd;
    now.ssthresh = info.snd_ssthresh;
    now.error = static_cast<int>(connection->pending_error());
    return now;
  }
  // As a router would send it about a segment of ours with that SEQ.
  Octets about(const Message& message, std::uint32_t seq) const {
    Fields quoted;
    quoted.source = kUs;
    quoted.destination = kThem;
    quoted.source_port = bench_->model().our_port;
    quoted.destination_port = bench_->model().their_port;
    quoted.seq = seq;
    const Octets quote = build(quoted);
    Octets icmp = {message.type,
                   message.code,
                   0,
                   0,
                   0,
                   0,
                   static_cast<std::uint8_t>(message.mtu >> 8),
                   static_cast<std::uint8_t>(message.mtu)};
    icmp.insert(icmp.end(), quote.begin(), quote.begin() + 28);
    const auto sum = static_cast<std::uint16_t>(~sum_of(icmp.data(), icmp.size()));
    icmp[2] = static_cast<std::uint8_t>(sum >> 8);
    icmp[3] = static_cast<std::uint8_t>(sum);
    return carry(icmp);
  }
  // True if nothing left.
  bool is_silent() {
    std::string wrong;
    return bench_->flush(wrong).empty();
  }
  static std::vector<Message> all_messages() {
    std::vector<Message> all;
    for (unsigned type = 0; type < 256; ++type) {
      const unsigned codes =
          type == 3 || type == 4 || type == 5 || type == 11 || type == 12 ? 16 : 1;
      for (unsigned code = 0; code < codes; ++code) {
        all.push_back({static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code)});
      }
    }
    for (const int mtu : {1, 68, 552, 576, 1400, 1499, 1500, 65535}) {
      all.push_back({3, 4, static_cast<std::uint16_t>(mtu)});
    }
    return all;
  }
  template <typename Try>
  void everywhere(Try&& attempt) {
    for (const Offer offer : {Offer::mss, Offer::everything}) {
      bench_ = std::make_unique<Bench>(offer);
      for (unsigned i = 0; i < static_cast<unsigned>(Situation::count); ++i) {
        attempt(static_cast<Situation>(i));
      }
    }
  }

  std::unique_ptr<Bench> bench_;

 private:
  static Octets carry(const Octets& icmp) {
    Octets packet = {0x45, 0, 0, static_cast<std::uint8_t>(20 + icmp.size()), 0, 9, 0, 0, 64,
                     1,    0, 0};
    for (const std::uint32_t address : {kThem + 8, kUs}) {
      for (const int shift : {24, 16, 8, 0}) {
        packet.push_back(static_cast<std::uint8_t>(address >> shift));
      }
    }
    const auto sum = static_cast<std::uint16_t>(~sum_of(packet.data(), packet.size()));
    packet[10] = static_cast<std::uint8_t>(sum >> 8);
    packet[11] = static_cast<std::uint8_t>(sum);
    packet.insert(packet.end(), icmp.begin(), icmp.end());
    return packet;
  }
};

// V14, 5927-4.1: of no octet in flight. No abort, no smaller path, no smaller window, no answer.
TEST_F(Forged, v14_an_error_that_quotes_what_is_not_in_flight_changes_nothing) {
  std::uint64_t tried = 0;
  everywhere([&](Situation situation) {
    bench_->enter(situation);
    const Standing before = standing();
    const Model& m = bench_->model();
    for (const std::uint32_t seq :
         {m.una - 1, m.nxt, m.nxt + 1, m.nxt + 1000, m.una - 0x7fffffff, m.rcv_nxt, 0u}) {
      if (m.una != m.nxt && seq - m.una < m.nxt - m.una) continue;
      for (const Message& message : all_messages()) {
        ++tried;
        bench_->inject(about(message, seq));
        ASSERT_TRUE(is_silent()) << name_of(situation);
        ASSERT_EQ(standing(), before)
            << name_of(situation) << " type " << int{message.type} << " code " << int{message.code};
      }
    }
    EXPECT_EQ(bench_->goes_on(), "");
    bench_->leave();
  });
  EXPECT_GT(tried, 50'000u);
}

// 5927-5.2, MUST-55, MUST-56, 5927-6.2: whoever can quote what is in flight ends no synchronized
// connection, and slows none down; only "fragmentation needed" makes the path smaller.
TEST_F(Forged, no_error_ends_what_is_synchronized) {
  everywhere([&](Situation situation) {
    for (const Message& message : all_messages()) {
      bench_->enter(situation);
      const Standing before = standing();
      const Model& m = bench_->model();
      const bool is_synchronized =
          before.state != State::SYN_SENT && before.state != State::SYN_RECEIVED && m.una != m.nxt;
      if (is_synchronized) {
        bench_->inject(about(message, m.una));
        Standing after = standing();
        if (message.type == 3 && message.code == 4) {
          EXPECT_LE(after.cwnd * after.mss, before.cwnd * before.mss);
          after = {after.state, before.mss,      before.path_mtu,
                   before.cwnd, before.ssthresh, after.error};
        }
        EXPECT_EQ(after, before) << name_of(situation) << " type " << int{message.type} << " code "
                                 << int{message.code};
        EXPECT_GE(standing().mss, 48u);
      }
      bench_->leave();
    }
  });
}

}  // namespace
}  // namespace pollux::systematic
