// garbage_test.cc - packets that no host can read, in any number: nobody answers, nothing is held,
// and a flow beside them goes on.
#include <gtest/gtest.h>

#include <memory>

#include "stack/base/rng.h"
#include "tests/systematic/bench.h"
#include "tests/systematic/mutations.h"

namespace pollux::systematic {
namespace {

class Garbage : public testing_support::PoolEndsFull {
 protected:
  void TearDown() override {
    bench_.reset();
    PoolEndsFull::TearDown();
  }
  // Everything of the tables that the model cannot read, every packet cut short, and noise.
  // (Fragments are read: they wait for the rest.)
  std::vector<Octets> all_garbage() const {
    std::vector<Octets> all;
    const auto keep = [&all](Octets packet) {
      const bool is_fragment = packet.size() >= 8 && ((packet[6] & 0x3f) != 0 || packet[7] != 0);
      if (!is_fragment && !hear_packet(packet)) all.push_back(std::move(packet));
    };
    for (const Mutations& table :
         {tcp_fields(), ip_fields(), ip_options(), option_values(), option_shapes(0, true)}) {
      for (const Mutation& one : table) {
        Fields fields = bench_->valid();
        one.apply(fields, bench_->model());
        keep(build(fields));
      }
    }
    const Octets whole = build(bench_->valid());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      keep(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    }
    Rng rng(24);
    for (std::size_t i = 0; i < 2000; ++i) {
      Octets noise(rng.below(200));
      for (std::uint8_t& octet : noise) octet = static_cast<std::uint8_t>(rng.below(256));
      keep(std::move(noise));
    }
    return all;
  }

  std::unique_ptr<Bench> bench_ = std::make_unique<Bench>(Offer::everything);
};

// V1, V24, fault-garbage. A hundred of them for each text of the flow, which loses nothing by it.
TEST_F(Garbage, v24_a_flow_goes_on_beside_what_nobody_can_read) {
  bench_->enter(Situation::established);
  const std::vector<Octets> garbage = all_garbage();
  EXPECT_GT(garbage.size(), 1500u);
  const std::uint32_t before = testing_support::test_pool().available();
  std::size_t next = 0;
  for (int texts = 0; texts < 1000; ++texts) {
    for (int i = 0; i < 100; ++i, ++next) {
      bench_->inject(garbage[next % garbage.size()]);
      if (i % 10 != 0) continue;
      std::string wrong;
      ASSERT_TRUE(bench_->flush(wrong).empty()) << next;
      ASSERT_EQ(testing_support::test_pool().available(), before) << next;
    }
    ASSERT_EQ(bench_->goes_on(), "");
  }
  EXPECT_EQ(bench_->state(), State::ESTABLISHED);
  bench_->leave();
}

}  // namespace
}  // namespace pollux::systematic
