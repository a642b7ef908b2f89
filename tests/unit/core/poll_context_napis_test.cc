// poll_context_napis_test.cc - one context for several stacks: what each wait and the softirq
// thread do where others have claims.
#include <netinet/in.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "stack/core/peers.h"
#include "stack/core/softirq.h"
#include "tests/unit/core/napi_world.h"

namespace pollux {
namespace {

using testing_support::InterruptingDevice;
using testing_support::SharedClock;
using testing_support::test_pool;

constexpr unsigned kNapis = 3;
constexpr NapiSet kFirst = 1, kSecond = 2, kThird = 4, kAll = 7;
constexpr Duration kSoftirqTakeover = Duration::ms(1);

class SeveralNapis : public testing_support::PoolEndsFull {
 protected:
  SeveralNapis() : ports_(64, {}, 1) {
    Config config;
    config.connections = config.time_waits = config.sockets = 64;
    config.listeners = 4;
    configure_sockets(64);
    for (unsigned i = 0; i < kNapis; ++i) {
      stacks.push_back(std::make_unique<Stack>(
          config, Stack::Parts{test_pool(), ports_, clock, i, &peers_}, 1, tcp::Secret{}));
      devices.push_back(std::make_unique<InterruptingDevice>(test_pool()));
      stacks[i]->add_interface(*devices[i], PortConfig{});
      peers_.add(*stacks[i]);
      napis.push_back(std::make_unique<Napi>(*stacks[i], clock, IrqParams{}));
      context.add(*napis[i]);
    }
    context.poll(kAll, 1);
  }
  void TearDown() override {
    softirq_.reset();
    napis.clear();
    stacks.clear();
    PoolEndsFull::TearDown();
  }
  void start_softirq() {
    softirq_ = std::make_unique<Softirq>(
        context, std::vector{napis[0].get(), napis[1].get(), napis[2].get()}, kSoftirqTakeover);
  }
  std::uint64_t softirq_polls(unsigned index) {
    const Inside inside(*stacks[index]);
    return stacks[index]->counters().softirq_polls;
  }
  // Time enough in all; never right by being late.
  bool comes_true(const std::function<bool()>& what) {
    for (int i = 0; i < 10'000 && !what(); ++i) ::usleep(1000);
    return what();
  }
  // A wait of a thread's own that sleeps on `of`, while act() runs.
  template <typename Act>
  void while_one_sleeps_on(NapiSet of, Act&& act) {
    std::atomic<Sleeper*> sleeping{nullptr};
    std::thread waiter([&] {
      Sleeper& sleeper = Sleeper::of_this_thread();
      sleeper.reset();
      sleeping = &sleeper;
      while (context.sleep(sleeper, {.napis = of}) != SleepEnd::woken) {
      }
      context.end_sleeps(sleeper);
    });
    const auto has_all = [&] {
      for (unsigned i = 0; i < kNapis; ++i) {
        if ((of >> i & 1) != 0 && napis[i]->claimed_by() != Napi::Claim::waiter) return false;
      }
      return true;
    };
    EXPECT_TRUE(comes_true(has_all));
    act();
    sleeping.load()->wake();
    waiter.join();
  }

  SharedClock clock;
  std::vector<std::unique_ptr<Stack>> stacks;
  std::vector<std::unique_ptr<InterruptingDevice>> devices;
  std::vector<std::unique_ptr<Napi>> napis;
  StackPollContext context{clock, Duration::ms(1)};

 private:
  tcp::Ports ports_;
  Peers peers_{16};
  std::unique_ptr<Softirq> softirq_;
};

TEST_F(SeveralNapis, the_softirq_thread_serves_what_nobody_sleeps_on) {
  while_one_sleeps_on(kFirst, [&] {
    start_softirq();
    clock.advance(kSoftirqTakeover);
    EXPECT_TRUE(comes_true([&] { return softirq_polls(1) != 0 && softirq_polls(2) != 0; }));
    EXPECT_EQ(softirq_polls(0), 0u);
    EXPECT_EQ(napis[0]->claimed_by(), Napi::Claim::waiter);
  });
}

TEST_F(SeveralNapis, the_softirq_thread_takes_over_where_a_waiter_has_left) {
  while_one_sleeps_on(kFirst, [&] {
    start_softirq();
    clock.advance(kSoftirqTakeover);
    EXPECT_TRUE(comes_true([&] { return softirq_polls(1) != 0; }));
    // Waiters have slept on the rest for long: it is at the door now, without a deadline.
    clock.advance(Duration::seconds(2));
    ::usleep(20'000);
  });
  clock.advance(kSoftirqTakeover);
  EXPECT_TRUE(comes_true([&] {
    clock.advance(kSoftirqTakeover);
    return softirq_polls(0) != 0;
  }));
}

TEST_F(SeveralNapis, the_softirq_thread_lets_a_waiter_have_one_and_keeps_the_others) {
  start_softirq();
  clock.advance(kSoftirqTakeover);
  EXPECT_TRUE(comes_true([&] { return napis[1]->claimed_by() == Napi::Claim::softirq; }));
  while_one_sleeps_on(kSecond, [&] {
    EXPECT_TRUE(comes_true([&] {
      clock.advance(kSoftirqTakeover);
      return napis[0]->claimed_by() == Napi::Claim::softirq &&
             napis[2]->claimed_by() == Napi::Claim::softirq;
    }));
    EXPECT_EQ(napis[1]->claimed_by(), Napi::Claim::waiter);
  });
}

// What a wait no longer sleeps on others may have: its set has lost the sockets.
TEST_F(SeveralNapis, a_later_sleep_keeps_no_claim_on_what_it_is_not_for) {
  Sleeper& sleeper = Sleeper::of_this_thread();
  for (const NapiSet of : {kFirst | kSecond, kSecond, NapiSet{0}}) {
    sleeper.reset();
    EXPECT_EQ(context.sleep(sleeper, {.napis = of, .deadline = clock.now()}), SleepEnd::timed_out);
    for (unsigned i = 0; i < kNapis; ++i) {
      const bool wanted = (of >> i & 1) != 0;
      EXPECT_EQ(napis[i]->claimed_by() == Napi::Claim::waiter, wanted) << of << ' ' << i;
    }
  }
  context.end_sleeps(sleeper);
}

TEST_F(SeveralNapis, what_is_held_back_leaves_with_a_wait_for_other_stacks) {
  Socket* socket = nullptr;
  {
    const Inside inside(*stacks[2]);
    socket = *create_socket(stacks[2]->world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
  }
  stacks[2]->note_wait_returned(8);
  {
    const Inside inside(*stacks[2]);
    const Endpoint nobody{IpAddress::v4(127, 0, 0, 1), 9};
    EXPECT_EQ(socket->connect(nobody, inside.now()).error(), Errno::in_progress);
  }
  const auto loopback_packets = [&] { return stacks[2]->counters().loopback_packets; };
  EXPECT_EQ(loopback_packets(), 0u);
  context.poll(kFirst, 1);  // of a spin
  EXPECT_EQ(loopback_packets(), 0u);
  context.poll(kFirst, kFirstPollBudget);
  EXPECT_NE(loopback_packets(), 0u);
  socket->put();
}

}  // namespace
}  // namespace pollux
