// cases_level.cc - behaviours 4.x and 6.x: level-triggered delivery, order, fairness, ONESHOT.
#include <array>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr size_t kFive = 5;

// Five connections; the passive ends are watched for input as A to E.
struct Five {
  explicit Five(Twin& t) : set(t.set()) {
    for (size_t i = 0; i < kFive; ++i) pairs[i] = t.pair();
  }
  void add_all(Twin& t, uint32_t events = EPOLLIN) const {
    for (size_t i = 0; i < kFive; ++i) t.add(set, pairs[i].passive, events, 'A' + i);
  }
  void make_ready(Twin& t, size_t i) const { t.send(pairs[i].active, "x"); }
  int set;
  std::array<Pair, kFive> pairs{};
};

void b4_1_level_until_drained(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  t.send(pair.active, "abcd");
  t.expect("first", t.wait(set), "A:IN");
  t.expect("again", t.wait(set), "A:IN");
  t.expect("partial read", t.receive(pair.passive, 2), "\"ab\"");
  t.expect("after it", t.wait(set), "A:IN");
  t.expect("the rest", t.receive(pair.passive), "\"cd\"");
  t.expect("drained", t.wait(set), "none");
}

void b4_2_order_of_readiness(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (const size_t i : {3u, 0u, 4u, 1u, 2u}) five.make_ready(t, i);
  t.expect("order", t.wait(five.set), "D:IN A:IN E:IN B:IN C:IN");
}

void b4_2_ready_at_add(Twin& t) {
  const Five five(t);
  for (const size_t i : {2u, 1u, 0u}) five.make_ready(t, i);
  for (const size_t i : {0u, 1u, 2u}) t.add(five.set, five.pairs[i].passive, EPOLLIN, 'A' + i);
  t.expect("order of ADD", t.wait(five.set), "A:IN B:IN C:IN");
}

void b4_3_rotation(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (size_t i = 0; i < kFive; ++i) five.make_ready(t, i);
  for (const char* wanted : {"A:IN B:IN", "C:IN D:IN", "E:IN A:IN", "B:IN C:IN", "D:IN E:IN"}) {
    t.expect("two at a time", t.wait(five.set, 2), wanted);
  }
  for (const char* wanted : {"A:IN", "B:IN", "C:IN", "D:IN", "E:IN", "A:IN"}) {
    t.expect("one at a time", t.wait(five.set, 1), wanted);
  }
}

void b4_4_newcomer_joins_at_the_tail(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (const size_t i : {0u, 1u, 2u}) five.make_ready(t, i);
  t.expect("first", t.wait(five.set, 1), "A:IN");
  five.make_ready(t, 3);
  t.expect("rotation", t.wait(five.set, 5), "B:IN C:IN A:IN D:IN");
}

void b4_5_deleted_is_never_reported(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (const size_t i : {0u, 1u, 2u}) five.make_ready(t, i);
  t.remove(five.set, five.pairs[0].passive);
  t.expect("without A", t.wait(five.set), "B:IN C:IN");
  t.add(five.set, five.pairs[0].passive, EPOLLIN, 'A');
  t.expect("A at the tail", t.wait(five.set), "B:IN C:IN A:IN");
}

void b4_6_modify_keeps_the_place(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (const size_t i : {0u, 1u, 2u}) five.make_ready(t, i);
  t.modify(five.set, five.pairs[0].passive, EPOLLIN | EPOLLRDHUP, 'A');
  t.expect("order", t.wait(five.set), "A:IN B:IN C:IN");
}

void b4_7_no_longer_ready_uses_no_slot(Twin& t) {
  const Five five(t);
  five.add_all(t);
  for (const size_t i : {0u, 1u, 2u}) five.make_ready(t, i);
  t.drain(five.pairs[0].passive);
  t.expect("two slots", t.wait(five.set, 2), "B:IN C:IN");
}

void b4_8_one_slot_for_several_bits(Twin& t) {
  const Five five(t);
  five.add_all(t, EPOLLIN | EPOLLOUT);
  five.make_ready(t, 0);
  t.expect("two slots", t.wait(five.set, 2), "A:IN|OUT B:OUT");
}

void b6_1_one_shot_is_silent_after_delivery(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLONESHOT, 'A');
  t.send(pair.active, "x");
  t.expect("delivered", t.wait(set), "A:IN");
  t.send(pair.active, "y");
  t.expect("silent for data", t.wait(set), "none");
  t.reset(pair.active);
  t.expect("silent for RST", t.wait(set), "none");
  t.expect("though", t.mask(pair.passive), "IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP");
}

void b6_3_modify_arms_again(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLONESHOT, 'A');
  t.send(pair.active, "x");
  t.expect("delivered", t.wait(set), "A:IN");
  t.expect("MOD", t.modify(set, pair.passive, EPOLLIN | EPOLLONESHOT, 'B'), "0");
  t.expect("still ready", t.wait(set), "B:IN");
  t.modify(set, pair.passive, EPOLLONESHOT, 'C');
  t.expect("interest 0", t.wait(set), "none");
  t.reset(pair.active);
  t.expect("ERR and HUP are armed", t.wait(set), "C:ERR|HUP");
  t.expect("once", t.wait(set), "none");
}

void b6_4_disabled_is_still_registered(Twin& t) {
  const int set = t.set(), fd = t.tcp();
  t.add(set, fd, EPOLLONESHOT, 'A');
  t.expect("delivered", t.wait(set), "A:HUP");
  t.expect("ADD", t.add(set, fd, EPOLLIN, 'A'), "-1 EEXIST");
  t.expect("DEL", t.remove(set, fd), "0");
}

void b6_5_a_fault_does_not_consume_the_shot(Twin& t) {
  const int set = t.set();
  t.add(set, t.tcp(), EPOLLIN | EPOLLONESHOT, 'A');
  t.expect("NULL", to_text(t.calls.epoll_wait(set, nullptr, 1, 0)), "-1 EFAULT");
  t.expect("still armed", t.wait(set), "A:HUP");
  t.expect("fired", t.wait(set), "none");
}

constexpr Case kLevelCases[] = {
    {"4.1", "level: reported until drained", b4_1_level_until_drained},
    {"4.2", "order of becoming ready", b4_2_order_of_readiness},
    {"4.2b", "ready at ADD: its place is the ADD", b4_2_ready_at_add},
    {"4.3", "rotation when maxevents is small", b4_3_rotation},
    {"4.4", "a newcomer joins at the tail", b4_4_newcomer_joins_at_the_tail},
    {"4.5", "DEL of a queued item", b4_5_deleted_is_never_reported},
    {"4.6", "MOD keeps the place", b4_6_modify_keeps_the_place},
    {"4.7", "no longer ready: no slot used", b4_7_no_longer_ready_uses_no_slot},
    {"4.8", "one slot for several bits", b4_8_one_slot_for_several_bits},
    {"6.1", "ONESHOT: silent after delivery", b6_1_one_shot_is_silent_after_delivery},
    {"6.3", "ONESHOT: MOD arms again", b6_3_modify_arms_again},
    {"6.4", "ONESHOT: still registered", b6_4_disabled_is_still_registered},
    {"6.5", "ONESHOT: a fault does not consume it", b6_5_a_fault_does_not_consume_the_shot},
};

}  // namespace

std::span<const Case> level_cases() { return kLevelCases; }

}  // namespace pollux::twin
