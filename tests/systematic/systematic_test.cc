// systematic_test.cc - every situation x every field x its boundary values, against the model.
// One change: all. Two changes: every pair of the shorter table. Three: at random.
#include <gtest/gtest.h>

#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <tuple>

#include "stack/base/rng.h"
#include "tests/systematic/bench.h"
#include "tests/systematic/mutations.h"

namespace pollux::systematic {
namespace {

constexpr unsigned kShown = 5;  // failures of one test that are told in full

using Where = std::tuple<Offer, Situation>;

std::string spell(const testing::TestParamInfo<Where>& info) {
  const auto [offer, situation] = info.param;
  std::string name = std::string(name_of(situation)) + (offer == Offer::mss ? " plain" : " all");
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

// V13, V1, V25, T3; MUST-3, MUST-5, MUST-6, MUST-7, MUST-64, MUST-69. In every synchronized state:
// 5961-3.2a, 5961-3.2b, 5961-3.2c, 5961-4.2, 5961-5.2; in SYN-SENT 5961-3.2d.
class Systematic : public testing_support::PoolEndsFull, public testing::WithParamInterface<Where> {
 protected:
  Systematic() : bench_(std::make_unique<Bench>(std::get<0>(GetParam()))) {}
  void TearDown() override {
    RecordProperty("cases", static_cast<int>(cases_));
    if (wrong_ > kShown) ADD_FAILURE() << wrong_ << " of " << cases_ << " cases are wrong";
    tried() += cases_;
    bench_.reset();
    PoolEndsFull::TearDown();
  }

  static void TearDownTestSuite() { std::printf("%" PRIu64 " cases tried\n", tried()); }

  void try_one(const std::vector<const Mutation*>& changes) {
    ++cases_;
    bench_->enter(situation());
    Fields fields = bench_->valid();
    for (const Mutation* change : changes) change->apply(fields, bench_->model());
    std::string wrong = bench_->arrives(build(fields));
    const std::string later = bench_->goes_on();
    if (!later.empty()) wrong += "; afterwards: " + later;
    bench_->leave();
    if (wrong.empty() || ++wrong_ > kShown) return;
    std::string names;
    for (const Mutation* change : changes) names += change->name + ", ";
    ADD_FAILURE() << names << wrong;
  }
  void try_all(const Mutations& mutations) {
    for (const Mutation& one : mutations) try_one({&one});
  }
  bool is_plain() const { return std::get<0>(GetParam()) == Offer::mss; }
  Situation situation() const { return std::get<1>(GetParam()); }

 private:
  static std::uint64_t& tried() {
    static std::uint64_t count = 0;
    return count;
  }
  std::unique_ptr<Bench> bench_;
  std::uint64_t cases_ = 0, wrong_ = 0;
};

TEST_P(Systematic, one_field_of_tcp) { try_all(tcp_fields()); }

TEST_P(Systematic, one_field_of_ip) { try_all(ip_fields()); }

TEST_P(Systematic, one_value_of_an_option) { try_all(option_values()); }

// V3. What TCP has agreed on makes no difference to IP.
class SystematicIp : public Systematic {};
TEST_P(SystematicIp, one_ip_option) { try_all(ip_options()); }

// Every kind with every length at every alignment where a SYN, a SYN,ACK and a text are expected;
// elsewhere the kinds that have a meaning to somebody.
TEST_P(Systematic, one_option_of_any_shape) {
  const bool is_central = situation() == Situation::listen || situation() == Situation::syn_sent ||
                          situation() == Situation::established;
  if (is_plain() && is_central) return try_all(option_shapes(0, false));
  try_all(option_shapes(0, !is_central));
  if (situation() != Situation::established) return;
  for (const unsigned nops : {1u, 2u, 3u}) try_all(option_shapes(nops, false));
}

TEST_P(Systematic, two_fields) {
  const Mutations all = for_pairs();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (all[i].field != all[j].field) try_one({&all[i], &all[j]});
    }
  }
}

// Of all values, at random: too many for every run.
TEST_P(Systematic, three_fields) {
  Mutations all = for_pairs();
  const std::size_t few = all.size();  // two of the shorter table: the third alone would decide
  for (const Mutations& table : {tcp_fields(), ip_fields(), option_values()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  Rng rng(static_cast<std::uint64_t>(situation()) + (is_plain() ? 100 : 200));
  for (int i = 0; i < 10'000; ++i) {
    try_one({&all[rng.below(few)], &all[rng.below(few)], &all[rng.below(all.size())]});
  }
}

std::vector<Situation> all_situations() {
  std::vector<Situation> all;
  for (unsigned i = 0; i < static_cast<unsigned>(Situation::count); ++i) {
    all.push_back(static_cast<Situation>(i));
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SystematicIp,
                         testing::Combine(testing::Values(Offer::mss),
                                          testing::ValuesIn(all_situations())),
                         spell);
INSTANTIATE_TEST_SUITE_P(Everywhere, Systematic,
                         testing::Combine(testing::Values(Offer::mss, Offer::everything),
                                          testing::ValuesIn(all_situations())),
                         spell);

}  // namespace
}  // namespace pollux::systematic
