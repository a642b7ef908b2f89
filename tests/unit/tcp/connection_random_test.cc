// connection_random_test.cc - two connections back to back: whatever the link does, every octet
// arrives.
#include <cstdlib>

#include "tests/support/tcp_pair.h"

namespace pollux::testing_support {
namespace {

// Parameters are drawn, some of them zero: a fault that is always present hides others.
double some(Rng& rng, double most) {
  return rng.chance(0.5) ? 0 : most * static_cast<double>(rng.below(1000)) / 1000;
}
std::uint32_t one_of(Rng& rng, std::initializer_list<std::uint32_t> values) {
  return values.begin()[rng.below(values.size())];
}

LinkParams draw_link(Rng& rng) {
  LinkParams link;
  link.loss = some(rng, 0.2);
  link.duplicate = some(rng, 0.2);
  link.reorder = some(rng, 0.5);
  link.delay = Duration::us(one_of(rng, {1, 50, 1'000, 50'000}));
  link.jitter = Duration::us(one_of(rng, {1, 100, 10'000, 300'000}));
  link.join_segments = rng.chance(0.3);
  return link;
}

SideParams draw_side(Rng& rng) {
  SideParams side;
  side.to_write = one_of(rng, {0, 1, 100, 5'000, 40'000, 150'000});
  side.write_size = one_of(rng, {1, 64, 700, 1448, 4096});
  if (side.write_size == 1) side.to_write = std::min<std::uint64_t>(side.to_write, 3'000);
  side.read_size = one_of(rng, {1, 100, 4096, 65536});
  side.pause = Duration::us(one_of(rng, {0, 0, 100, 20'000}));
  side.shuts_before_reading = rng.chance(0.2);
  side.gso = one_of(rng, {0, 0, 16'000, 65'535});
  side.low_memory = some(rng, 1.0);
  // Nobody gives up: neither on many losses in a row nor on a slow reader.
  side.config.orphan_retries = side.config.syn_retries = side.config.synack_retries = 15;
  side.config.sack = rng.chance(0.7);
  side.config.timestamps = rng.chance(0.6);
  side.config.window_scaling = rng.chance(0.7);
  side.options.no_delay = rng.chance(0.5);
  side.options.send_buffer = one_of(rng, {0, 4608, 20'000});
  side.options.receive_buffer = one_of(rng, {0, 2304, 9'000, 300'000});
  return side;
}

void run_seed(std::uint64_t seed, bool with_text) {
  Rng rng(seed);
  const LinkParams link = draw_link(rng);
  const SideParams a = draw_side(rng);
  SideParams b = draw_side(rng);
  // Two programs that write before they read may wait for each other for ever.
  if (a.shuts_before_reading) b.shuts_before_reading = false;
  TcpPair pair(seed, link, a, b);
  const bool are_both_active = rng.chance(0.2);
  pair.open(are_both_active, with_text);
  EXPECT_TRUE(pair.run(Duration::seconds(24 * 3600))) << "not over";
  for (unsigned i = 0; i < 2; ++i) {
    EXPECT_EQ(pair.shared(i).reassemblies.used(), 0u);
    EXPECT_EQ(pair.shared(i).scoreboards.used(), 0u);
    EXPECT_EQ(pair.shared(i).fast_opens.used(), 0u);
    EXPECT_EQ(pair.connection(i).pending_error(), Errno{});
  }
}

// MUST-18, MUST-19, MUST-34 to MUST-39, SHLD-14, SHLD-31 under loss, repetition and reordering.
// POLLUX_SEED replays one seed; POLLUX_SEEDS says how many.
void run_seeds(bool with_text) {
  const char* one = std::getenv("POLLUX_SEED");
  const char* many = std::getenv("POLLUX_SEEDS");
  const std::uint64_t first = one ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t count = one ? 1 : many ? std::strtoull(many, nullptr, 10) : 400;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::string note = "POLLUX_SEED=" + std::to_string(seed);
    set_check_note(note.c_str());
    run_seed(seed, with_text);
    set_check_note(nullptr);
    ASSERT_FALSE(testing::Test::HasFailure()) << note;
  }
}

TEST(ConnectionRandom, every_octet_arrives_and_both_close) { run_seeds(false); }

// RFC 7413: the same if the handshake carries text, and the server answers before its end.
TEST(ConnectionRandom, every_octet_arrives_that_a_syn_has_carried_or_lost) { run_seeds(true); }

}  // namespace
}  // namespace pollux::testing_support
