// softirq_test.cc - when the softirq thread takes over, and when it stays out.
#include "stack/core/softirq.h"

#include <unistd.h>

#include "tests/unit/core/napi_world.h"

namespace pollux {
namespace {

constexpr Duration kTakeover = Duration::ms(1);
constexpr Duration kLongSuspension = Duration::ms(100);

class SoftirqTest : public testing_support::NapiWorld {
 protected:
  SoftirqTest() : NapiWorld({.irq_suspend_timeout = kLongSuspension.to_ns()}) {
    context.poll(kOnly, 64);
  }
  void TearDown() override {
    softirq_.reset();
    NapiWorld::TearDown();
  }
  void start() { softirq_ = std::make_unique<Softirq>(context, std::vector{&napi()}, kTakeover); }
  // Time enough to be wrong in.
  void let_it_look() { ::usleep(20'000); }
  bool takes_over() {
    for (int i = 0; i < 10'000 && softirq_polls() == 0; ++i) ::usleep(1000);
    return softirq_polls() != 0;
  }

 private:
  std::unique_ptr<Softirq> softirq_;
};

// fault-app-busy.
TEST_F(SoftirqTest, takes_over_when_nobody_has_polled_for_long) {
  start();
  let_it_look();
  EXPECT_EQ(softirq_polls(), 0u);
  clock.advance(kTakeover);
  EXPECT_TRUE(takes_over());
}

TEST_F(SoftirqTest, epoll_13_12_13_13_stays_out_until_the_suspension_is_over) {
  context.suspend_irqs(kOnly);
  start();
  clock.advance(kLongSuspension - Duration::us(1));
  let_it_look();
  EXPECT_EQ(softirq_polls(), 0u);
  clock.advance(Duration::us(1));
  EXPECT_TRUE(takes_over());
}

TEST_F(SoftirqTest, epoll_13_12_13_13_comes_back_after_an_empty_spin) {
  context.suspend_irqs(kOnly);
  start();
  clock.advance(kTakeover);
  let_it_look();
  EXPECT_EQ(softirq_polls(), 0u);
  context.resume_irqs(kOnly);
  EXPECT_TRUE(takes_over());
}

TEST_F(SoftirqTest, epoll_13_12_lets_go_when_a_suspension_begins) {
  clock.advance(kTakeover);
  start();
  ASSERT_TRUE(takes_over());
  while (napi().claimed_by() != Napi::Claim::softirq) ::usleep(1000);
  context.suspend_irqs(kOnly);
  for (int i = 0; i < 10'000 && napi().claimed_by() != Napi::Claim::none; ++i) ::usleep(1000);
  EXPECT_EQ(napi().claimed_by(), Napi::Claim::none);
}

}  // namespace
}  // namespace pollux
