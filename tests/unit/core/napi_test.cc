// napi_test.cc - who has the claim to sleep on a device, and who makes the softirq thread let go.
#include "stack/core/napi.h"

#include <gtest/gtest.h>

#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::test_pool;

class NapiTest : public testing_support::PoolEndsFull {
 protected:
  NapiTest() : ports_(64, {}, 1) {
    configure_sockets(64);
    config_.connections = config_.time_waits = config_.sockets = 64;
    config_.listeners = 4;
    stack_ = std::make_unique<Stack>(config_, Stack::Parts{test_pool(), ports_, clock_, 0}, 1,
                                     tcp::Secret{});
    napi_ = std::make_unique<Napi>(*stack_, clock_);
  }
  void TearDown() override {
    napi_.reset();
    stack_.reset();
    PoolEndsFull::TearDown();
  }

  ManualClock clock_;
  Config config_;
  tcp::Ports ports_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Napi> napi_;
  Sleeper softirq_, first_, second_;
};

TEST_F(NapiTest, a_waiter_takes_the_claim_from_the_softirq_thread) {
  EXPECT_TRUE(napi_->claim(softirq_, Napi::Claim::softirq));
  EXPECT_TRUE(napi_->claim(first_, Napi::Claim::waiter));
  EXPECT_TRUE(softirq_.is_woken());
  EXPECT_EQ(napi_->claimed_by(), Napi::Claim::waiter);
}

TEST_F(NapiTest, a_second_waiter_is_woken_when_the_first_leaves) {
  EXPECT_TRUE(napi_->claim(first_, Napi::Claim::waiter));
  EXPECT_FALSE(napi_->claim(second_, Napi::Claim::waiter));
  EXPECT_FALSE(second_.is_woken());
  napi_->release(first_);
  EXPECT_TRUE(second_.is_woken());
}

TEST_F(NapiTest, a_poll_of_the_application_makes_the_softirq_thread_let_go) {
  EXPECT_TRUE(napi_->claim(softirq_, Napi::Claim::softirq));
  napi_->poll(64, Napi::Claim::softirq);  // its own
  EXPECT_FALSE(softirq_.is_woken());
  napi_->poll(64, Napi::Claim::waiter);
  EXPECT_TRUE(softirq_.is_woken());
}

TEST_F(NapiTest, a_poll_of_the_application_leaves_a_waiter_asleep) {
  EXPECT_TRUE(napi_->claim(first_, Napi::Claim::waiter));
  napi_->poll(64, Napi::Claim::waiter);
  EXPECT_FALSE(first_.is_woken());
}

}  // namespace
}  // namespace pollux
