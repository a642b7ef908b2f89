// cases_model.cc - behaviours 0.x, and what follows from them while asleep: 3.11, 4.9, 14.11.
#include <array>
#include <chrono>
#include <thread>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAsleep{10};  // long enough for the other thread to have fallen asleep
constexpr int kTimeoutMs = 50;

void b0_1_readiness_is_of_the_delivery(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLOUT | EPOLLET, 'A');
  t.wait(set);
  t.send(pair.active, "x");
  t.drain(pair.passive);
  t.expect("woken by data, read since", t.wait(set), "A:OUT");
  t.send(pair.active, "x");
  t.reset(pair.active);
  t.expect("woken by data, reset since", t.wait(set), "A:IN|OUT|ERR|HUP");
}

void b0_2_wake_ups_have_a_key_or_none(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLOUT | EPOLLET, 'A');
  t.add(set, pair.active, EPOLLPRI | EPOLLET, 'B');
  t.expect("at ADD", t.wait(set), "A:OUT");
  t.send(pair.active, "x");
  t.expect("data has a key without OUT", t.wait(set), "none");
  t.calls.shutdown(pair.active, SHUT_WR);
  t.settle();
  t.expect("FIN has none: all are asked", t.wait(set), "A:OUT");
}

// Sets A to D watch one file and are watched by one set, which notes the order of their wake-ups.
void b0_3_order_in_the_wait_queue(Twin& t) {
  const int outer = t.set();
  const Pair pair = t.pair();
  constexpr std::array<uint32_t, 4> kModes = {EPOLLEXCLUSIVE, 0, EPOLLEXCLUSIVE, 0};
  for (size_t i = 0; i < kModes.size(); ++i) {
    const int inner = t.set();
    t.add(inner, pair.passive, EPOLLIN | kModes[i], 'x');
    t.add(outer, inner, EPOLLIN, 'A' + i);
  }
  t.send(pair.active, "x");
  t.expect("ordinary ones backwards, exclusive ones forwards", t.wait(outer),
           "D:IN B:IN A:IN C:IN");
}

void b0_4_queued_once_at_the_first_place(Twin& t) {
  const int set = t.set();
  std::array<Pair, 3> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = t.pair();
    t.add(set, pairs[i].passive, EPOLLIN | EPOLLET, 'A' + i);
  }
  for (const size_t i : {1u, 0u, 1u, 2u, 0u}) t.send(pairs[i].active, "x");
  t.expect("order", t.wait(set), "B:IN A:IN C:IN");
  t.expect("once", t.wait(set), "none");
}

void b0_6_three_ways_to_be_disabled(Twin& t) {
  const int set = t.set();
  std::array<Pair, 3> pairs{};
  for (Pair& pair : pairs) pair = t.pair();
  t.add(set, pairs[0].passive, 0, 'A');
  t.add(set, pairs[1].passive, EPOLLOUT | EPOLLONESHOT, 'B');
  t.add(set, pairs[2].passive, EPOLLOUT, 'C');
  t.expect("before", t.wait(set), "B:OUT C:OUT");
  t.remove(set, pairs[2].passive);
  for (const Pair& pair : pairs) t.send(pair.active, "x");
  t.expect("data", t.wait(set), "none");
  for (const Pair& pair : pairs) t.reset(pair.active);
  t.expect("only interest 0 hears the RST", t.wait(set), "A:ERR|HUP");
}

// The number of one registered file is lent to another file, and given back.
void b0_7_key_is_file_and_number(Twin& t) {
  const int set = t.set();
  const Pair x = t.pair(), y = t.pair();
  const int number = x.passive, x_again = t.keep(t.calls.dup(number));
  t.add(set, number, EPOLLIN, 'X');
  t.calls.dup2(y.passive, number);
  t.expect("MOD looks for the file of now", t.modify(set, number, EPOLLIN, 'Y'), "-1 ENOENT");
  t.expect("ADD", t.add(set, number, EPOLLIN, 'Y'), "0");
  t.send(x.active, "x");
  t.send(y.active, "y");
  t.expect("two items of one number", t.wait(set), "X:IN Y:IN");
  t.calls.dup2(x_again, number);
  t.expect("MOD", t.modify(set, number, EPOLLIN, 'Z'), "0");
  t.expect("the first item", t.wait(set), "Z:IN Y:IN");
  t.expect("DEL", t.remove(set, number), "0");
  t.expect("the second stays", t.wait(set), "Y:IN");
}

