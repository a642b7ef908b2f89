// agreed_test.cc - what a SYN's options do to all that follows, and that no other segment's do.
// RFC 9293 3.7.1, RFC 7323 2 and 3, RFC 6691.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tests/systematic/bench.h"

namespace pollux::systematic {
namespace {

constexpr std::uint32_t kWrite = 60'000;

struct Offered {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> scale;
  bool has_timestamps = false;
};

Octets options_of(const Offered& offered, const Bench& bench) {
  Octets options;
  if (offered.mss) {
    options = {2, 4, static_cast<std::uint8_t>(*offered.mss >> 8),
               static_cast<std::uint8_t>(*offered.mss)};
  }
  if (offered.scale) {
    for (const int octet : {1, 3, 3, int{*offered.scale}}) {
      options.push_back(static_cast<std::uint8_t>(octet));
    }
  }
  if (offered.has_timestamps) {
    const Octets stamp = bench.timestamps(bench.model().ts_recent + 1);
    options.insert(options.end(), stamp.begin(), stamp.end());
  }
  return options;
}

class Agreed : public testing_support::PoolEndsFull {
 protected:
  void TearDown() override {
    bench_.reset();
    PoolEndsFull::TearDown();
  }
  // The texts that leave at once of a large write, after a handshake with that SYN and a last ACK
  // with that window.
  std::vector<Heard> texts_after(const Offered& offered, std::uint16_t window) {
    bench_->enter(Situation::listen);
    Fields syn = bench_->valid();
    syn.options = options_of(offered, *bench_);
    EXPECT_EQ(bench_->arrives(build(syn)), "");
    bench_->pass(Duration::ms(10));
    Fields last = bench_->valid();
    last.options = options_of({.has_timestamps = offered.has_timestamps}, *bench_);
    last.window = window;
    last.text_length = 0;
    EXPECT_EQ(bench_->arrives(build(last)), "");
    std::vector<Heard> said = bench_->writes(kWrite);
    bench_->leave();
    return said;
  }

  std::unique_ptr<Bench> bench_ = std::make_unique<Bench>(Offer::mss);
};

// MUST-14, MUST-15, MUST-16, MUST-67; fault-peer-mss: the floor is 48, whatever the peer asks for.
TEST_F(Agreed, every_mss_bounds_the_texts_that_follow) {
  for (const bool has_timestamps : {false, true}) {
    for (const int offered :
         {-1, 0, 1, 8, 47, 48, 49, 59, 60, 61, 88, 535, 536, 537, 1459, 1460, 1461, 8960, 65535}) {
      Offered syn{.has_timestamps = has_timestamps};
      if (offered >= 0) syn.mss = static_cast<std::uint16_t>(offered);
      const std::vector<Heard> said = texts_after(syn, 65535);
      const int believed = offered <= 0 ? 536 : std::min(offered, 1460);
      const int most = std::max(believed - (has_timestamps ? 12 : 0), 48);
      ASSERT_FALSE(said.empty());
      EXPECT_EQ(said.front().text_length(), static_cast<std::uint32_t>(most)) << offered;
      for (const Heard& text : said) EXPECT_LE(text.text_length(), said.front().text_length());
    }
  }
}

// 7323-2.2a, 7323-2.2b, 7323-2.3, V25: any shift, of which 14 counts at most; never beyond the
// window.
TEST_F(Agreed, every_shift_scales_the_window_and_14_is_the_most) {
  constexpr std::uint16_t kField = 3;
  for (int shift = -1; shift < 256; ++shift) {
    Offered syn{.mss = std::uint16_t{1460}};
    if (shift >= 0) syn.scale = static_cast<std::uint8_t>(shift);
    std::uint32_t sent = 0;
    for (const Heard& text : texts_after(syn, kField)) sent += text.text_length();
    const std::uint32_t window = std::uint32_t{kField} << std::clamp(shift, 0, 14);
    EXPECT_LE(sent, window) << shift;
    if (window >= 10 * 1460) {
      EXPECT_EQ(sent, 10u * 1460) << shift;  // the initial window
    }
  }
}

// MUST-65: what belongs into a SYN has no meaning elsewhere.
TEST_F(Agreed, a_syns_options_in_other_segments_change_nothing) {
  for (const Octets& strange : {Octets{2, 4, 0, 100}, Octets{3, 3, 7, 1}, Octets{4, 2, 1, 1}}) {
    bench_->enter(Situation::established);
    Fields text = bench_->valid();
    text.options = strange;
    text.ack = bench_->model().nxt;
    text.window = 3 * 1460;
    ASSERT_EQ(bench_->arrives(build(text)), "");
    const std::vector<Heard> said = bench_->writes(kWrite);
    ASSERT_EQ(said.size(), 3u);
    for (const Heard& one : said) {
      EXPECT_EQ(one.text_length(), 1460u);
      EXPECT_TRUE(one.raw_options.empty());
    }
    bench_->leave();
  }
}

}  // namespace
}  // namespace pollux::systematic
