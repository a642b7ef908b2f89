// blind_test.cc - V13's matrix: what who guesses a number achieves, written down by hand.
// RFC 9293 3.10.7, RFC 5961 3 to 5.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "tests/systematic/bench.h"

namespace pollux::systematic {
namespace {

// Columns: the segment's SEQ. In a state without a window only NXT has a meaning, and all rows of
// such a state are alike.
constexpr std::array kColumns = {"NXT-1", "NXT", "NXT+1", "middle", "right-1", "right", "right+1"};

// Rows: what comes. RST and SYN come alone, RST+ACK and the text (10 octets) with ACK=SND.UNA, in
// SYN-SENT and SYN-RECEIVED with ACK=SND.NXT, as a blind attacker cannot know.
constexpr std::array<std::uint8_t, 4> kRows = {kRst, kSyn, kRst | kAck, kPsh | kAck};

// . silence          A an ACK with our SND.NXT and RCV.NXT    S our SYN,ACK    R a RST
// X it is over, silently     D the text is taken, now        E an ACK, and it is established
struct Expected {
  Situation situation;
  std::array<const char*, 4> rows;  // of kRows
};
constexpr std::array kExpected = {
    Expected{Situation::closed, {".......", "RRRRRRR", ".......", "RRRRRRR"}},
    Expected{Situation::listen, {".......", "SSSSSSS", ".......", "RRRRRRR"}},
    Expected{Situation::syn_sent, {".......", "SSSSSSS", "XXXXXXX", "......."}},
    Expected{Situation::syn_received, {".XAAA..", "SAAAAAA", ".XAAA..", "DDEEEAA"}},
    Expected{Situation::established, {".XAAA..", "AAAAAAA", ".XAAA..", "DDAAAAA"}},
    Expected{Situation::fin_wait_1, {".XAAA..", "AAAAAAA", ".XAAA..", "DDAAAAA"}},
    Expected{Situation::fin_wait_2, {".XAAA..", "AAAAAAA", ".XAAA..", "DDAAAAA"}},
    Expected{Situation::close_wait, {".XAAA..", "AAAAAAA", ".XAAA..", "A...AAA"}},
    Expected{Situation::closing, {".XAAA..", "AAAAAAA", ".XAAA..", "A...AAA"}},
    Expected{Situation::last_ack, {".XAAA..", "AAAAAAA", ".XAAA..", "A...AAA"}},
    Expected{Situation::time_wait, {".......", "AASSSSS", ".......", "AAAAAAA"}},
};

class Blind : public testing_support::PoolEndsFull {
 protected:
  void TearDown() override {
    bench_.reset();
    PoolEndsFull::TearDown();
  }
  std::uint32_t seq_of(std::size_t column) const {
    const Model& m = bench_->model();
    const std::array<std::uint32_t, 7> all = {
        m.rcv_nxt - 1, m.rcv_nxt, m.rcv_nxt + 1, m.rcv_nxt + m.window() / 2,
        m.right - 1,   m.right,   m.right + 1};
    return all[column];
  }
  // What happens, in the letters of the table.
  char happens(Situation situation, std::uint8_t flags, std::size_t column) {
    bench_->enter(situation);
    const State before = bench_->state();
    Fields fields = bench_->valid();
    const Model& m = bench_->model();
    const bool is_opening = before == State::SYN_SENT || before == State::SYN_RECEIVED;
    fields.flags = flags;
    fields.options.clear();
    fields.seq = seq_of(column);
    fields.ack = is_opening ? m.nxt : m.una;
    fields.text_length = (flags & kPsh) != 0 ? 10 : 0;
    const std::uint32_t nxt = m.nxt, rcv_nxt = m.rcv_nxt;
    bench_->inject(build(fields));
    std::string wrong;
    const std::vector<Heard> said = bench_->flush(wrong);
    const char letter = letter_of(before, said, nxt, rcv_nxt);
    bench_->leave();
    return letter;
  }
  char letter_of(State before, const std::vector<Heard>& said, std::uint32_t nxt,
                 std::uint32_t rcv_nxt) const {
    const tcp::Connection* connection = bench_->connection();
    const bool has_taken = connection && connection->readable_octets() != 0;
    if (has_taken) return 'D';
    const bool was_open = before != State::CLOSED && before != State::LISTEN;
    const bool is_open = bench_->state() != State::CLOSED && bench_->state() != State::LISTEN;
    if (was_open && !is_open) return said.empty() ? 'X' : '?';
    if (said.empty()) return bench_->state() == before ? '.' : '?';
    if (said.size() != 1) return '?';
    switch (said[0].flags) {
      case kAck:
        if (said[0].seq != nxt || said[0].ack != rcv_nxt) return '?';
        if (bench_->state() == before) return 'A';
        return bench_->state() == State::ESTABLISHED ? 'E' : '?';
      case kSyn | kAck:
        return 'S';
      case kRst:
      case kRst | kAck:
        return 'R';
      default:
        return '?';
    }
  }

  std::unique_ptr<Bench> bench_ = std::make_unique<Bench>(Offer::mss);
};

// V13; 5961-3.2a, 5961-3.2b, 5961-3.2c, 5961-3.2d, 5961-4.2. RFC 1337: nothing ends TIME-WAIT.
TEST_F(Blind, v13_eleven_states_by_four_segments_by_seven_numbers) {
  for (const Expected& expected : kExpected) {
    for (std::size_t row = 0; row < kRows.size(); ++row) {
      std::string seen;
      for (std::size_t column = 0; column < kColumns.size(); ++column) {
        seen += happens(expected.situation, kRows[row], column);
      }
      EXPECT_EQ(seen, expected.rows[row])
          << name_of(expected.situation) << " flags " << unsigned{kRows[row]};
    }
  }
}

}  // namespace
}  // namespace pollux::systematic