// A FIN wakes whoever sleeps, whatever the interest (0.2).
void b3_11_a_stale_wake_up_does_not_end_the_wait(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLPRI, 'A');
  const auto before = std::chrono::steady_clock::now();
  const std::jthread peer([&] {
    std::this_thread::sleep_for(kAsleep);
    t.calls.shutdown(pair.active, SHUT_WR);
  });
  t.expect("wait", t.wait(set, 1, kTimeoutMs), "none");
  const auto took = std::chrono::steady_clock::now() - before;
  t.expect("not early", took >= milliseconds(kTimeoutMs), 1);
  t.expect("though woken", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM|RDHUP");
}

void b4_9_only_ready_ones_are_walked(Twin& t) {
  constexpr int kIdle = 300;
  const int set = t.set();
  const Pair pair = t.pair();
  for (int i = 0; i < kIdle; ++i) {
    const int idle = t.keep(t.calls.dup(pair.active));
    if (t.add(set, idle, EPOLLIN, 'I') != "0") t.expect("ADD", to_text(-1), "0");
  }
  t.add(set, pair.passive, EPOLLIN, 'A');
  t.expect("none ready", t.wait(set, 1), "none");
  t.send(pair.active, "x");
  t.expect("one ready", t.wait(set, 1), "A:IN");
  t.drain(pair.passive);
  t.send(pair.passive, "y");
  t.expect("all but one ready", t.wait(set, 2), "I:IN I:IN");
}

void b14_11_a_sleeping_poll_is_filtered_by_the_key(Twin& t) {
  const Pair pair = t.pair();
  const auto before = std::chrono::steady_clock::now();
  const std::jthread peer([&] {
    std::this_thread::sleep_for(kAsleep);
    t.calls.send(pair.active, "x", 1, MSG_NOSIGNAL);
  });
  pollfd entry{.fd = pair.passive, .events = POLLPRI, .revents = 0x7fff};
  t.expect("poll", t.calls.poll(&entry, 1, kTimeoutMs), 0);
  const auto took = std::chrono::steady_clock::now() - before;
  t.expect("not early", took >= milliseconds(kTimeoutMs), 1);
  t.expect("revents", entry.revents, 0);
  t.expect("though there are data", t.mask(pair.passive), "IN|OUT|RDNORM|WRNORM");
}

constexpr Case kModelCases[] = {
    {"0.1", "readiness is asked for at delivery", b0_1_readiness_is_of_the_delivery},
    {"0.2", "wake-ups have a key, or concern everybody", b0_2_wake_ups_have_a_key_or_none},
    {"0.3", "the order in a file's wait queue", b0_3_order_in_the_wait_queue},
    {"0.4", "queued once, at its first place", b0_4_queued_once_at_the_first_place},
    {"0.6", "interest 0, ONESHOT fired, not registered", b0_6_three_ways_to_be_disabled},
    {"0.7", "the key is (file, number)", b0_7_key_is_file_and_number},
    {"3.11", "a stale wake-up does not end the wait", b3_11_a_stale_wake_up_does_not_end_the_wait},
    {"4.9", "idle descriptors take no part", b4_9_only_ready_ones_are_walked},
    {"14.11", "a sleeping poll hears its key alone", b14_11_a_sleeping_poll_is_filtered_by_the_key},
};

}  // namespace

std::span<const Case> model_cases() { return kModelCases; }

}  // namespace pollux::twin
